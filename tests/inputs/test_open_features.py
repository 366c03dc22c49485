"""The table of readers: forms are recognised, and one reader makes a new form."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from fiqa_spark.errors import InputError
from fiqa_spark.inputs import open_features as opening
from fiqa_spark.inputs.open_features import READERS, import_features, open_features
from fiqa_spark.inputs.reader import Reader, Vectors
from fiqa_spark.pipelines.jobs import GenerateLabelsSettings, ImportFeaturesSettings
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.storage import Storage
from tests.labelling import embeddings_of, images_frame, paths_of

PATHS = paths_of([3, 2])
VECTOR = np.arange(24, dtype=np.float32)


def opened(spark, root, staging, paths=PATHS, **options):
    are_rows = options.pop("are_rows", True)
    settings = GenerateLabelsSettings(feature_root=str(root), id_key_index=-2, **options)
    images, steps = images_frame(spark, paths), Steps(spark)
    return open_features(spark, Storage(spark), images, settings, str(staging), steps, are_rows=are_rows)


def vectors_of(features):
    table = features.table.select("key", "feature").collect()
    return {row.key: np.frombuffer(bytes(row.feature), "<f4").tolist() for row in table}


def csv_vectors(source, wanted):
    """One text file of a path and its values, separated by commas."""
    rows = source.spark.read.text(source.path).select(F.split("value", ",").alias("parts"))
    columns = (
        F.col("parts")[0].alias("path"),
        F.slice("parts", 2, 10**6).cast("array<float>").alias("feature"),
        F.lit(None).cast("string").alias("problem"),
    )
    return Vectors(rows.select(*columns), rows.count(), 24)


def test_one_reader_adds_a_form_for_labelling_and_import(spark, tmp_path, monkeypatch):
    embeddings = embeddings_of(PATHS)
    lines = [",".join([path.removesuffix(".jpg"), *map(str, embeddings[path].tolist())]) for path in PATHS]
    (tmp_path / "features.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=r"no \.parquet and no \.npy file there; give the folder"):
        opened(spark, tmp_path / "features.csv", tmp_path)
    monkeypatch.setattr(opening, "READERS", (*READERS, Reader(".csv", lambda source: True, csv_vectors)))
    expected = {path.removesuffix(".jpg"): embeddings[path].tolist() for path in PATHS}
    assert vectors_of(opened(spark, tmp_path / "features.csv", tmp_path / "staging")) == expected
    settings = ImportFeaturesSettings(source=str(tmp_path / "features.csv"), id_key_index=-2)
    store = import_features(spark, Storage(spark), settings, str(tmp_path / "store"))
    assert (store["rows"], store["dimension"]) == (len(PATHS), 24)
    assert vectors_of(opened(spark, tmp_path / "store", tmp_path)) == expected


def test_the_file_of_an_image_with_two_extensions_is_found(spark, tmp_path):
    for name in ("a/1.tar.npy", "a/2.png.npy"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / "tree" / name, VECTOR)
    features = opened(spark, tmp_path / "tree", tmp_path / "staging", ["a/1.tar.jpg", "a/2.png.jpg", "a/3.jpg"])
    assert vectors_of(features) == {"a/1.tar": VECTOR.tolist(), "a/2.png": VECTOR.tolist()}


def test_a_matrix_without_a_list_of_its_rows_is_told(spark, tmp_path):
    np.save(tmp_path / "matrix.npy", VECTOR[None])
    settings = ImportFeaturesSettings(source=str(tmp_path / "matrix.npy"))
    with pytest.raises(InputError, match="is one matrix; give the list of its rows") as raised:
        import_features(spark, Storage(spark), settings, str(tmp_path / "store"))
    assert raised.value.setting == "rows_list"
    with pytest.raises(InputError, match="is one matrix"):
        opened(spark, tmp_path / "matrix.npy", tmp_path / "staging", are_rows=False)


def test_a_matrix_of_another_number_of_rows_names_the_list_that_was_taken(spark, tmp_path):
    np.save(tmp_path / "matrix.npy", VECTOR.reshape(2, 12))
    with pytest.raises(InputError, match=r"5 paths for the 2 rows of .*matrix\.npy") as raised:
        opened(spark, tmp_path / "matrix.npy", tmp_path / "staging")
    assert (raised.value.setting, "`rows_list`" in raised.value.remedy) == ("image_list_file", True)
