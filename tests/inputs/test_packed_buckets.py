"""Vectors that workers put together for one run, met as those of a store are."""

import os
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark.inputs import open_features, packed_buckets, vector_packs
from fiqa_spark.inputs.bucket_files import beside_stored
from tests.images_beside import as_rows
from tests.on_lowest import on_lowest
from tests.opened_features import opened

DIMENSION, BUCKETS = 8, 3


def vectors(count, seed):
    return list(np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32))


def write_files(folder, *files):
    folder.mkdir(parents=True)
    for number, rows in enumerate(files):
        kinds = pa.schema([("path", pa.string()), ("feature", pa.list_(pa.float32()))])
        columns = [[path for path, _ in rows], [vector for _, vector in rows]]
        pq.write_table(pa.table(list(map(pa.array, columns, kinds.types)), schema=kinds), folder / f"{number}.parquet")


@pytest.fixture
def put_together(spark, tmp_path, monkeypatch):
    """A function that writes files and has workers put them together; it returns what they see, and their keys."""
    monkeypatch.setattr(open_features, "_SCATTERED_BYTES", 0)

    def write(*files):
        write_files(tmp_path / "features", *files)
        features = opened(spark, [files[0][0][0]], tmp_path / "features", tmp_path / "staging")
        columns = ("identity_key", "key_hash", "key")
        known = pd.DataFrame(features.table.select(*columns).collect(), columns=columns)
        seen = features.put_together(BUCKETS).seen
        assert (seen.layout.buckets, seen.layout.dimension, dict(seen.layout.piece_bits)) == (BUCKETS, DIMENSION, {})
        return seen.buckets, known

    return write


def listed(known):
    """Frames of identities, one a bucket, that list these images."""
    numbers = vector_packs.spark_hashes(known["identity_key"].to_numpy()).astype(np.int64) % BUCKETS
    placed = known.assign(identity_bucket=numbers.astype(np.int32))
    by = placed.groupby(["identity_bucket", "identity_key"], sort=True)
    rows = by.agg(key_hash=("key_hash", list), key=("key", list)).reset_index()
    # As they come from Spark.
    rows["key_hash"], rows["key"] = rows["key_hash"].map(np.array), [np.array(keys, object) for keys in rows["key"]]
    return [frame.assign(piece=np.int32(0)) for _, frame in rows.groupby("identity_bucket")]


def met(buckets, known):
    return as_rows(beside_stored(iter(listed(known)), buckets))


def by_hash(rows):
    """Key hash to the values of each of its vectors."""
    found = {}
    for row in rows[rows["key_hashes"].notna()].itertuples():
        for key_hash, vector in zip(row.key_hashes, row.vectors, strict=True):
            found.setdefault(int(key_hash), []).append(vector.tolist())
    return found


def expected(known, *files):
    hashes = dict(zip(known["key"], known["key_hash"], strict=True))
    wanted = {}
    for path, vector in (row for rows in files for row in rows):
        values = [] if vector is None else np.array(vector, np.float32).tolist()
        wanted.setdefault(hashes[path.removesuffix(".jpg")], []).append(values)
    return wanted


@pytest.mark.parametrize("at_once", on_lowest([4096, 20], 20))
def test_every_vector_stands_by_its_key(put_together, monkeypatch, at_once):
    monkeypatch.setattr(packed_buckets, "_IMAGES_AT_ONCE", at_once)
    rows = [(f"p{n % 30}/{n}.jpg", vector) for n, vector in enumerate(vectors(400, 1))]
    files = rows[:150], rows[150:390:2], rows[151:390:2], rows[390:]
    buckets, known = put_together(*files)
    found = met(buckets, known)
    assert by_hash(found) == expected(known, *files)
    assert sorted(set(found["identity_key"])) == sorted(set(known["identity_key"]))
    assert found["norms"].isna().all()
    assert found["problems"].isna().all()


def test_vectors_of_other_lengths_and_none(put_together):
    rows = [(f"p{n % 5}/{n}", vector) for n, vector in enumerate(vectors(40, 2))]
    odd = [None, [], [1.0], [2.0, 3.0]]
    rows += [(f"p{n % 3}/odd{n}", vector) for n, vector in enumerate(odd)]
    rows += [(f"q/{n}", None) for n in range(3)] + [(f"r/{n}", [1.0, float(n)]) for n in range(3)]
    files = rows[::2], rows[1::2]
    buckets, known = put_together(*files)
    assert by_hash(met(buckets, known)) == expected(known, *files)


def test_a_list_of_some_identities_and_of_others(put_together):
    rows = [(f"p{n % 9}/{n}", vector) for n, vector in enumerate(vectors(90, 3))]
    buckets, known = put_together(rows)
    some = known[known["key"].str.match("p[258]/")]
    others = pd.DataFrame({"identity_key": [7, 8, -9], "key_hash": [1, 2, 3], "key": ["x/1", "y/2", "z/3"]})
    found = met(buckets, pd.concat([some, others]))
    assert len(found) == 6
    assert by_hash(found).keys() == set(some["key_hash"])
    assert found[found["identity_key"].isin([7, 8, -9])]["key_hashes"].isna().all()


def test_a_bucket_without_vectors_has_none(put_together):
    buckets, known = put_together([("a/1", vectors(1, 4)[0])])
    assert sum(buckets.opened(number, ()) is not None for number in range(BUCKETS)) == 1
    others = pd.DataFrame({"identity_key": np.arange(20), "key_hash": np.arange(20), "key": ["b/1"] * 20})
    assert met(buckets, others)["key_hashes"].isna().all()
    assert len(by_hash(met(buckets, known))) == 1


@pytest.mark.lowest_versions
def test_a_large_identity_comes_in_parts_and_each_of_its_images_once(put_together, monkeypatch):
    monkeypatch.setattr(packed_buckets, "_IMAGES_AT_ONCE", 50)
    rows = [(f"p{0 if n % 3 else n}/{n}", vector) for n, vector in enumerate(vectors(900, 5))]
    buckets, known = put_together(rows[:500], rows[500:])
    missing = known.iloc[:1].assign(identity_key=known["identity_key"].mode()[0])
    missing = pd.concat(
        [missing.assign(key_hash=key_hash, key=f"p0/no{key_hash}") for key_hash in (-(2**63), 5, 2**62)]
    )
    listed_images = pd.concat([known[known.index % 7 != 0], missing])
    found = met(buckets, listed_images)
    assert by_hash(found).keys() >= set(listed_images["key_hash"]) - set(missing["key_hash"])
    assert {**expected(known, rows), **by_hash(found)} == expected(known, rows)
    large = found[found["identity_key"] == missing["identity_key"].iloc[0]]
    assert len(large) == 13
    assert (large["key_hashes"].map(len) <= 50).all()
    assert sorted(np.concatenate(found["key"].to_numpy())) == sorted(listed_images["key"])
    for row in large.itertuples():
        own = set(row.key_hash) & set(known["key_hash"])
        assert own <= set(row.key_hashes)


def test_images_of_one_key_stay_together(put_together, monkeypatch):
    monkeypatch.setattr(packed_buckets, "_IMAGES_AT_ONCE", 2)
    rows = [("a/1", vector) for vector in vectors(5, 6)] + [
        (f"a/{n}", vector) for n, vector in enumerate(vectors(4, 7))
    ]
    buckets, known = put_together(rows[:4], rows[4:])
    found = met(buckets, known.drop_duplicates("key"))
    assert {key: sorted(values) for key, values in by_hash(found).items()} == {
        key: sorted(values) for key, values in expected(known, rows).items()
    }
    repeated = known.loc[known["key"] == "a/1", "key_hash"].iloc[0]
    assert sorted(np.count_nonzero(hashes == repeated) for hashes in found["key_hashes"])[-2:] == [0, 6]


def test_precision_of_an_import_is_that_of_its_packs(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(open_features, "_SCATTERED_BYTES", 0)
    rows = [(f"p{n % 4}/{n}", vector) for n, vector in enumerate(vectors(30, 8))]
    write_files(tmp_path / "features", rows)
    features = opened(spark, [rows[0][0]], tmp_path / "features", tmp_path / "staging")
    (tmp_path / "packs").mkdir()
    more = {"index": -2, "buckets": 2, "precision": "int16"}
    packs = vector_packs.write_packs(features.scattered.placed, str(tmp_path / "packs"), **more)
    found = [packs.of_bucket(number) for number in range(2)]
    assert {bucket.vectors(np.arange(len(bucket.lengths))).dtype for bucket in found if bucket} == {np.dtype(np.int16)}
    norms = sorted(np.concatenate([bucket.norms for bucket in found if bucket]).tolist())
    np.testing.assert_allclose(norms, sorted(np.linalg.norm([vector for _, vector in rows], axis=1)), rtol=1e-6)


def test_packs_that_are_cut_off_are_told_as_by_spark(put_together):
    buckets, known = put_together([(f"a/{n}", vector) for n, vector in enumerate(vectors(9, 10))])
    [number] = [number for number in range(BUCKETS) if buckets.opened(number, ())]
    [file] = pathlib.Path(buckets.packs.folder).glob("*.packs")
    opened_before = buckets.opened(number, ())
    os.truncate(file, DIMENSION * 4 * 5)
    with pytest.raises(ValueError, match=rf"Encountered error while reading file:{file}: it is shorter than it was"):
        list(opened_before.beside(listed(known)[0]))
    with pytest.raises(ValueError, match="Encountered error while reading file:"):
        buckets.opened(number, ())


def test_few_bytes_are_left_to_spark(spark, tmp_path):
    write_files(tmp_path / "features", [("a/1", vectors(1, 9)[0])])
    assert opened(spark, ["a/1"], tmp_path / "features", tmp_path / "staging").scattered is None
