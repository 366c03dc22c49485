"""Results on disk, a row an image: Parquet, partitioned by identity or by buckets of identities."""

from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, StructType

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.runtime.storage import Storage, literal


class Kind(NamedTuple):
    """A kind of result."""

    folder: str
    """Folder in the destination of the job."""
    schema: StructType
    job: str
    """Name of the job that writes it."""
    quality: str
    """Column with the quality of an image, double, higher is better."""
    quantity: str
    """What that number is called."""
    to_percent: float
    """Factor that brings it to the scale of 0 to 100."""


LABELS = Kind("labels", schemas.LABELS, "generate_labels", schemas.LABEL, "label", 1)
RECOGNIZABILITY = Kind("recognizability", schemas.RECOGNIZABILITY, "score_recognizability", schemas.ERS, "ERS", 100)
KINDS = (LABELS, RECOGNIZABILITY)
"""The results of all methods: whatever is in this list can be evaluated and exported."""

_FOLDERS_AT_MOST = 10_000
# Escaping makes at most three bytes of one, and file systems allow 255 in a name.
_IDENTITY_BYTES_AT_MOST = 80


def choose_partitioning(table: DataFrame, identities: int, asked: str) -> str:
    """Whether each identity gets a folder of its own.

    Parameters
    ----------
    table : DataFrame
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
    if Storage(table.sparkSession).encoding_of_names() != "UTF-8":
        unfit = unfit | (F.octet_length(name) != F.length(name))
    unfit_names = table.where(unfit).select(name).head(1)
    if not unfit_names:
        return "identity"
    if asked == "identity":
        raise InputError(
            f"{unfit_names[0][0][:100]!r} cannot be the name of a folder here",
            setting="partition_by",
            remedy="use bucket",
        )
    return "bucket"


def write_result(table: DataFrame, schema: StructType, folder: str, partitioning: str, buckets: int) -> None:
    """Write a result where its rows are: nothing is shuffled.

    Parameters
    ----------
    table : DataFrame
        The columns of `schema`, and `identity_key`; all images of an identity lie in one partition, those of several
        identities that share a partition number ``pmod(hash(identity_key), buckets)`` too.
    schema : StructType
        With `path` and `identity`.
    folder : str
        Folder to create.
    partitioning : {'identity', 'bucket'}
    buckets : int
        Number of buckets, where buckets are written.
    """
    if partitioning == "identity":
        column, placed = schemas.IDENTITY, table.select(*schema.names)
    else:
        # The number that Spark itself gives to the partition of an identity.
        column, bucket = schemas.IDENTITY_BUCKET, F.pmod(F.hash(schemas.IDENTITY_KEY), F.lit(buckets))
        placed = table.select(*schema.names, bucket.alias(column))
    numbers = [item.name for item in schema if isinstance(item.dataType, DoubleType)]
    lists = [f"{item.name}.list.element" for item in schema if isinstance(item.dataType, ArrayType)]
    all_different = (schemas.PATH, *numbers, *lists)
    plain = {f"parquet.enable.dictionary#{name}": "false" for name in all_different}
    in_order = placed.sortWithinPartitions(*dict.fromkeys([column, schemas.IDENTITY, schemas.PATH]))
    in_order.write.options(**plain).partitionBy(column).parquet(folder)


def read_labels(spark: SparkSession, folder: str) -> DataFrame:
    """Labels that `generate_labels` wrote, whichever way they are partitioned.

    Parameters
    ----------
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
    return read_result(spark, folder, LABELS)[0]


def read_recognizability(spark: SparkSession, folder: str) -> DataFrame:
    """Scores that `score_recognizability` wrote, whichever way they are partitioned.

    Parameters
    ----------
    folder : str
        The destination of the job, or the folder ``recognizability`` in it.

    Returns
    -------
    DataFrame
        With the schema `schemas.RECOGNIZABILITY`; identities are the strings that they were.

    Raises
    ------
    InputError
        If there are no scores, or what is there are none.
    """
    return read_result(spark, folder, RECOGNIZABILITY)[0]


def read_result(spark: SparkSession, folder: str, *kinds: Kind) -> tuple[DataFrame, Kind]:
    """A result of one of several kinds.

    Parameters
    ----------
    folder : str
        The destination of a job, or the folder of the result in it.

    Returns
    -------
    table : DataFrame
    kind : Kind

    Raises
    ------
    InputError
        If there is none, or what is there is something else.
    """
    storage = Storage(spark)
    jobs = " or ".join(kind.job for kind in kinds)
    inner = [f"{folder.rstrip('/')}/{kind.folder}" for kind in kinds]
    for place in (*inner, folder):
        example = storage.first_file(place, (".parquet",)) if storage.is_folder(place) else None
        if example:
            break
    else:
        raise InputError(
            f"no {' and no '.join(kind.folder for kind in kinds)} there",
            path=folder,
            remedy=f"give the folder that {jobs} wrote",
        )
    columns = spark.read.parquet(literal(example)).columns
    missing = [
        next((name for name in kind.schema.names if name not in (*columns, schemas.IDENTITY)), None) for kind in kinds
    ]
    if all(missing):
        raise InputError(
            f"no column {' and no column '.join(map(repr, missing))}, it has {', '.join(columns)}",
            path=folder,
            remedy=f"give the folder that {jobs} wrote",
        )
    kind = kinds[missing.index(None)]
    # Without a schema Spark would guess the type of a partition column and make 42 of 0042.
    table = spark.read.schema(kind.schema).parquet(literal(storage.qualified(place)))
    return table.select(*kind.schema.names), kind
