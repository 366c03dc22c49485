"""Lists in the forms that people have: the labels are those of a path a line, in every job that reads a list."""

import csv

import pytest

from fiqa_spark import LabelSettings
from fiqa_spark.inputs.image_list import identified_images, read_paths
from fiqa_spark.runtime.storage import Storage
from tests.jobs.inputs import PATHS, key_of, refused, stored_vectors
from tests.jobs.running import message, options
from tests.jobs.selecting import write_labels
from tests.labelling import embeddings_of

INSIGHTFACE = "".join(f"1\t/data/faces/{path}\t{path[1]}\n" for path in PATHS)
FORMS = {
    "blanks around": ("".join(f"\u00a0{path} \u3000\r\n" for path in PATHS), {}),
    "insightface": (INSIGHTFACE, {"image_root": "/data/faces"}),
    "MXNet": ("".join(f"{number}\t{path[1]}.000000\t{path}\n" for number, path in enumerate(PATHS)), {}),
    "path label": ("".join(f"{path} {path[1]}\n" for path in PATHS), {}),
    "CSV": ("label;Filename\n" + "".join(f'{path[1]};"{path}"\n' for path in PATHS), {}),
    "backslashes": (
        "".join(f"D:\\faces\\{path}\r\n".replace("/", "\\") for path in PATHS),
        {"image_root": "D:\\faces"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_images_are_those_of_a_path_a_line(spark, tmp_path, caplog, form):
    content, flags = FORMS[form]
    (tmp_path / "list").write_text(content, encoding="utf-8", newline="")
    with caplog.at_level("INFO", "fiqa_spark"):
        listed = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    rows = identified_images(listed, LabelSettings(id_key_index=-2, **flags), -2).collect()
    assert sorted((row.key, row.identity) for row in rows) == sorted((key_of(path), path[:2]) for path in PATHS)
    assert ("list read as" in caplog.text) == (form != "blanks around")


def test_a_form_that_lists_no_paths_is_refused_by_name(inputs):
    inputs.list.write_text("0\t0\n1\t5432\n", encoding="utf-8")
    refused(inputs, f"--image-list-file {inputs.list}: is MXNet's .idx, which holds no paths", "give the .lst")
    inputs.list.write_bytes(b"\x0a\x23\xd7\xce\x20\0\0\0")
    refused(inputs, f"--image-list-file {inputs.list}: is MXNet's RecordIO (.rec)", "give the .lst")


def test_a_line_of_another_form_behind_the_look_is_refused(inputs):
    many = "".join(f"1\t/data/faces/p{number}/{number}.jpg\t{number}\n" for number in range(5000))
    inputs.list.write_text(f"{many}p0/0.jpg\n", encoding="utf-8")
    refused(
        inputs, f"--image-list-file {inputs.list}: line 'p0/0.jpg' does not fit the first lines, insightface's .lst"
    )


def test_rows_of_a_matrix_may_have_any_form_and_labels_are_exported_in_the_order_of_such_a_list(inputs):
    inputs.write_matrix(embeddings_of(PATHS))
    rows, store = inputs.folder / "rows.lst", inputs.folder / "store"
    rows.write_text(INSIGHTFACE, encoding="utf-8")
    flags = options(source=inputs.features, rows_list=rows, image_root="/data/faces", id_key_index=-2, dst=store)
    result = inputs.run_job("import_features", *flags)
    assert result.returncode == 0, result.stderr
    assert f"list read as insightface's .lst: path in column 2 ({rows})" in result.stderr
    assert stored_vectors(store) == {key_of(path): vector.tobytes() for path, vector in embeddings_of(PATHS).items()}
    write_labels(inputs.destination, [(path, path[:2], 50.0) for path in PATHS], inputs.list)
    inputs.list.write_text("path,note\n" + "".join(f"{path} ,x\n" for path in PATHS[::-1]), encoding="utf-8")
    flags = options(
        labels=inputs.destination, format="csv", image_list_file=inputs.list, dst=inputs.folder / "labels.csv"
    )
    result = inputs.run_job("export_labels", *flags)
    assert result.returncode == 0, result.stderr
    with open(inputs.folder / "labels.csv", encoding="utf-8", newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == PATHS[::-1]
    inputs.list.write_bytes(b"PK\x03\x04")
    flags = options(labels=inputs.destination, format="csv", image_list_file=inputs.list, dst=inputs.folder / "no.csv")
    assert f"--image-list-file {inputs.list}: is a zip archive" in message(inputs.run_job("export_labels", *flags))
