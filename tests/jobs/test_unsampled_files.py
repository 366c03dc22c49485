"""Parquet files of which a sample alone is looked at: what the others hold is read, or told with the file."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_labels
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import parquet_footers
from fiqa_spark.inputs.open_features import open_features
from fiqa_spark.pipelines.jobs import GenerateLabelsSettings
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.storage import Storage
from tests.jobs.inputs import PATHS, key_of, refused, stored_vectors
from tests.labelling import embeddings_of, images_frame
from tests.on_lowest import on_lowest

VECTORS = embeddings_of(PATHS)
# Between the first and the last, which are looked at.
UNSEEN = "part-1.parquet"
PARTS = {"part-0.parquet": PATHS[:6], UNSEEN: PATHS[6:10], "part-2.parquet": PATHS[10:]}


@pytest.fixture(autouse=True)
def sample_of_two(monkeypatch):
    monkeypatch.setattr(parquet_footers, "_LOCAL_FILES", 2)


def table_of(paths, kind=None, **columns):
    vectors = pa.array([VECTORS[path].tolist() for path in paths], kind or pa.list_(pa.float32()))
    return pa.table({"path": list(paths), "feature": vectors, **columns})


def write_parts(folder, unseen, options=None, others=None):
    """Three files, one of them, which is not looked at, with a table of its own."""
    folder.mkdir(exist_ok=True)
    for name, paths in PARTS.items():
        is_unseen = name == UNSEEN
        table = unseen(table_of(paths)) if is_unseen else table_of(paths)
        pq.write_table(table, folder / name, **((options if is_unseen else others) or {}))


def with_paths(*paths):
    return lambda table: table.set_column(0, "path", pa.array([*paths, *PARTS[UNSEEN][len(paths) :]]))


WITHOUT_PATHS = {
    "no column": lambda table: table.drop(["path"]),
    "another case": lambda table: table.rename_columns(["Path", "feature"]),
    "a null": with_paths(None),
    "an empty text": with_paths(""),
}
OF_OTHER_TYPES = {
    "double": (lambda table: table_of(PARTS[UNSEEN], pa.list_(pa.float64())), "[feature, list, ", "DOUBLE"),
    "number": (with_paths(*range(4)), "[path]", "INT64"),
    "bytes": (
        lambda table: table.set_column(1, "feature", pa.array([VECTORS[path].tobytes() for path in PARTS[UNSEEN]])),
        "[feature]",
        "BINARY",
    ),
}


@pytest.mark.parametrize("name", on_lowest(WITHOUT_PATHS, "no column"))
def test_features_without_paths_are_told_with_the_file(inputs, name):
    # Spark writes this folder's name as an address.
    inputs.features = inputs.folder / "a b%20[x]"
    write_parts(inputs.features, WITHOUT_PATHS[name])
    file = f"file:{inputs.features / UNSEEN}: has rows without a path, or no column 'path' as other files have it"
    if name == "a null":
        refused(inputs, f"--feature-root {file}; write the paths of the images into it, or leave such rows out")
    result = inputs.run_job("import_features", "--source", inputs.features, "--dst", inputs.folder / "store")
    assert (result.returncode, f"--source {file}" in result.stderr) == (2, True), result.stderr


@pytest.mark.lowest_versions
def test_features_of_other_types_are_refused_with_the_file(inputs):
    unseen, column, kind = OF_OTHER_TYPES["double"]
    write_parts(inputs.features, unseen)
    refused(
        inputs, f"{inputs.features / UNSEEN}: holds another type than expected", column, kind, "with the same types"
    )


@pytest.mark.parametrize("name", ["number", "bytes"])
def test_features_of_every_other_type_are_told_with_the_file(spark, tmp_path, name):
    unseen, column, kind = OF_OTHER_TYPES[name]
    write_parts(tmp_path, unseen)
    settings = GenerateLabelsSettings(image_list_file="-", feature_root=str(tmp_path), score_dst="-", id_key_index=-2)
    images = images_frame(spark, PATHS)
    with pytest.raises(InputError) as refusal, told_to_users():
        open_features(spark, Storage(spark), images, settings, "staging", Steps(spark)).table.collect()
    error = refusal.value
    assert error.path.endswith(f"{tmp_path / UNSEEN}")
    assert "another type than expected" in error.text
    assert column in error.text
    assert kind in error.text
    assert "with the same types" in error.remedy


def test_compression_that_spark_lacks_is_told_with_the_file(inputs):
    write_parts(inputs.features, lambda table: table, {"compression": "brotli"})
    refused(inputs, f"{inputs.features / UNSEEN}: is compressed by Brotli, which Spark cannot read; write it with snap")


def test_features_without_vectors_are_invalid(spark, inputs):
    write_parts(inputs.features, lambda table: table.drop(["feature"]))
    result = inputs.run()
    assert result.returncode == 0, result.stderr
    rows = read_labels(spark, str(inputs.destination)).collect()
    assert {row.path for row in rows if row.status == "invalid_feature"} == set(PARTS[UNSEEN])


def test_files_that_arrow_reads_are_all_looked_at(inputs):
    brotli, store = {"compression": "brotli"}, inputs.folder / "store"
    write_parts(inputs.features, WITHOUT_PATHS["another case"], others=brotli)
    result = inputs.run_job("import_features", "--source", inputs.features, "--dst", store, "--id-key-index", "-2")
    assert result.returncode == 0, result.stderr
    assert stored_vectors(store) == {key_of(path): vector.tobytes() for path, vector in VECTORS.items()}
    write_parts(inputs.features, WITHOUT_PATHS["no column"], brotli, brotli)
    refused(inputs, f"{UNSEEN}: no column 'path'; it has feature")
    write_parts(inputs.features, WITHOUT_PATHS["a null"], brotli, brotli)
    refused(inputs, "rows of the list or of the features have no path; leave them out")


@pytest.mark.parametrize("unseen", WITHOUT_PATHS.values(), ids=WITHOUT_PATHS)
def test_a_list_without_paths_is_told_with_the_file(inputs, unseen):
    inputs.list = inputs.folder / "list"
    write_parts(inputs.list, unseen)
    refused(inputs, f"--image-list-file file:{inputs.list / UNSEEN}: has rows without a path, or no column 'path'")


def test_a_list_of_blank_paths_is_told(inputs):
    inputs.list = inputs.folder / "list"
    write_parts(inputs.list, with_paths(" \u3000"))
    refused(inputs, "rows of the list or of the features have no path; leave them out")
