"""Buckets of a store, read by the workers themselves."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark.inputs.bucket_files import BucketFiles, beside_stored, bucket_files
from fiqa_spark.runtime.storage import Storage
from tests.images_beside import as_rows

IMAGES, DIMENSION, OF_GROUP = 3, 4, 5


def row(key, piece=0):
    """A row of a store; its vectors and hashes hold the number of the identity and of the piece."""
    hashes = [100 * key + 10 * piece + image for image in range(IMAGES)]
    vectors = np.full((IMAGES, DIMENSION), 10 * key + piece, np.int16)
    stored = {"key_hashes": hashes, "features": vectors.tobytes(), "norms": [1.0, 2.0, float(key)], "lengths": None}
    return {"identity_key": key, "piece": piece, **stored}


SCHEMA = pa.schema(
    [
        ("identity_key", pa.int64()),
        ("piece", pa.int32()),
        ("key_hashes", pa.list_(pa.int64())),
        ("features", pa.binary()),
        ("norms", pa.list_(pa.float32())),
        ("lengths", pa.list_(pa.int32())),
    ]
)


@pytest.fixture
def files(tmp_path):
    """Two buckets with identities -20 to 19, even and odd ones; that of 7 has three pieces."""
    files = {}
    for bucket in (0, 1):
        rows = [row(key) for key in range(-20, 20) if key % 2 == bucket and key != 7]
        rows += [row(7, piece) for piece in (-1, 0, 2) if bucket]
        rows.sort(key=lambda one: (one["identity_key"], one["piece"]))
        files[bucket] = str(tmp_path / f"part-0000{bucket}-0-0_0000{bucket}.c000.parquet")
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), files[bucket], row_group_size=OF_GROUP)
    return files


def listed(*rows):
    """A frame of identities by key, bucket and piece."""
    frame = pd.DataFrame(rows, columns=["identity_key", "identity_bucket", "piece"])
    return frame.astype({"identity_bucket": np.int32, "piece": np.int32}).assign(image=np.arange(len(rows)))


def found(frames, files):
    return as_rows(beside_stored(iter(frames), BucketFiles(files, "int16")))


@pytest.mark.lowest_versions
def test_each_row_comes_beside_its_own_in_its_order(files):
    keys = list(range(-25, 25))
    frames = [listed(*[(key, key % 2, 0) for key in keys if key % 2 == bucket]) for bucket in (0, 1)]
    rows = found(frames, files)
    assert rows["image"].tolist() == [*range(25), *range(25)]
    for one in rows.itertuples():
        if not -20 <= one.identity_key < 20:
            assert one.key_hashes is None
            continue
        assert one.key_hashes.tolist() == row(one.identity_key)["key_hashes"]
        assert np.array(one.vectors).tobytes() == row(one.identity_key)["features"]
        assert one.norms.tolist() == row(one.identity_key)["norms"]


def test_frames_may_hold_several_buckets_in_any_order(files):
    keys = np.random.default_rng(0).permutation(np.arange(-20, 20)).tolist()
    rows = found([listed(*[(key, key % 2, 0) for key in keys]), listed((3, 1, 0))], files)
    assert sorted(rows["identity_key"]) == sorted([*keys, 3])
    assert [each[0].tolist() for each in rows["vectors"]] == [[10 * key] * DIMENSION for key in rows["identity_key"]]


def test_a_piece_is_found_alone_and_all_of_them_by_their_identity(files):
    rows = found([listed((7, 1, -1), (7, 1, 0), (7, 1, 1), (7, 1, 2), (9, 1, 0))], files)
    assert [None if one is None else one[0] for one in rows["key_hashes"]] == [690, 700, None, 720, 900]
    rows = found([listed((7, 1, 0), (8, 1, 0), (9, 1, 0)).drop(columns="piece")], files)
    assert rows["identity_key"].tolist() == [7, 7, 7, 8, 9]
    assert [None if one is None else one[0] for one in rows["key_hashes"]] == [690, 700, 720, None, 900]


def test_two_identities_of_one_key_both_get_its_row(files):
    rows = found([listed((4, 0, 0), (4, 0, 0))], files)
    assert [one.tolist() for one in rows["key_hashes"]] == [row(4)["key_hashes"]] * 2


def test_a_bucket_without_rows_has_none(files):
    rows = found([listed((4, 5, 0), (5, 5, 0))], files)
    assert rows["image"].tolist() == [0, 1]
    assert rows["key_hashes"].isna().all()


@pytest.mark.lowest_versions
def test_row_groups_are_read_once_and_only_where_an_identity_is_listed(files, monkeypatch):
    read, whole = [], pq.ParquetFile.read_row_group

    def noted(file, group, *words, **named):
        read.append(group)
        return whole(file, group, *words, **named)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    # Even identities from -20 on, five a row group.
    frames = [listed((-20, 0, 0), (-18, 0, 0)), listed((-16, 0, 0), (0, 0, 0)), listed((2, 0, 0), (99, 0, 0))]
    rows = found(frames, files)
    assert read == [0, 2]
    assert rows["key_hashes"].isna().tolist() == [False] * 5 + [True]


def test_a_file_that_is_cut_off_is_told_as_by_spark(files):
    with open(files[0], "rb") as file:
        content = file.read()
    for count in (len(content) // 2, 0):
        with open(files[0], "wb") as file:
            file.write(content[:count])
        with pytest.raises(ValueError, match=rf"Encountered error while reading file:{files[0]}: "):
            found([listed((4, 0, 0))], files)


def test_a_file_that_is_gone_is_told_as_by_spark(files):
    with pytest.raises(ValueError, match=r"file:/nowhere\.parquet: It is possible the underlying files have been upd"):
        found([listed((4, 0, 0))], {0: "/nowhere.parquet"})


def test_a_faulty_row_group_behind_a_sound_footer_is_told_as_by_spark(files):
    with open(files[0], "r+b") as file:
        file.seek(4)
        file.write(b"\xff" * 600)
    with pytest.raises(ValueError, match="Encountered error while reading file:"):
        found([listed((-20, 0, 0))], files)


@pytest.mark.parametrize(
    ("cut", "said"), [(1, "bytes of vectors are no int16 values"), (2, "rows of 33 values hold 35")]
)
def test_a_row_with_fewer_values_than_its_images_have_is_told_and_not_read_as_others(files, cut, said):
    rows = [row(2), row(4) | {"features": row(4)["features"][:-cut]}, row(6)]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), files[0])
    with pytest.raises(ValueError, match=rf"reading file:{files[0]}: {said}"):
        found([listed((2, 0, 0), (4, 0, 0), (6, 0, 0))], files)


def test_files_are_told_by_the_numbers_of_their_buckets(spark, files, tmp_path):
    storage = Storage(spark)
    (tmp_path / "_feature_store.json").write_text("{}", encoding="utf-8")
    assert bucket_files(storage, str(tmp_path), "int16") == BucketFiles(files, "int16")
    # Of two files of one bucket only Spark knows the order.
    (tmp_path / "part-00001-1-1_00001.c000.parquet").write_bytes(b"")
    assert bucket_files(storage, str(tmp_path), "int16") is None
