"""The list of what is selected: text where that says all, and the form in which the others are written."""

from types import SimpleNamespace

import pytest

from fiqa_spark.inputs.image_list import read_paths
from fiqa_spark.inputs.list_order import ListOrder
from fiqa_spark.pipelines.jobs import SelectImagesSettings
from fiqa_spark.pipelines.selected_list import OwnList, write_list
from fiqa_spark.runtime.storage import Storage

SETTINGS = SelectImagesSettings(labels="labels", dst="chosen")
# Paths whose identity is 'h', whether the list of the labels has identities, and why the list cannot be text.
WRITTEN = {
    "odd, but a line each": (['h/ü "1".jpg', "h/1, 2.jpg", "h/\\.jpg", "h/2.jpg 7"], False, None),
    "TAB and line break": (
        ["h/1.jpg", "h/a\tb.jpg", "h/a\nb.jpg"],
        False,
        "the path 'h/a\\tb.jpg' does not fit into a line of text",
    ),
    "like paths with scores": (
        ["h/1.jpg 1", "h/2.jpg 2"],
        False,
        "as text its first lines would not be read as a path each",
    ),
    "another identity": (["h/1.jpg", "i/1.jpg"], False, "the identity of 'i/1.jpg' does not come from the path"),
    "identities": (["h/1.jpg"], True, "the list of the labels has identities"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_list_is_text_where_that_is_read_as_it_was_meant(spark, tmp_path, name):
    paths, has_identities, reason = WRITTEN[name]
    rows = [(path, number, "h", None) for number, path in enumerate(paths)]
    rows = [*rows[::-1], ("h/no.jpg\n", 9, "h", "most")]
    table = spark.createDataFrame(rows, "path string, row int, selected_identity string, reason string")
    storage = Storage(spark)
    job = SimpleNamespace(storage=storage, result=str(tmp_path / "result"), staging=str(tmp_path))
    written = write_list(job, table, OwnList("list.txt", ListOrder(table, has_identities), -2), SETTINGS)
    assert written == ({"file": "list.txt"} if reason is None else {"file": "list.parquet", "reason": reason})
    assert [path.name for path in (tmp_path / "result").iterdir()] == [written["file"]]
    found = read_paths(spark, storage, str(tmp_path / "result" / written["file"])).collect()
    assert [tuple(row) for row in found] == [(path,) if reason is None else (path, "h") for path in paths]
