"""Labels on disk: Parquet, partitioned by identity or by buckets of identities."""

from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.storage import Storage, literal

LABELS_FOLDER = "labels"
SUMMARY_FILE = "summary.json"

_FOLDERS_AT_MOST = 10_000
# Escaping makes at most three bytes of one, and file systems allow 255 in a name.
_IDENTITY_BYTES_AT_MOST = 80


def choose_partitioning(labels, identities, asked):
    """Whether each identity gets a folder of its own.

    Parameters
    ----------
    labels : DataFrame
        Column `identity`.
    identities : int
        Number of identities.
    asked : {'auto', 'identity', 'bucket'}

    Returns
    -------
    str
        ``'identity'`` or ``'bucket'``; ``'auto'`` is ``'identity'`` up to 10,000 identities whose names a folder can
        bear.

    Raises
    ------
    InputError
        If ``'identity'`` was asked for and an identity cannot be the name of a folder.
    """
    if asked == "bucket" or (asked == "auto" and identities > _FOLDERS_AT_MOST):
        return "bucket"
    name = F.col(schemas.IDENTITY)
    unfit = (F.octet_length(name) > _IDENTITY_BYTES_AT_MOST) | (name == "__HIVE_DEFAULT_PARTITION__")
    if labels.sparkSession._jvm.System.getProperty("sun.jnu.encoding") != "UTF-8":
        unfit = unfit | (F.octet_length(name) != F.length(name))
    found = labels.where(unfit).select(name).head(1)
    if not found:
        return "identity"
    if asked == "identity":
        raise InputError(
            f"--partition-by identity: {found[0][0][:100]!r} cannot be the name of a folder here; use bucket"
        )
    return "bucket"


def write_labels(labels, folder, partitioning, buckets):
    """Write labels where they are: nothing is shuffled.

    Parameters
    ----------
    labels : DataFrame
        The columns of `schemas.LABELS`, and `cluster`; all images of an identity lie in one partition, those of several
        identities that share a partition number ``pmod(hash(cluster), buckets)`` too.
    folder : str
        Folder to create.
    partitioning : {'identity', 'bucket'}
    buckets : int
        Number of buckets, where buckets are written.
    """
    if partitioning == "identity":
        column, placed = schemas.IDENTITY, labels.select(*schemas.LABELS.names)
    else:
        # The number that Spark itself gives to the partition of a cluster.
        column, bucket = schemas.IDENTITY_BUCKET, F.pmod(F.hash(schemas.CLUSTER), F.lit(buckets))
        placed = labels.select(*schemas.LABELS.names, bucket.alias(column))
    round_label = f"{schemas.ROUND_LABELS}.list.element"
    all_different = (schemas.PATH, schemas.LABEL, schemas.DISTANCE, schemas.DISTANCE_STD, round_label)
    plain = {f"parquet.enable.dictionary#{name}": "false" for name in all_different}
    in_order = placed.sortWithinPartitions(*dict.fromkeys([column, schemas.IDENTITY, schemas.PATH]))
    in_order.write.options(**plain).partitionBy(column).parquet(folder)


def read_labels(spark, folder):
    """Labels that `generate_labels` wrote, whichever way they are partitioned.

    Parameters
    ----------
    spark : SparkSession
    folder : str
        The destination of the job, or the folder ``labels`` in it.

    Returns
    -------
    DataFrame
        With the schema `schemas.LABELS`; identities are the strings that they were, ``0042`` stays ``0042``.

    Raises
    ------
    InputError
        If there are no labels, or what is there are none.
    """
    found, example = _labels_folder(Storage(spark), folder)
    held = spark.read.parquet(literal(example)).columns
    missing = [name for name in schemas.LABELS.names if name not in (*held, schemas.IDENTITY)]
    if missing:
        raise InputError(
            f"{folder}: no column {missing[0]!r}, it has {', '.join(held)}; give the folder that generate_labels wrote"
        )
    return open_labels(spark, found)


def open_labels(spark, folder):
    """Labels in a folder that is known to hold them."""
    # Without a schema Spark would guess the type of a partition column and make 42 of 0042.
    return spark.read.schema(schemas.LABELS).parquet(literal(folder)).select(*schemas.LABELS.names)


def _labels_folder(storage, path):
    """The folder ``labels`` in the destination of a job, or the folder itself, and a file in it."""
    inner = f"{path.rstrip('/')}/{LABELS_FOLDER}"
    for folder in (inner, path):
        example = storage.first_file(folder, (".parquet",)) if storage.is_folder(folder) else None
        if example:
            return storage.qualified(folder), example
    raise InputError(f"{path}: no labels there; give the folder that generate_labels wrote")
