"""Identities as rows of a store: made, taken apart, and cut into pieces where they are large."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from fiqa_spark.inputs.feature_store import DESCRIPTION_FILE, open_store, write_store
from fiqa_spark.inputs.identity_rows import bits_for
from fiqa_spark.runtime.storage import Storage
from tests.on_lowest import on_lowest

DIMENSION = 4
SCHEMA = "path string, feature binary, problem string"


def vectors_of(sizes, seed=0):
    """Key to vector of identities of such sizes."""
    random = np.random.default_rng(seed)
    return {
        f"p{person}/{image}": random.standard_normal(DIMENSION).astype(np.float32)
        for person, size in enumerate(sizes)
        for image in range(size)
    }


def written(spark, folder, rows, precision="float32"):
    table = spark.createDataFrame(rows, SCHEMA)
    told = {"index": -2, "rows": len(rows), "dimension": DIMENSION, "precision": precision}
    write_store(Storage(spark), table, str(folder), **told)
    return open_store(spark, Storage(spark), str(folder))


def sound(vectors):
    return [(key, vector.tobytes(), None) for key, vector in vectors.items()]


def found(table):
    rows = table.collect()
    assert len({row.key for row in rows}) == len(rows)
    return {row.key: (None if row.feature is None else np.frombuffer(row.feature, "<f4"), row.problem) for row in rows}


def rows_on_disk(folder):
    return [row for part in folder.glob("part-*.parquet") for row in pq.read_table(part).to_pylist()]


def assert_equal(table, vectors, precision="float32"):
    images = found(table)
    assert set(images) == set(vectors)
    for key, vector in vectors.items():
        tolerance = 0 if precision == "float32" else 1.01 * np.abs(vector).max() / 32767
        np.testing.assert_allclose(images[key][0], vector, rtol=0, atol=tolerance)
        assert images[key][1] is None


@pytest.mark.parametrize("precision", on_lowest(["float32", "int16"], "int16"))
def test_images_of_an_identity_share_a_row_and_come_out_as_they_were(spark, tmp_path, precision):
    vectors = vectors_of([5, 1, 9, 2])
    features = written(spark, tmp_path / "store", sound(vectors), precision)
    rows = rows_on_disk(tmp_path / "store")
    assert sorted(len(row["keys"]) for row in rows) == [1, 2, 5, 9]
    value_bytes = {"float32": 4, "int16": 2}[precision]
    assert all(len(row["features"]) == len(row["keys"]) * DIMENSION * value_bytes for row in rows)
    assert all((row["norms"] is None) == (precision == "float32") for row in rows)
    assert_equal(features.table, vectors, precision)


@pytest.mark.parametrize("precision", on_lowest(["float32", "int16"], "float32"))
def test_vectors_of_other_lengths_and_none_keep_their_places(spark, tmp_path, precision):
    rows = [
        ("a/1", np.float32([1, 2, 3, 4]).tobytes(), None),
        ("a/2", None, "unreadable"),
        ("a/3", np.float32([5, 6]).tobytes(), None),
        ("a/4", b"\1\2\3\4\5", None),
        ("a/5", np.float32([7, 8, 9, 10]).tobytes(), None),
        ("b/1", np.float32([1, 2]).tobytes(), None),
        ("c/1", None, "gone"),
    ]
    features = written(spark, tmp_path / "store", rows, precision)
    images = found(features.table)
    for key, content, problem in rows:
        vector, told = images[key]
        if content is None or len(content) % 4:
            assert vector is None
            assert told == (problem or "the bytes of the feature are no float32 values")
        else:
            np.testing.assert_allclose(vector, np.frombuffer(content, "<f4"), rtol=2e-4)
            assert told is None
    few = ("a/3", "a/5", "b/1", "c/1")
    wanted = spark.createDataFrame([(key,) for key in (*few, "a/missing", "z/1")], "key string")
    for key, (vector, told) in found(features.of_keys(wanted)).items():
        np.testing.assert_array_equal(vector, images[key][0])
        assert told == images[key][1]
    assert {row.key for row in features.of_keys(wanted).collect()} == set(few)
    description = json.loads((tmp_path / "store" / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    assert description["dimension"] in (2, 4)
    assert dict(description["lengths"]) == {0: 3, 2: 2, 4: 2}


@pytest.mark.parametrize("precision", on_lowest(["float32", "int16"], "int16"))
def test_a_large_identity_is_cut_by_its_hashes_into_pieces_that_the_list_finds(spark, tmp_path, monkeypatch, precision):
    monkeypatch.setattr("fiqa_spark.inputs.feature_store._IMAGES_OF_A_ROW", 64)
    vectors = vectors_of([1000, 64, 65, 3])
    # Frames end in the middle of identities.
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "50")
    try:
        features = written(spark, tmp_path / "store", sound(vectors), precision)
    finally:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "4096")
    rows = rows_on_disk(tmp_path / "store")
    by_key = {}
    for row in rows:
        by_key.setdefault(row["keys"][0].split("/")[0], []).append(row)
        bits = row["piece_bits"]
        assert {hash_ >> (64 - bits) if bits else 0 for hash_ in row["key_hashes"]} == {row["piece"]}
    assert len(by_key["p1"]) == len(by_key["p3"]) == 1
    assert len(by_key["p2"]) > 1
    assert len(by_key["p0"]) >= 16
    assert all(len({row["piece"] for row in of_key}) == len(of_key) for of_key in by_key.values())
    assert features.stored.layout.piece_bits == {
        row["identity_key"]: row["piece_bits"] for row in rows if row["piece_bits"]
    }
    assert len(features.stored.layout.piece_bits) == 2
    assert_equal(features.table, vectors, precision)
    some = [key for key in vectors if key.endswith("7")]
    wanted = spark.createDataFrame([(key,) for key in some], "key string")
    assert_equal(features.of_keys(wanted), {key: vectors[key] for key in some}, precision)
    assert features.keys.select(F.count_distinct("key")).head()[0] == len(vectors)


def test_the_bits_that_tell_a_piece_are_estimated_from_the_first_hashes():
    random = np.random.default_rng(3)
    for images in (1025, 2000, 10_000, 300_000):
        hashes = np.sort(random.integers(-(2**63), 2**63, images))
        bits = bits_for(hashes[1024], 1025, 1024)
        sizes = np.unique(hashes >> (64 - bits), return_counts=True)[1]
        assert sizes.max() <= 1024
        assert sizes.mean() >= 300
