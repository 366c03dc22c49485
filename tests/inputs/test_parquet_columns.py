"""Parquet of many writers: the needed columns are read, whatever else is there; what cannot be read is told."""

import base64
import datetime
import functools
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark.errors import InputError
from fiqa_spark.inputs import feature_files, parquet_footers
from fiqa_spark.inputs.feature_files import NPY, PARQUET, FoundFiles
from fiqa_spark.inputs.parquet_columns import read_feature_columns, read_list_columns
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.inputs.parquet_footers import column_names
from fiqa_spark.inputs.vectors import with_binary_vectors
from fiqa_spark.runtime.storage import Storage
from tests.parquet_files import NANOSECONDS, NEEDED_BY_NOBODY, PATHS, VECTORS, half_lists, lists_of, of_each, write

pytestmark = pytest.mark.lowest_versions


class Elsewhere(Storage):
    """A disk that the workers cannot open by path, as HDFS; a local one stands in for it."""

    def local(self, path):
        return None


def read(spark, folder, storage=Storage):
    return read_feature_columns(spark, FoundFiles(storage(spark), str(folder), (PARQUET, NPY)))


def vectors_in(spark, table):
    store = with_binary_vectors(keyed_features(table, -2).table).select("key", "feature").collect()
    assert len({row.key for row in store}) == len(store)
    return {row.key: bytes(row.feature) for row in store}


def assert_all_vectors(spark, folder, paths=PATHS, storage=Storage):
    expected = {path: VECTORS[path].tobytes() for path in paths}
    assert vectors_in(spark, read(spark, folder, storage).table) == expected


def assert_all_vectors_of_each(spark, place, names):
    """As `assert_all_vectors` of folders in a place, in one job."""
    stores = [with_binary_vectors(keyed_features(read(spark, place / name).table, -2).table) for name in names]
    named = [
        store.select(F.lit(name).alias("name"), "key", "feature") for name, store in zip(names, stores, strict=True)
    ]
    found = sorted(
        (row.name, row.key, bytes(row.feature)) for row in functools.reduce(DataFrame.union, named).collect()
    )
    assert found == sorted((name, path, VECTORS[path].tobytes()) for name in names for path in PATHS)


# Apart, as not every pyarrow writes half floats.
@pytest.mark.parametrize(
    "names", [["half"], [name for name in NEEDED_BY_NOBODY if name != "half"]], ids=["half", "all"]
)
def test_columns_that_nobody_needs_may_have_any_type(spark, tmp_path, names):
    write(tmp_path, **{name: NEEDED_BY_NOBODY[name] for name in names})
    assert_all_vectors(spark, tmp_path)


def test_pandas_timestamps_do_no_harm(spark, tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"path": PATHS, "feature": [VECTORS[path] for path in PATHS]})
    frame["seen"] = pd.Timestamp("2024-01-01", tz="UTC")
    frame.to_parquet(tmp_path / "features.parquet")
    assert_all_vectors(spark, tmp_path)


STORED_AS = {
    "float": lists_of,
    "double": lambda: lists_of(pa.list_(pa.float64())),
    "half": half_lists,
    "fixed size": lambda: lists_of(pa.list_(pa.float32(), 6)),
    "fixed size double": lambda: lists_of(pa.list_(pa.float64(), 6)),
    "large": lambda: lists_of(pa.large_list(pa.float32())),
    "binary": lambda: pa.array([VECTORS[path].tobytes() for path in PATHS]),
    "fixed binary": lambda: pa.array([VECTORS[path].tobytes() for path in PATHS], pa.binary(24)),
    "large binary": lambda: pa.array([VECTORS[path].tobytes() for path in PATHS], pa.large_binary()),
}


def write_both(folder, **columns):
    """Half of the rows compressed by Snappy and half by Brotli, which Spark's own reader cannot take."""
    for name, rows in {"snappy": slice(3), "brotli": slice(3, None)}.items():
        halves = {column: values[rows] for column, values in columns.items()}
        write(folder, f"{name}.parquet", options={"compression": name}, **{"path": pa.array(PATHS)[rows], **halves})


@pytest.mark.parametrize("names", [["half"], [name for name in STORED_AS if name != "half"]], ids=["half", "all"])
def test_vectors_of_every_type_and_compression_are_read(spark, tmp_path, names):
    for name in names:
        write_both(tmp_path / name, feature=STORED_AS[name]())
    assert_all_vectors_of_each(spark, tmp_path, names)


WRITTEN_WITH = {
    **{name: {"compression": name} for name in ("zstd", "gzip", "lz4", "none")},
    "split elements": {"use_dictionary": ["path"], "use_byte_stream_split": ["feature.list.element"]},
    "split items": {"use_dictionary": ["path"], "use_byte_stream_split": ["feature.list.item"]},
    "pages of version 2": {"data_page_version": "2.0"},
    "lists of an older form": {"use_compliant_nested_type": False},
    "small row groups": {"row_group_size": 3},
    "small row groups by brotli": {"row_group_size": 3, "compression": "brotli"},
}


@pytest.mark.parametrize("names", [[*WRITTEN_WITH][:-1], [*WRITTEN_WITH][-1:]], ids=["by Spark", "by workers"])
def test_every_way_of_writing_is_read(spark, tmp_path, names):
    for name in names:
        write(
            tmp_path, f"{name}.parquet", path=pa.array([f"{name}/{path}" for path in PATHS]), options=WRITTEN_WITH[name]
        )
    expected = {f"{name}/{path}": VECTORS[path].tobytes() for name in names for path in PATHS}
    assert vectors_in(spark, read(spark, tmp_path).table) == expected


def test_a_null_vector_stays_null_by_arrow(spark, tmp_path):
    values = [VECTORS[path].tolist() for path in PATHS]
    values[2] = None
    write(tmp_path, feature=pa.array(values, pa.list_(pa.float32())), options={"compression": "brotli"})
    rows = {row.path: row.feature for row in read(spark, tmp_path).table.collect()}
    assert rows["a/2"] is None
    assert rows["a/3"] == VECTORS["a/3"].tolist()


PATHS_STORED_AS = {
    "bytes": (lambda: pa.array([path.encode() for path in PATHS]), True),
    "fixed bytes": (lambda: pa.array([path.encode() for path in PATHS], pa.binary(3)), True),
    "dictionary": (lambda: pa.array(PATHS).dictionary_encode(), False),
    "large": (lambda: pa.array(PATHS, pa.large_string()), False),
}


def test_paths_of_every_type_of_text_are_read(spark, tmp_path):
    for name, (paths, is_raw) in PATHS_STORED_AS.items():
        write_both(tmp_path / name, path=paths(), feature=lists_of())
        assert read(spark, tmp_path / name).have_raw_paths is is_raw
    assert_all_vectors_of_each(spark, tmp_path, PATHS_STORED_AS)


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        (pa.array(range(8)), "bigint"),
        (pa.array(range(8), pa.int16()), "int"),
        (pa.array(np.arange(8.0)), "double"),
        (of_each(datetime.date(2024, 1, 1), pa.date32()), "date"),
        (pa.array([["a"]] * 8), r"array<string>"),
    ],
)
def test_a_path_that_is_no_text_is_told(spark, tmp_path, paths, shown):
    write(tmp_path, path=paths)
    with pytest.raises(InputError, match=f"part-0.parquet: 'path' is {shown}; write the paths of the images into it"):
        read(spark, tmp_path)
    with pytest.raises(InputError, match=f"'path' is {shown}"):
        read_list_columns(spark, Storage(spark), str(tmp_path))


@pytest.mark.parametrize(
    ("feature", "shown"),
    [
        (pa.array(PATHS), "string"),
        (lists_of(pa.list_(pa.float32())).cast(pa.list_(pa.int64()), safe=False), "array<bigint>"),
        (pa.array([{"x": 1.0, "y": 2.0}] * 8), "struct or map"),
        (pa.array([[[1.0]]] * 8), "array of arrays"),
    ],
)
def test_a_feature_that_is_no_vector_is_told(spark, tmp_path, feature, shown):
    write(tmp_path, feature=feature)
    with pytest.raises(InputError, match=f"'feature' is {shown}; use array<float>"):
        read(spark, tmp_path)


def test_of_columns_that_differ_by_case_the_exact_name_is_meant(spark, tmp_path):
    write(tmp_path, Feature=pa.array(range(8)), PATH=pa.array(["x"] * 8))
    assert_all_vectors(spark, tmp_path)


def test_a_column_of_another_case_is_read_if_it_is_the_only_one(spark, tmp_path):
    pq.write_table(pa.table({"Path": PATHS, "FEATURE": lists_of()}), tmp_path / "1.parquet")
    assert_all_vectors(spark, tmp_path)
    assert read_list_columns(spark, Storage(spark), str(tmp_path)).columns == ["path"]


def test_of_two_columns_of_another_case_neither_is_taken(spark, tmp_path):
    pq.write_table(pa.table({"path": PATHS, "FEATURE": lists_of(), "Feature": lists_of()}), tmp_path / "1.parquet")
    with pytest.raises(
        InputError, match="no column 'feature', but 'FEATURE' and 'Feature'; name one of them 'feature'"
    ):
        read(spark, tmp_path)


def test_ml_vectors_are_read_beside_a_column_that_spark_cannot_read(spark, tmp_path):
    from pyspark.ml.functions import array_to_vector

    rows = [(path, vector.tolist()) for path, vector in VECTORS.items()]
    table = spark.createDataFrame(rows, "path string, feature array<double>")
    vectors = table.select("path", array_to_vector("feature").alias("feature"))
    vectors.coalesce(1).write.parquet(str(tmp_path / "by spark"))
    assert_all_vectors(spark, tmp_path / "by spark")
    stored = pq.read_table(next((tmp_path / "by spark").glob("*.parquet")))
    odd = stored.append_column("seen", NEEDED_BY_NOBODY["nanoseconds"])
    pq.write_table(odd, tmp_path / "odd.parquet", **NANOSECONDS)
    assert_all_vectors(spark, tmp_path / "odd.parquet")
    pq.write_table(odd, tmp_path / "odd.parquet", compression="brotli", **NANOSECONDS)
    with pytest.raises(InputError, match="'path' is compressed by BROTLI, which Spark cannot read"):
        read(spark, tmp_path / "odd.parquet")
    write(tmp_path, "both/0.parquet", **half_of(PATHS[:2], lists_of(paths=PATHS[:2])))
    pq.write_table(odd[2:], tmp_path / "both" / "1.parquet", **NANOSECONDS)
    assert_all_vectors(spark, tmp_path / "both")


def half_of(paths, stored):
    return {"path": pa.array(paths), "feature": stored}


def test_files_of_several_types_are_put_together(spark, tmp_path):
    write(tmp_path, "0.parquet", **half_of(PATHS[:3], lists_of(paths=PATHS[:3])))
    write(tmp_path, "1.parquet", **half_of(PATHS[3:5], lists_of(pa.list_(pa.float64()), PATHS[3:5])))
    write(tmp_path, "2.parquet", **half_of(PATHS[5:], lists_of(paths=PATHS[5:])), options={"compression": "brotli"})
    assert_all_vectors(spark, tmp_path)


def test_bytes_in_one_file_and_lists_in_the_next_are_told(spark, tmp_path):
    write(tmp_path, "0.parquet")
    write(tmp_path, "1.parquet", feature=STORED_AS["binary"]())
    said = "'feature' is array<float> in 0.parquet and binary in 1.parquet; write all files with the same types"
    with pytest.raises(InputError, match=said):
        read(spark, tmp_path)


def test_a_file_without_the_column_is_named(spark, tmp_path):
    write(tmp_path, "0.parquet")
    pq.write_table(pa.table({"path": ["a/9"], **{f"f{n}": [1.0] for n in range(30)}}), tmp_path / "1.parquet")
    with pytest.raises(InputError, match=r"1\.parquet: no column 'feature'; it has path, f0, .*f18 and 11 more"):
        read(spark, tmp_path)


def test_files_without_rows_may_have_any_types(spark, tmp_path):
    write(tmp_path, "0.parquet")
    pq.write_table(pa.table({"path": pa.nulls(0), "feature": pa.nulls(0)}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"x": pa.array([], pa.int64())}), tmp_path / "2.parquet")
    assert_all_vectors(spark, tmp_path)


def test_empty_files_are_told(spark, tmp_path, caplog):
    write(tmp_path, "0.parquet")
    (tmp_path / "1.parquet").touch()
    with caplog.at_level("WARNING", "fiqa_spark"):
        assert_all_vectors(spark, tmp_path)
    assert f"1 of the Parquet files of {tmp_path} hold nothing at all, such as 1.parquet" in caplog.messages


def test_only_files_without_rows_have_no_vectors(spark, tmp_path):
    pq.write_table(pa.table({"path": pa.nulls(0)}), tmp_path / "1.parquet")
    assert read(spark, tmp_path).table.collect() == []


def test_names_of_all_sorts_are_read(spark, tmp_path):
    names = ("0.parq", "b c/1.parquet", "[x]/2.parquet.gzip", "{y}/000000_0", "z=1/part*?", "7.pq")
    for number, name in enumerate(names):
        write(tmp_path, name, **half_of(PATHS[number : number + 1], lists_of(paths=PATHS[number : number + 1])))
    assert_all_vectors(spark, tmp_path, PATHS[: len(names)])
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert_all_vectors(spark, tmp_path, PATHS[: len(names)])


@pytest.mark.parametrize("differ", [False, True], ids=["alike", "different"])
def test_of_many_files_a_sample_tells_of_all_unless_it_differs(spark, tmp_path, monkeypatch, differ):
    monkeypatch.setattr(parquet_footers, "_LOCAL_FILES", 3)
    for number, path in enumerate(PATHS):
        kind = pa.list_(pa.float64() if differ and number % 2 else pa.float32())
        write(tmp_path, f"{number}.parquet", **half_of([path], lists_of(kind, [path])))
    looked_at = []
    metadata = parquet_footers._metadata
    monkeypatch.setattr(
        parquet_footers, "_metadata", lambda found, name: looked_at.append(name) or metadata(found, name)
    )
    assert_all_vectors(spark, tmp_path)
    assert sorted(set(looked_at)) == (
        [f"{n}.parquet" for n in range(8)] if differ else ["0.parquet", "3.parquet", "7.parquet"]
    )


def test_footers_are_read_wherever_files_lie(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_footers, "_TAIL_BYTES", 64)
    write(tmp_path, **NEEDED_BY_NOBODY)
    for number in range(1, 40):
        pq.write_table(
            pa.table({"path": ["x"], "feature": lists_of(paths=PATHS[:1])})[:0], tmp_path / f"{number}.parquet"
        )
    assert_all_vectors(spark, tmp_path, storage=Elsewhere)


@pytest.mark.parametrize("differ", [False, True], ids=["alike", "different"])
def test_elsewhere_many_folders_are_looked_at_if_the_first_differ(spark, tmp_path, monkeypatch, differ):
    monkeypatch.setattr(feature_files, "_ENTRIES_ELSEWHERE", 4)
    for number, path in enumerate(PATHS):
        kind = pa.list_(pa.float64() if differ and number % 2 else pa.float32())
        ending = "parq" if number == 7 else "parquet"
        write(tmp_path, f"{number}/1.{ending}", **half_of([path], lists_of(kind, [path])))
    assert_all_vectors(spark, tmp_path, storage=Elsewhere)


@pytest.mark.parametrize(
    ("options", "feature", "said"),
    [
        ({"compression": "brotli"}, lists_of, "is compressed by BROTLI, which Spark cannot read; write it with snappy"),
        ({}, half_lists, "'feature' is array<float16>, which Spark cannot read; write it as array<float>"),
    ],
    ids=["brotli", "half"],
)
def test_elsewhere_what_spark_cannot_read_is_told(spark, tmp_path, options, feature, said):
    write(tmp_path, options=options, feature=feature())
    with pytest.raises(InputError, match=rf"part-0\.parquet: .*{said}"):
        read(spark, tmp_path, Elsewhere)


@pytest.mark.parametrize("storage", [Storage, Elsewhere])
def test_damaged_and_encrypted_files_are_told(spark, tmp_path, storage):
    write(tmp_path)
    content = (tmp_path / "part-0.parquet").read_bytes()
    (tmp_path / "part-0.parquet").write_bytes(content[:-300])
    with pytest.raises(
        InputError, match=r"part-0\.parquet: cannot be read, it is truncated or damaged; write it again"
    ):
        read(spark, tmp_path, storage)
    (tmp_path / "part-0.parquet").write_bytes(content[:-4] + b"PARE")
    with pytest.raises(InputError, match=r"part-0\.parquet: is encrypted; write it without"):
        read(spark, tmp_path, storage)


# What `pyarrow.parquet` of version 26 wrote of float16 vectors (1, 2) and (3, 4) of the images a/1 and a/2.
HALF_BY_A_NEWER_PYARROW = (
    "c$`&`!AiqG5QZnoum%aeO~^tHxg<nLt0`1G<e*XtLMg?ACofA`X(4UnCe@emQ9X1vC5VTeS!Vxl{+V4ry_N)&Q(h4AMUaRAz~zIE"
    "$5Gvumoyz@{(qTwZKLl&1&{Cyb3*w(gGjWSt==m_pdfW4Y*e>RVQHzE8(n>9)t!tcm&CHNHH@&{wH>)YBc6mMy4HJr=;~j74pGLk"
    "$RMUbrUK-pA8|cgg{#beiFqhsxC#R)WCqBPm5+M)!{FC@44oPGd;IMWzsV5g!Y*W8f1D6ApA+Osqs-"
    "??cjHadjFmCR@8nCHc6U4^)BDNYq?85kX4i8ZfHi;X8A#DLNd"
)


def test_a_type_that_this_pyarrow_does_not_know_is_told(spark, tmp_path):
    content = zlib.decompress(base64.b85decode(HALF_BY_A_NEWER_PYARROW))
    (tmp_path / "1.parquet").write_bytes(content)
    if int(pa.__version__.split(".")[0]) >= 15:
        found = vectors_in(spark, read(spark, tmp_path).table)
        assert {key: np.frombuffer(vector, "<f4").tolist() for key, vector in found.items()} == {
            "a/1": [1, 2],
            "a/2": [3, 4],
        }
    else:
        with pytest.raises(
            InputError, match=r"1\.parquet: has a column of a type .* such as float16; write the column as"
        ):
            read(spark, tmp_path)


def test_the_columns_of_a_file_are_told(spark, tmp_path):
    write(tmp_path, seen=NEEDED_BY_NOBODY["nanoseconds"])
    assert column_names(Storage(spark), str(tmp_path / "part-0.parquet")) == ["path", "feature", "seen"]


def test_a_column_that_is_there_twice_is_told(spark, tmp_path):
    table = pa.Table.from_arrays([pa.array(PATHS), lists_of(), lists_of()], ["path", "feature", "feature"])
    pq.write_table(table, tmp_path / "1.parquet")
    with pytest.raises(InputError, match="'feature' is there twice"):
        read(spark, tmp_path)
