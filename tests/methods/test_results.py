import functools
import shutil

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chispa import assert_df_equality
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from fiqa_spark import read_labels, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.matching.packs import PackedRows, packed, packs_schema
from fiqa_spark.methods import identity_folders
from fiqa_spark.methods.identity_folders import folder_name, many_small_files, write_folders
from fiqa_spark.methods.percentiles import PERCENTS, observed, observed_percentiles
from fiqa_spark.methods.result_files import write_result
from fiqa_spark.methods.results import choose_partitioning, unfit_identity_of
from fiqa_spark.runtime.spark_failures import as_user_error
from fiqa_spark.runtime.workers import in_worker

BUCKETS = 5
IDENTITIES = [
    *("0042", "42", "1e3", "2020-01-01", "true", "null", "a=b", "a:b", "x y", "é漢", "%41", "Jo'el", None),
    *(
        "a/b",
        "..",
        ".",
        " x",
        "x ",
        "%",
        "100%",
        '"q"',
        "[x]",
        "{x}",
        "x\\y",
        "x\ty",
        "x\ny",
        "\x7f",
        "a#b?c*^",
        "_x",
        ".x",
    ),
    *("identity=x", "__HIVE_DEFAULT_PARTITION__x", "e\u0301", "😀"),
]


@pytest.fixture(scope="module")
def labels(spark):
    rows = [
        (f"{identity}/{number}.jpg", identity, 12.5, "ok", 0.25, 0.125, 1, 24, [1.5, 2.5])
        for identity in IDENTITIES
        for number in (2, 1)
    ]
    rows.append(("x y/3.jpg", "x y", None, "missing_feature", None, None, 0, 0, None))
    return spark.createDataFrame(rows, schemas.LABELS).persist()


def clustered(labels):
    """Labels in the partitions in which jobs leave them."""
    keyed = labels.withColumn(schemas.IDENTITY_KEY, F.xxhash64(F.coalesce("identity", "path")))
    return keyed.repartition(BUCKETS, schemas.IDENTITY_KEY)


def write(labels, folder, partitioning):
    """Write rows."""
    return write_result(
        clustered(labels), schemas.LABELS, str(folder), partitioning, BUCKETS, percentiles_of="distance"
    )


def write_packs(labels, folder, partitioning):
    """Write packs of two rows each."""

    @in_worker
    def pack(batches):
        rows = pa.Table.from_batches(batches).combine_chunks()
        for first in range(0, rows.num_rows, 2):
            [part] = rows.slice(first, 2).to_batches()
            for frame in packed(dict(zip(part.schema.names, part.columns, strict=True)), {}):
                yield pa.RecordBatch.from_pandas(frame)

    rows = clustered(labels)
    packs = PackedRows(rows.mapInArrow(pack, packs_schema(())), rows.schema, lambda batch: batch.columns)
    return write_result(packs, schemas.LABELS, str(folder), partitioning, BUCKETS, percentiles_of="distance")


def write_by_spark(labels, folder, partitioning):
    """Folders an identity as Spark itself writes them, and as `write_result` does on a cluster."""
    labels.write.partitionBy(partitioning).parquet(str(folder))


# Name of a folder to how it is written.
WRITTEN = {
    "own folders": (write, "identity"),
    "own buckets": (write, "bucket"),
    "packs in folders": (write_packs, "identity"),
    "packs in buckets": (write_packs, "bucket"),
    "folders by Spark": (write_by_spark, "identity"),
}


@pytest.fixture(scope="module")
def out(labels, tmp_path_factory):
    """Results written in every way, each in a folder `labels`."""
    place = tmp_path_factory.mktemp("out")
    for name, (written, partitioning) in WRITTEN.items():
        written(labels, place / name / "labels", partitioning)
    return place


@pytest.fixture
def own_folders(out, tmp_path):
    """Folders an identity, to be changed."""
    return shutil.copytree(out / "own folders" / "labels", tmp_path / "labels")


@pytest.mark.parametrize(
    ("name", "reader", "place"),
    [
        pytest.param("own folders", "workers", "labels", marks=pytest.mark.lowest_versions),
        ("own folders", "spark", ""),
        pytest.param("own buckets", "spark", "labels", marks=pytest.mark.lowest_versions),
        ("packs in folders", "workers", "labels"),
        pytest.param("packs in buckets", "spark", "", marks=pytest.mark.lowest_versions),
        ("folders by Spark", "workers", ""),
        pytest.param("folders by Spark", "spark", "labels", marks=pytest.mark.lowest_versions),
    ],
)
def test_labels_come_back_as_they_were(spark, labels, out, monkeypatch, name, reader, place):
    if reader == "spark":
        monkeypatch.setattr(identity_folders, "_MANY_FILES", 1000)
    assert (many_small_files(str(out / name / "labels")) is not None) == (reader == "workers")
    found = read_labels(spark, str(out / name / place))
    assert found.columns == schemas.LABELS.names
    assert_df_equality(found, labels, ignore_row_order=True, ignore_nullable=True)


@pytest.mark.parametrize(
    "name", ["notes.txt", "identity=", "other=1", "identity=x/notes.txt", "identity=x/y/z.parquet"]
)
def test_workers_leave_to_spark_what_else_lies_in_folders(own_folders, name):
    file = own_folders / name
    assert many_small_files(str(own_folders)) is not None
    file.mkdir(parents=True) if name.endswith("=") else file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text("", encoding="utf-8")
    assert many_small_files(str(own_folders)) is None


@pytest.mark.lowest_versions
def test_a_damaged_file_among_many_is_named(spark, own_folders, tmp_path):
    [file] = (own_folders / "identity=x y").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(PySparkException) as failure:
        read_labels(spark, str(tmp_path)).collect()
    error = as_user_error(failure.value)
    assert "cannot be read" in error.text
    assert error.path == f"file:{file}"
    found = read_labels(spark, str(tmp_path))
    file.unlink()
    with pytest.raises(PySparkException) as failure:
        found.collect()
    assert "is gone since" in as_user_error(failure.value).text


def test_identity_partitions_are_one_folder_an_identity(out):
    folders = {path.name for path in out.glob("own folders/labels/identity=*")}
    assert len(folders) == len(IDENTITIES)
    assert "identity=0042" in folders
    assert all(len(list(folder.glob("*.parquet"))) == 1 for folder in out.glob("own folders/labels/identity=0*"))


def test_folders_have_the_names_columns_and_permissions_that_spark_gives_them(spark, out):
    own, others = (out / name / "labels" for name in ("own folders", "folders by Spark"))
    names = [sorted(path.name for path in folder.iterdir()) for folder in (own, others)]
    assert names[0] == names[1]
    assert folder_name(None) in names[0]
    files = [sorted((folder / "identity=0042").glob("*.parquet"))[0] for folder in (own, others)]
    assert spark.read.parquet(str(files[0])).dtypes == spark.read.parquet(str(files[1])).dtypes
    permissions = [[path.stat().st_mode for path in (file, file.parent)] for file in files]
    assert permissions[0] == permissions[1]


def test_folders_hold_one_file_an_identity_sorted_and_no_other(out):
    folders = list(out.glob("own folders/labels/*=*"))
    assert folders
    for folder in folders:
        files = list(folder.iterdir())
        # Images without identity stay where they are, in any partition.
        assert len(files) == 1 or folder.name == folder_name(None)
        for file in files:
            paths = pq.ParquetFile(file).read()["path"].to_pylist()
            assert paths == sorted(paths, key=str.encode)


def test_packs_become_the_files_that_rows_become(out):
    for rows, packs in (("own folders", "packs in folders"), ("own buckets", "packs in buckets")):
        files = {file.relative_to(out / rows): pq.ParquetFile(file) for file in sorted((out / rows).rglob("*.parquet"))}
        assert {file.relative_to(out / packs) for file in (out / packs).rglob("*.parquet")} == set(files)
        for place, file in files.items():
            other = pq.ParquetFile(out / packs / place)
            assert other.schema == file.schema
            assert other.read() == file.read()


def test_percentiles_are_told_of_what_is_written(spark, tmp_path):
    values = np.random.default_rng(0).standard_normal(3_000).tolist()
    rows = [(f"{n}", f"{n % 70}", 1.0, "ok", value, 0.0, 1, 1, None) for n, value in enumerate(values)]
    rows.append(("none", "x", None, "missing_feature", None, None, 0, 0, None))
    table = spark.createDataFrame(rows, schemas.LABELS)
    in_order = sorted(values)
    expected = {str(percent): in_order[max(0, 30 * percent - 1)] for percent in PERCENTS}
    assert write(table, tmp_path / "rows", "bucket") == expected
    assert write_packs(table, tmp_path / "packs", "bucket") == expected
    noted, observation = observed(table, "distance")
    noted.count()
    assert observed_percentiles(observation) == expected


def test_pandas_and_duckdb_read_folders(labels, tmp_path):
    plain = labels.where(F.col("identity").isin("0042", "42", "x y", "a=b", "é漢"))
    write(plain, tmp_path / "labels", "identity")
    expected = {row.path: (row.label, row.status, row.round_labels) for row in plain.collect()}
    frame = pd.read_parquet(tmp_path / "labels")
    numbers = frame["label"].astype(object).where(frame["label"].notna(), None)
    lists = [None if values is None else list(values) for values in frame["round_labels"]]
    assert dict(zip(frame["path"], zip(numbers, frame["status"], lists, strict=True), strict=True)) == expected
    query = "SELECT path, identity, label FROM read_parquet($1, hive_partitioning = true, hive_types_autocast = false)"
    rows = duckdb.execute(query, [f"{tmp_path}/labels/*/*.parquet"]).fetchall()
    assert {path: (identity, label) for path, identity, label in rows} == {
        row.path: (row.identity, row.label) for row in plain.collect()
    }


def test_an_identity_of_many_rows_is_written_in_several_groups(spark, tmp_path, monkeypatch):
    rows = spark.range(50_000).select(
        F.lit("one").alias("identity"), F.col("id").cast("string").alias("path"), (F.col("id") * 0.5).alias("label")
    )
    folder = tmp_path / "labels"
    folder.mkdir()
    write_folders(rows.repartition(2, "path"), "identity", str(folder), ["path", "label"], 0o022)
    assert len(list((folder / "identity=one").iterdir())) == 2
    found = spark.read.schema(rows.schema).parquet(str(folder))
    assert found.agg(F.count("*"), F.countDistinct("path"), F.sum("label")).first()[:] == (
        50_000,
        50_000,
        624_987_500.0,
    )


def test_bucket_partitions_hold_whole_identities_sorted(out):
    seen = []
    assert many_small_files(str(out / "own buckets" / "labels")) is None
    for folder in out.glob("own buckets/labels/identity_bucket=*"):
        [file] = folder.glob("*.parquet")
        rows = pq.ParquetFile(file).read(["identity", "path"]).to_pylist()
        known = [(row["identity"], row["path"]) for row in rows if row["identity"] is not None]
        assert known == sorted(known, key=lambda row: (row[0].encode(), row[1].encode()))
        seen += sorted({identity for identity, _ in known})
    assert sorted(seen) == sorted(identity for identity in IDENTITIES if identity)


def test_auto_takes_folders_up_to_1000_identities(labels):
    all_fit = functools.partial(unfit_identity_of, labels)
    assert choose_partitioning(all_fit, 1000, "auto") == "identity"
    assert choose_partitioning(all_fit, 1001, "auto") == "bucket"
    assert choose_partitioning(all_fit, 1001, "identity") == "identity"
    assert choose_partitioning(all_fit, 2, "bucket") == "bucket"


@pytest.mark.parametrize("identity", ["long" * 30, "__HIVE_DEFAULT_PARTITION__", ""])
def test_an_identity_that_no_folder_can_bear_leads_to_buckets(spark, identity):
    table = spark.createDataFrame([("ok",), (identity,)], "identity string")
    one_does_not = functools.partial(unfit_identity_of, table)
    assert choose_partitioning(one_does_not, 2, "auto") == "bucket"
    with pytest.raises(InputError, match="use bucket"):
        choose_partitioning(one_does_not, 2, "identity")


def test_a_folder_without_labels_is_told(spark, tmp_path):
    with pytest.raises(InputError, match="no labels there"):
        read_labels(spark, str(tmp_path))
