"""Results on disk, a row an image: Parquet, partitioned by identity or by buckets of identities."""

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.notebook_arguments import given_folder, given_session
from fiqa_spark.inputs.parquet_footers import column_names
from fiqa_spark.methods.identity_folders import (
    NAME_BYTES_AT_MOST,
    NULL_NAME,
    many_small_files,
    read_folders,
)
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.sql_conf import planned_for_few_listings
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
MARGIN_LABELS = LABELS._replace(schema=schemas.MARGIN_LABELS)
RECOGNIZABILITY = Kind("recognizability", schemas.RECOGNIZABILITY, "score_recognizability", schemas.ERS, "ERS", 100)
AUDITED_IMAGES = Kind("images", schemas.AUDITED_IMAGES, "audit_identities", schemas.MEMBERSHIP, "membership", 100)
KINDS = (LABELS, MARGIN_LABELS, RECOGNIZABILITY)
"""The results of all methods: whatever is in this list can be evaluated and exported."""

_FOLDERS_AT_MOST = 1_000


def choose_partitioning(unfit_identity: Callable[[], str | None], identities: int, asked: str) -> str:
    """Whether each identity gets a folder of its own.

    Parameters
    ----------
    unfit_identity : callable
        Returns an identity that no folder can be named after, None if there is none; called where that matters.
    identities : int
        Number of identities.
    asked : {'auto', 'identity', 'bucket'}

    Returns
    -------
    str
        ``'identity'`` or ``'bucket'``; ``'auto'`` is ``'identity'`` up to 1,000 identities whose names a folder can
        bear.

    Raises
    ------
    InputError
        If ``'identity'`` was asked for and an identity cannot be the name of a folder.
    """
    if asked == "bucket" or (asked == "auto" and identities > _FOLDERS_AT_MOST):
        return "bucket"
    unfit = unfit_identity()
    if unfit is None:
        return "identity"
    if asked == "identity":
        raise InputError(
            f"{unfit[:100]!r} cannot be the name of a folder here",
            setting="partition_by",
            remedy="use bucket",
        )
    return "bucket"


def unfit_identity_of(table: DataFrame) -> str | None:
    """One of the identities in a column `identity` that no folder can be named after, None if there is none."""
    name = F.col(schemas.IDENTITY)
    unfit = (F.octet_length(name) > NAME_BYTES_AT_MOST) | name.isin("", NULL_NAME)
    if takes_only_ascii(table.sparkSession):
        unfit = unfit | (F.octet_length(name) != F.length(name))
    found = table.where(unfit).select(name).head(1)
    return found[0][0] if found else None


def takes_only_ascii(spark: SparkSession) -> bool:
    """Whether folders cannot be named after what has other letters than those of ASCII."""
    return Storage(spark).encoding_of_names() != "UTF-8"


def read_labels(spark: SparkSession, folder: str | os.PathLike[str]) -> DataFrame:
    """Labels that `generate_labels` wrote, whichever way they are partitioned.

    Parameters
    ----------
    folder : str or path-like
        The destination of the job, or the folder ``labels`` in it.

    Returns
    -------
    DataFrame
        With the schema `schemas.LABELS` or, of the method ``margin``, `schemas.MARGIN_LABELS`; identities are the
        strings that they were, ``0042`` stays ``0042``.

    Raises
    ------
    InputError
        If there are no labels, or what is there are none.
    """
    return _read_for_notebook(spark, folder, LABELS, MARGIN_LABELS)


def read_recognizability(spark: SparkSession, folder: str | os.PathLike[str]) -> DataFrame:
    """Scores that `score_recognizability` wrote, whichever way they are partitioned.

    Parameters
    ----------
    folder : str or path-like
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
    return _read_for_notebook(spark, folder, RECOGNIZABILITY)


def _read_for_notebook(spark: SparkSession, folder: str | os.PathLike[str], *kinds: Kind) -> DataFrame:
    spark, path = given_session(spark), given_folder(folder)
    with told_to_users():
        return read_result(spark, path, *kinds)[0]


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
    # Several kinds may be of one job, and lie in folders of one name.
    jobs = " or ".join(dict.fromkeys(kind.job for kind in kinds))
    folders = tuple(dict.fromkeys(kind.folder for kind in kinds))
    inner = [f"{folder.rstrip('/')}/{name}" for name in folders]
    for place in (*inner, folder):
        example = next(_files(storage, place), None) if storage.is_folder(place) else None
        if example:
            break
    else:
        raise InputError(
            f"no {' and no '.join(folders)} there",
            path=folder,
            remedy=f"give the folder that {jobs} wrote",
        )
    columns = column_names(storage, example)
    missing = [
        next((name for name in kind.schema.names if name not in (*columns, schemas.IDENTITY)), None) for kind in kinds
    ]
    if all(missing):
        raise InputError(
            f"no column {' and no column '.join(map(repr, dict.fromkeys(missing)))}, it has {', '.join(columns)}",
            path=folder,
            remedy=f"give the folder that {jobs} wrote",
        )
    kind = kinds[missing.index(None)]
    local_folder = storage.seen_by_workers(place)
    files = many_small_files(local_folder) if local_folder else None
    if files:
        return read_folders(spark, files, kind.schema), kind
    # Without a schema Spark would guess the type of a partition column and make 42 of 0042.
    with planned_for_few_listings(spark):
        table = spark.read.schema(kind.schema).parquet(literal(storage.qualified(place)))
    return table.select(*kind.schema.names), kind


def _files(storage: Storage, folder: str) -> Iterator[str]:
    """Parquet files below a folder, without looking at thousands of folders before the first."""
    for name, path, is_folder in storage.entries(folder):
        if name.startswith((".", "_")):
            continue
        if is_folder:
            yield from _files(storage, path)
        elif name.endswith(".parquet"):
            yield path
