import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from fiqa_spark import read_labels, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.methods.results import choose_partitioning, write_result

pytestmark = pytest.mark.lowest_versions

BUCKETS = 5
IDENTITIES = ["0042", "42", "1e3", "2020-01-01", "true", "null", "a=b", "a:b", "x y", "é漢", "%41", "Jo'el", None]


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


@pytest.mark.parametrize("partitioning", ["identity", "bucket"])
def test_labels_come_back_as_they_were(spark, labels, tmp_path, partitioning):
    write(labels, tmp_path / "out" / "labels", partitioning)
    for folder in (tmp_path / "out", tmp_path / "out" / "labels"):
        found = read_labels(spark, str(folder))
        assert_df_equality(found, labels, ignore_row_order=True, ignore_nullable=True)
        assert found.columns == schemas.LABELS.names


def test_identity_partitions_are_one_folder_an_identity(spark, labels, tmp_path):
    write(labels, tmp_path / "labels", "identity")
    folders = {path.name for path in tmp_path.glob("labels/identity=*")}
    assert len(folders) == len(IDENTITIES)
    assert "identity=0042" in folders
    assert all(len(list(folder.glob("*.parquet"))) == 1 for folder in tmp_path.glob("labels/identity=0*"))


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


def test_auto_takes_folders_up_to_10000_identities(labels):
    assert choose_partitioning(labels, 10_000, "auto") == "identity"
    assert choose_partitioning(labels, 10_001, "auto") == "bucket"
    assert choose_partitioning(labels, 10_001, "identity") == "identity"
    assert choose_partitioning(labels, 2, "bucket") == "bucket"


@pytest.mark.parametrize("identity", ["long" * 30, "__HIVE_DEFAULT_PARTITION__"])
def test_an_identity_that_no_folder_can_bear_leads_to_buckets(spark, identity):
    table = spark.createDataFrame([("ok",), (identity,)], "identity string")
    assert choose_partitioning(table, 2, "auto") == "bucket"
    with pytest.raises(InputError, match="use bucket"):
        choose_partitioning(table, 2, "identity")


def test_a_folder_without_labels_is_told(spark, tmp_path):
    with pytest.raises(InputError, match="no labels there"):
        read_labels(spark, str(tmp_path))
