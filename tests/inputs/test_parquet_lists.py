"""Image lists in Parquet: identities of every type, in columns and in names of folders."""

import datetime
import decimal
import functools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.image_list import check_images, identified_images, read_paths
from fiqa_spark.inputs.parquet_columns import read_list_columns
from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.runtime.storage import Storage
from tests.parquet_files import NEEDED_BY_NOBODY, PATHS, of_each, write


def identities_of(spark, folder):
    table = read_list_columns(spark, Storage(spark), str(folder))
    return {row.path: row.identity for row in table.collect()}


# How identities are stored, and what is shown of each.
STORED = {
    "text": (pa.array(["007"] * 8), "007"),
    "int32": (of_each(7, pa.int32()), "7"),
    "uint64": (of_each(2**64 - 1, pa.uint64()), str(2**64 - 1)),
    "bytes": (of_each(b"ann", pa.binary()), "ann"),
    "float64": (of_each(7.0, pa.float64()), "7"),
    "float32": (of_each(0.5, pa.float32()), "0.5"),
    "boolean": (of_each(True, pa.bool_()), "true"),
    "decimal": (of_each(decimal.Decimal(12), pa.decimal128(10, 0)), "12"),
    "date": (of_each(datetime.date(2024, 1, 31), pa.date32()), "2024-01-31"),
    "dictionary": (pa.array(["ann"] * 8).dictionary_encode(), "ann"),
}


@pytest.mark.lowest_versions
@pytest.mark.parametrize("options", [{}, {"compression": "brotli"}], ids=["snappy", "brotli"])
def test_a_list_has_identities_of_every_type(spark, tmp_path, options):
    tables = []
    for name, (stored, _) in STORED.items():
        write(tmp_path / name, identity=stored, seen=NEEDED_BY_NOBODY["nanoseconds"], options=options)
        table = read_list_columns(spark, Storage(spark), str(tmp_path / name))
        tables.append(table.select(F.lit(name).alias("name"), "path", "identity"))
    rows = functools.reduce(DataFrame.union, tables).collect()
    assert sorted(map(tuple, rows)) == sorted(
        (name, path, shown) for name, (_, shown) in STORED.items() for path in PATHS
    )


@pytest.mark.lowest_versions
def test_an_identity_that_is_not_utf8_is_told(spark, tmp_path):
    identities = [b"ann", b"p\xff", *[b"bea"] * (len(PATHS) - 2)]
    pq.write_table(pa.table({"path": PATHS, "identity": pa.array(identities)}), tmp_path / "list.parquet")
    settings = ImageSettings(id_key_index=-2)
    images = identified_images(read_paths(spark, Storage(spark), str(tmp_path / "list.parquet")), settings, -2)
    with pytest.raises(InputError, match="not UTF-8, seen 'p\ufffd'"):
        check_images(images, settings, 10)


def test_an_identity_that_pandas_has_no_value_for_is_none(spark, tmp_path):
    values = pa.array([*range(7), None], pa.int64()).to_pandas()
    write(tmp_path, identity=pa.array(values.to_numpy()))
    assert identities_of(spark, tmp_path) == dict(zip(PATHS, [*map(str, range(7)), None], strict=True))


@pytest.mark.lowest_versions
def test_a_list_in_folders_by_identity_keeps_leading_zeros(spark, tmp_path):
    for identity in ("0042", "7"):
        write(tmp_path, f"set=1/identity={identity}/part-0", path=pa.array([f"{identity}/{path}" for path in PATHS]))
    write(tmp_path, "set=1/identity=7/part-1.parquet", path=pa.array([f"x/{path}" for path in PATHS]))
    expected = {
        f"{folder}/{path}": number for folder, number in (("0042", "0042"), ("7", "7"), ("x", "7")) for path in PATHS
    }
    assert identities_of(spark, tmp_path) == expected


@pytest.mark.lowest_versions
def test_a_list_of_several_files_may_lack_identities_in_some(spark, tmp_path):
    pq.write_table(pa.table({"path": ["a/1"], "identity": ["a"]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"path": ["b/1"]}), tmp_path / "1.parquet")
    assert identities_of(spark, tmp_path) == {"a/1": "a", "b/1": None}


@pytest.mark.lowest_versions
def test_text_is_no_parquet_list(spark, tmp_path):
    (tmp_path / "images").write_text("a/1.jpg\n", encoding="utf-8")
    assert read_list_columns(spark, Storage(spark), str(tmp_path / "images")) is None
    assert read_list_columns(spark, Storage(spark), str(tmp_path)) is None
