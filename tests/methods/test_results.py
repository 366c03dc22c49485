import duckdb
import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from fiqa_spark import read_labels, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.methods import identity_folders
from fiqa_spark.methods.identity_folders import folder_name, many_small_files, write_folders
from fiqa_spark.methods.results import choose_partitioning, write_result
from fiqa_spark.runtime.spark_failures import as_user_error

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


@pytest.fixture
def labels(spark):
    rows = [
        (f"{identity}/{number}.jpg", identity, 12.5, "ok", 0.25, 0.125, 1, 24, [1.5, 2.5])
        for identity in IDENTITIES
        for number in (2, 1)
    ]
    rows.append(("x y/3.jpg", "x y", None, "missing_feature", None, None, 0, 0, None))
    return spark.createDataFrame(rows, schemas.LABELS)


def write(labels, folder, partitioning):
    """Write labels that lie as the job leaves them: in partitions by cluster."""
    clustered = labels.withColumn(schemas.IDENTITY_KEY, F.xxhash64(F.coalesce("identity", "path")))
    write_result(
        clustered.repartition(BUCKETS, schemas.IDENTITY_KEY), schemas.LABELS, str(folder), partitioning, BUCKETS
    )


def write_by_spark(labels, folder, partitioning):
    """Folders an identity as Spark itself writes them, and as `write_result` does on a cluster."""
    labels.write.partitionBy(partitioning).parquet(str(folder))


@pytest.mark.parametrize(
    ("written", "partitioning", "reader"),
    [
        pytest.param(write, "identity", "workers", marks=pytest.mark.lowest_versions),
        (write, "identity", "spark"),
        (write, "bucket", "workers"),
        pytest.param(write, "bucket", "spark", marks=pytest.mark.lowest_versions),
        (write_by_spark, "identity", "workers"),
        pytest.param(write_by_spark, "identity", "spark", marks=pytest.mark.lowest_versions),
    ],
)
def test_labels_come_back_as_they_were(spark, labels, tmp_path, monkeypatch, written, partitioning, reader):
    if reader == "spark":
        monkeypatch.setattr(identity_folders, "_MANY_FILES", 1000)
    written(labels, tmp_path / "out" / "labels", partitioning)
    by_workers = partitioning == "identity" and reader == "workers"
    assert (many_small_files(str(tmp_path / "out" / "labels")) is not None) == by_workers
    for folder in (tmp_path / "out", tmp_path / "out" / "labels"):
        found = read_labels(spark, str(folder))
        assert_df_equality(found, labels, ignore_row_order=True, ignore_nullable=True)
        assert found.columns == schemas.LABELS.names


@pytest.mark.parametrize(
    "name", ["notes.txt", "identity=", "other=1", "identity=x/notes.txt", "identity=x/y/z.parquet"]
)
def test_workers_leave_to_spark_what_else_lies_in_folders(labels, tmp_path, name):
    write(labels, tmp_path / "labels", "identity")
    file = tmp_path / "labels" / name
    assert many_small_files(str(tmp_path / "labels")) is not None
    file.mkdir(parents=True) if name.endswith("=") else file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text("", encoding="utf-8")
    assert many_small_files(str(tmp_path / "labels")) is None


@pytest.mark.lowest_versions
def test_a_damaged_file_among_many_is_named(spark, labels, tmp_path):
    write(labels, tmp_path / "labels", "identity")
    [file] = (tmp_path / "labels" / "identity=x y").iterdir()
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


def test_identity_partitions_are_one_folder_an_identity(spark, labels, tmp_path):
    write(labels, tmp_path / "labels", "identity")
    folders = {path.name for path in tmp_path.glob("labels/identity=*")}
    assert len(folders) == len(IDENTITIES)
    assert "identity=0042" in folders
    assert all(len(list(folder.glob("*.parquet"))) == 1 for folder in tmp_path.glob("labels/identity=0*"))


def test_folders_have_the_names_columns_and_permissions_that_spark_gives_them(spark, labels, tmp_path):
    write(labels, tmp_path / "own", "identity")
    write_by_spark(labels, tmp_path / "spark", "identity")
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("own", "spark")]
    assert names[0] == names[1]
    assert folder_name(None) in names[0]
    files = [sorted((tmp_path / folder / "identity=0042").glob("*.parquet")) for folder in ("own", "spark")]
    own, others = (spark.read.parquet(str(file)).dtypes for [file, *_] in files)
    assert own == others
    permissions = [[path.stat().st_mode for path in (file, file.parent)] for [file, *_] in files]
    assert permissions[0] == permissions[1]


def test_folders_hold_one_file_an_identity_sorted_and_no_other(spark, labels, tmp_path):
    write(labels, tmp_path / "labels", "identity")
    for folder in tmp_path.glob("labels/*=*"):
        files = list(folder.iterdir())
        # Images without identity stay where they are, in any partition.
        assert len(files) == 1 or folder.name == folder_name(None)
        for file in files:
            paths = [
                row.path
                for row in spark.read.parquet(str(file).translate({ord(c): f"\\{c}" for c in "[]{}*?\\"})).collect()
            ]
            assert paths == sorted(paths, key=str.encode)


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


def test_bucket_partitions_hold_whole_identities_sorted(spark, labels, tmp_path):
    write(labels, tmp_path / "labels", "bucket")
    seen = []
    for folder in tmp_path.glob("labels/identity_bucket=*"):
        files = list(folder.glob("*.parquet"))
        assert len(files) == 1
        rows = [(row.identity, row.path) for row in spark.read.parquet(str(files[0])).collect()]
        known = [row for row in rows if row[0] is not None]
        assert known == sorted(known, key=lambda row: (row[0].encode(), row[1].encode()))
        seen += sorted({identity for identity, _ in known})
    assert sorted(seen) == sorted(identity for identity in IDENTITIES if identity)


def test_auto_takes_folders_up_to_1000_identities(labels):
    assert choose_partitioning(labels, 1000, "auto") == "identity"
    assert choose_partitioning(labels, 1001, "auto") == "bucket"
    assert choose_partitioning(labels, 1001, "identity") == "identity"
    assert choose_partitioning(labels, 2, "bucket") == "bucket"


@pytest.mark.parametrize("identity", ["long" * 30, "__HIVE_DEFAULT_PARTITION__", ""])
def test_an_identity_that_no_folder_can_bear_leads_to_buckets(spark, identity):
    table = spark.createDataFrame([("ok",), (identity,)], "identity string")
    assert choose_partitioning(table, 2, "auto") == "bucket"
    with pytest.raises(InputError, match="use bucket"):
        choose_partitioning(table, 2, "identity")


def test_a_folder_without_labels_is_told(spark, tmp_path):
    with pytest.raises(InputError, match="no labels there"):
        read_labels(spark, str(tmp_path))
