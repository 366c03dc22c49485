"""Stores that workers write by themselves are those that Spark writes."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.inputs import bucket_writing, feature_store, placed_vectors
from fiqa_spark.inputs.feature_store import DESCRIPTION_FILE
from fiqa_spark.inputs.open_features import import_features
from fiqa_spark.inputs.placed_vectors import VectorFiles, length_of_first_vector
from fiqa_spark.pipelines.jobs import ImportFeaturesSettings
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.storage import Storage
from tests.on_lowest import on_lowest

DIMENSION = 8
# A blank, and what addresses give a meaning of its own.
ODD_NAME = "p%41rt 2 #é?;.parquet"


def vectors(count, seed):
    return list(np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32))


def write_files(folder, contents, **options):
    """Write features, by the names of files."""
    for name, rows in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        kinds = pa.schema([("more", pa.int32()), ("path", pa.string()), ("feature", pa.list_(pa.float32()))])
        columns = [range(len(rows)), [path for path, _ in rows], [vector for _, vector in rows]]
        pq.write_table(pa.table(list(map(pa.array, columns, kinds.types)), schema=kinds), folder / name, **options)


def imported(spark, source, folder, **settings):
    with told_to_users():
        import_features(
            spark, Storage(spark), ImportFeaturesSettings(source=str(source), dst=str(folder), **settings), str(folder)
        )
    by_bucket = {re.search(r"_(\d+)\.c000", file.name)[1]: pq.read_table(file) for file in folder.glob("part-*")}
    return by_bucket, json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))


def assert_equal(table, other):
    """Equal, where not a number is equal to itself."""
    for name in table.column_names:
        if name == "norms":
            for norms, others in zip(table[name].to_pylist(), other[name].to_pylist(), strict=True):
                np.testing.assert_array_equal(norms, others)
        else:
            assert table[name] == other[name]


@pytest.fixture
def both(spark, tmp_path, monkeypatch):
    """A function that imports by workers and by Spark, and compares; it returns what is in the store."""

    def compare(source, **settings):
        written = []
        whole = feature_store.write_buckets
        monkeypatch.setattr(feature_store, "write_buckets", lambda *of, **more: written.append(1) or whole(*of, **more))
        own = imported(spark, source, tmp_path / "own", **settings)
        assert written == [1]
        monkeypatch.setattr(Storage, "seen_by_workers", lambda *_: None)
        others = imported(spark, source, tmp_path / "others", **settings)
        assert written == [1]
        assert own[1] == others[1]
        assert own[0].keys() == others[0].keys()
        for bucket, table in own[0].items():
            assert table.schema == others[0][bucket].schema
            assert_equal(table, others[0][bucket])
        assert {file.name for file in (tmp_path / "own").iterdir()} >= {"_SUCCESS", DESCRIPTION_FILE}
        assert not (tmp_path / "own" / "_packs").exists()
        return own

    return compare


@pytest.mark.parametrize("precision", on_lowest(["float32", "int16"], "int16"))
def test_vectors_of_several_files_and_row_groups(both, tmp_path, monkeypatch, precision):
    monkeypatch.setattr(placed_vectors, "_VECTORS_AT_ONCE", 7)
    rows = [(f"/p{n % 30}/{n}.jpg", vector) for n, vector in enumerate(vectors(500, 1))]
    files = {"part-1.parquet": rows[:200], f"below/{ODD_NAME}": rows[200:420], "part-3.parquet": rows[420:]}
    write_files(tmp_path / "features", files, row_group_size=64, compression="zstd")
    store, told = both(tmp_path / "features", precision=precision, id_key_index=-2)
    assert (told["rows"], told["dimension"], told["precision"]) == (500, DIMENSION, precision)
    assert sum(map(len, store.values())) == 30
    assert sorted(key for table in store.values() for keys in table["keys"].to_pylist() for key in keys) == sorted(
        f"p{n % 30}/{n}" for n in range(500)
    )


@pytest.mark.parametrize("precision", ["float32", "int16"])
def test_vectors_of_other_lengths_none_and_not_finite_ones(both, tmp_path, precision):
    rows = [(f"p{n % 5}/{n}", vector) for n, vector in enumerate(vectors(40, 2))]
    odd = [None, [], [1.0], [2.0, 3.0], [None] * DIMENSION, [float("inf")] * DIMENSION, [0.0] * DIMENSION]
    rows += [(f"p{n % 3}/odd{n}", vector) for n, vector in enumerate(odd)]
    rows += [(f"q/{n}", None) for n in range(3)]
    write_files(tmp_path / "features", {"0.parquet": rows[::2], "1.parquet": rows[1::2]}, row_group_size=5)
    _, told = both(tmp_path / "features", precision=precision, id_key_index=-2)
    assert dict(told["lengths"]) == {0: 5, 1: 1, 2: 1, DIMENSION: 43}


def test_a_large_identity_is_cut_into_pieces(both, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_store, "_IMAGES_OF_A_ROW", 64)
    monkeypatch.setattr(feature_store, "_ROW_GROUP_BYTES", 4096)
    monkeypatch.setattr(bucket_writing, "_IMAGES_AT_ONCE", 50)
    rows = [(f"p{0 if n % 2 else n}/{n}", vector) for n, vector in enumerate(vectors(900, 3))]
    write_files(tmp_path / "features", {"0.parquet": rows})
    store, told = both(tmp_path / "features", id_key_index=-2)
    assert len(told["piece_bits"]) == 1
    assert max(len(keys) for table in store.values() for keys in table["keys"].to_pylist()) <= 64


def test_images_of_one_key_keep_all_their_vectors(both, tmp_path):
    rows = [(path, vector) for path, vector in zip(["a/1", "a/1", "a/2", "b/1"], vectors(4, 4), strict=True)]
    write_files(tmp_path / "features", {"0.parquet": rows})
    _, told = both(tmp_path / "features", id_key_index=-2)
    assert told["rows"] == 4


def test_a_row_without_a_path_is_told_with_its_file(spark, tmp_path):
    write_files(tmp_path / "features", {"0.parquet": [("a/1", [1.0]), (None, [2.0])]})
    with pytest.raises(InputError, match="has rows without a path") as raised:
        imported(spark, tmp_path / "features", tmp_path / "store", id_key_index=-2)
    assert "0.parquet" in str(raised.value.path)


def test_a_damaged_file_is_told(spark, tmp_path):
    rows = [(f"p{n % 3}/{n}", vector) for n, vector in enumerate(vectors(400, 5))]
    write_files(tmp_path / "features", {"0.parquet": rows}, compression="none", use_dictionary=False)
    file = tmp_path / "features" / "0.parquet"
    content = bytearray(file.read_bytes())
    # The vectors stand behind the paths, and before the footer.
    content[len(content) // 2 : len(content) // 2 + 2500] = b"\xff" * 2500
    offset = pq.ParquetFile(file).metadata.row_group(0).column(2).data_page_offset
    content[offset : offset + 20] = b"\xff" * 20
    file.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read") as raised:
        imported(spark, tmp_path / "features", tmp_path / "store", id_key_index=-2)
    assert "0.parquet" in str(raised.value.path)


def test_places_may_be_anywhere_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(placed_vectors, "_VECTORS_AT_ONCE", 5)
    found = vectors(60, 6)
    rows = [(f"a/{n}", vector) for n, vector in enumerate(found)]
    write_files(tmp_path, {"0.parquet": rows[:40], "1.parquet": rows[40:]}, row_group_size=16)
    places = [(0, 3), (0, 4), (0, 5), (0, 39), (1, 0), (1, 1), (0, 15), (0, 16), (0, 17), (1, 19), (0, 0)]
    files = VectorFiles("feature", "float32")
    for part in (places, places[2:5], places[5:]):
        columns = [
            pa.array([f"file:{tmp_path}/{file}.parquet" for file, _ in part]),
            pa.array([row for _, row in part]),
        ]
        read = files.read(pa.RecordBatch.from_arrays(columns, ["file", "row_of_file"]))
        np.testing.assert_array_equal(read.values, [found[40 * file + row] for file, row in part])
        assert (read.lengths == DIMENSION).all()


def test_a_file_that_has_lost_rows_is_told_as_by_spark(tmp_path):
    write_files(tmp_path, {"0.parquet": [("a/1", [1.0]), ("a/2", [2.0])]})
    columns = [pa.array([f"file:{tmp_path}/0.parquet"] * 3), pa.array([0, 1, 2])]
    with pytest.raises(ValueError, match=r"0\.parquet: It is possible the underlying files have been updated"):
        VectorFiles("feature", "float32").read(pa.RecordBatch.from_arrays(columns, ["file", "row_of_file"]))


def test_a_file_without_vectors_has_none_and_one_of_another_type_is_told_as_by_spark(tmp_path):
    """As among files of which only some have been looked at."""
    write_files(tmp_path, {"0.parquet": [("a/1", [1.0, 2.0])]})
    pq.write_table(pa.table({"path": ["a/2", "a/3"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"path": ["a/4"], "feature": [[4.0]]}), tmp_path / "2.parquet")
    columns = [pa.array([f"file:{tmp_path}/{file}.parquet" for file in (0, 1, 1)]), pa.array([0, 0, 1])]
    read = VectorFiles("feature", "float32").read(pa.RecordBatch.from_arrays(columns, ["file", "row_of_file"]))
    assert (read.values.tolist(), read.lengths.tolist()) == ([1.0, 2.0], [2, 0, 0])
    columns = [pa.array([f"file:{tmp_path}/2.parquet"]), pa.array([0])]
    with pytest.raises(ValueError, match=r"2\.parquet: column: \[feature\], Expected: float, Found: list<.*double>"):
        VectorFiles("feature", "float32").read(pa.RecordBatch.from_arrays(columns, ["file", "row_of_file"]))


def test_the_length_of_vectors_is_that_of_the_first(tmp_path):
    write_files(tmp_path, {"0.parquet": [("a/1", None), ("a/2", [])], "1.parquet": [("b/1", None), ("b/2", [1.0] * 5)]})
    pq.write_table(pa.table({"path": ["a/2", "a/3"]}), tmp_path / "2.parquet")
    assert length_of_first_vector([f"{tmp_path}/{n}.parquet" for n in (0, 2, 1)], "feature") == 5
    assert length_of_first_vector([f"{tmp_path}/{n}.parquet" for n in (0, 2)], "feature") == 1
    (tmp_path / "0.parquet").write_bytes(b"PAR1" + b"x" * 50 + b"PAR1")
    with pytest.raises(InputError, match="cannot be read, it is truncated or damaged"):
        length_of_first_vector([f"{tmp_path}/0.parquet"], "feature")
