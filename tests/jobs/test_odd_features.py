"""Features as people have them: read to the same labels, or refused in a line that names the way out."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.jobs.inputs import PATHS, key_of, refused, stored_vectors
from tests.jobs.selecting import write_labels
from tests.labelling import embeddings_of
from tests.opened_features import opened, vectors_of

VECTORS = embeddings_of(PATHS)


def write(inputs, name, paths=PATHS, *, kind=None, options=None, **columns):
    vectors = pa.array([VECTORS[path].tolist() for path in paths], kind or pa.list_(pa.float32()))
    table = pa.table({"path": list(paths), "feature": vectors, **columns})
    file = inputs.features / name
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, **(options or {}))


def anew(inputs):
    (inputs.features / "part-0.parquet").unlink()


def without_extension(inputs):
    anew(inputs)
    write(inputs, "000000_0")


def two_endings_and_types(inputs):
    write(inputs, "part-0.parquet", PATHS[:6])
    write(inputs, "part-1.parq", PATHS[6:], kind=pa.list_(pa.float64()))


def brotli_with_nanoseconds_and_paths_as_bytes(inputs):
    write(
        inputs,
        "part-0.parquet",
        options={"compression": "brotli", "version": "2.6"},
        path=pa.array([path.encode() for path in PATHS]),
        seen=pa.array([1] * len(PATHS), pa.timestamp("ns")),
        Feature=pa.array([1] * len(PATHS)),
    )


def whole_names(inputs):
    anew(inputs)
    for path in PATHS:
        file = inputs.features / f"{path}.npy"
        file.parent.mkdir(exist_ok=True)
        np.save(file, VECTORS[path])


# Each oddity by itself is held by the tests of the function that reads columns.
STORED = (without_extension, two_endings_and_types, brotli_with_nanoseconds_and_paths_as_bytes)
LABELLED = (brotli_with_nanoseconds_and_paths_as_bytes, whole_names)


def spoil(inputs, form):
    """Bring the features into a form, beside a file that is none of them."""
    form(inputs)
    (inputs.features / "part-1.pt").write_bytes(b"none")
    return f"1 file of {inputs.features} is not read, such as part-1.pt"


@pytest.mark.parametrize("form", LABELLED, ids=[form.__name__ for form in LABELLED])
def test_features_as_people_have_them_are_the_same_vectors(spark, inputs, caplog, form):
    said = spoil(inputs, form)
    features = opened(spark, PATHS, inputs.features, inputs.folder / "staging")
    assert said in caplog.text
    assert vectors_of(features) == {key_of(path): vector.tobytes() for path, vector in VECTORS.items()}


@pytest.mark.parametrize("form", STORED, ids=[form.__name__ for form in STORED])
def test_features_as_people_have_them_give_the_same_store(inputs, form):
    said, store = spoil(inputs, form), inputs.folder / "store"
    result = inputs.run_job("import_features", "--source", inputs.features, "--dst", store, "--id-key-index", "-2")
    assert result.returncode == 0, result.stderr
    assert said in result.stderr
    assert stored_vectors(store) == {key_of(path): vector.tobytes() for path, vector in VECTORS.items()}


def test_npy_beside_parquet_is_refused(inputs):
    np.save(inputs.features / "mean.npy", np.ones(24))
    refused(inputs, "--feature-root", inputs.features, "'part-0.parquet'", "'mean.npy'", "name the folder or the file")


def delta_log(folder):
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log" / f"{0:020d}.json").write_text(json.dumps({"remove": {"path": "part-0.parquet"}}), "utf-8")


def test_features_of_a_delta_table_are_refused(inputs):
    delta_log(inputs.features)
    refused(
        inputs,
        f"--feature-root {inputs.features}: is a Delta table (it has _delta_log)",
        "by its own reader",
        "DataFrame",
    )


def test_a_list_in_a_delta_table_is_refused(inputs):
    inputs.list = inputs.folder / "list"
    inputs.list.mkdir()
    pq.write_table(pa.table({"path": PATHS}), inputs.list / "1.parquet")
    delta_log(inputs.list)
    refused(inputs, f"--image-list-file {inputs.list}: is a Delta table")


def test_labels_in_a_delta_table_are_refused(inputs):
    write_labels(inputs.folder / "labels", [(path, path[:2], 50.0) for path in PATHS], inputs.list)
    delta_log(inputs.folder / "labels" / "labels")
    words = ("--labels", inputs.folder / "labels", "--dst", inputs.folder / "labels.txt", "--format", "csv")
    result = inputs.run_job("export_labels", *words)
    assert result.returncode == 2
    assert "a Delta table" in result.stderr
    assert not (inputs.folder / "labels.txt").exists()


def test_two_files_of_one_image_are_refused(inputs):
    whole_names(inputs)
    np.save(inputs.features / "p0" / "0.npy", VECTORS["p1/0.jpg"])
    refused(inputs, "--feature-root", "2 features have the key 'p0/0'", "keep one feature a key")


def test_paths_that_are_numbers_are_refused(inputs):
    write(inputs, "part-0.parquet", path=pa.array(range(len(PATHS))))
    refused(inputs, "--feature-root file:", "part-0.parquet: 'path' is bigint", "as text")


def test_paths_whose_bytes_are_no_utf8_are_refused(inputs):
    write(inputs, "part-0.parquet", path=pa.array([b"\xe9" + path.encode() for path in PATHS]))
    refused(inputs, f"--feature-root {inputs.features}: not UTF-8", "iconv")
