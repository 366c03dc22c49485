"""The order of a list is that of its rows, in however many files and pieces they are read."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.image_list import read_paths
from fiqa_spark.inputs.list_order import order_of_list
from fiqa_spark.runtime.storage import Storage


def paths_in_order(spark, place):
    found = order_of_list(spark, Storage(spark), str(place))
    return [row.path for row in found.places.orderBy("row").collect()], found.has_identities


@pytest.mark.parametrize("files", [1, 3])
def test_paths_are_in_the_order_of_files_and_lines_each_once(spark, tmp_path, files):
    expected = []
    for number in range(files):
        # Sizes that fall and rise, as Spark reads large files first.
        names = [f"p{number}/{row * 37 % 4001}.jpg" for row in range([400, 3000, 50][number])]
        (tmp_path / f"part-{number}.txt").write_text("".join(f"{name}\n" for name in [*names, "p0/0.jpg"]))
        expected += names
    spark.conf.set("spark.sql.files.maxPartitionBytes", 10_000)
    try:
        assert paths_in_order(spark, tmp_path if files > 1 else tmp_path / "part-0.txt") == (expected, False)
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")


@pytest.mark.lowest_versions
def test_of_a_selection_the_list_counts_and_not_what_was_dropped(spark, tmp_path):
    for name, path in (("list.parquet", "b/1.jpg"), ("dropped", "a/1.jpg")):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"path": [path], "identity": ["x"]}), tmp_path / name / "part-0.parquet")
    assert paths_in_order(spark, tmp_path) == (["b/1.jpg"], True)
    (tmp_path / "list.txt").write_text("c/1.jpg\n", encoding="utf-8")
    with pytest.raises(InputError, match="; name the one that lists the images"):
        read_paths(spark, Storage(spark), str(tmp_path))


def test_a_folder_of_texts_that_is_no_selection_is_read_whole(spark, tmp_path):
    for name, path in (("list.txt", "a/1.jpg"), ("more.txt", "b/1.jpg")):
        (tmp_path / name).write_text(f"{path}\n", encoding="utf-8")
    assert paths_in_order(spark, tmp_path) == (["a/1.jpg", "b/1.jpg"], False)
