"""Label sets of any form to be compared: results of the jobs, and files of scores."""

import functools
import operator
from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.label_files import read_label_file
from fiqa_spark.inputs import keys
from fiqa_spark.methods.results import KINDS, Kind, read_result
from fiqa_spark.runtime.storage import Storage

IS_OF_SET = "is_of_set"
"""Column of `with_identity`: whether the label set itself tells the identity."""
SCALES = {"label": (0.0, 100.0), "ERS": (0.0, 1.0)}
"""Quantity to its lowest and highest value; other scores have a scale of their own."""
_NAME_LENGTH = 80


class LabelSet(NamedTuple):
    """Quality of images by one way of labelling."""

    name: str
    path: str
    """File or folder that it was read from."""
    quantity: str
    """What its numbers are: ``"label"``, ``"ERS"`` or ``"score"``."""
    table: DataFrame
    """`path`, `identity` (null where the set does not tell), `quality` (double, higher is better, null for none) and
    `status`."""


def label_set(name: str, path: str, table: DataFrame, kind: Kind) -> LabelSet:
    """A result of a job as a label set.

    Parameters
    ----------
    name : str
        What the set is called.
    path : str
        Folder that holds the result.
    table : DataFrame
        `path`, `identity`, `status` and the quality.
    kind : Kind
        What result it is.
    """
    columns = (schemas.PATH, schemas.IDENTITY, F.col(kind.quality).alias(schemas.QUALITY), schemas.STATUS)
    return LabelSet(name, path, kind.quantity, table.select(*columns))


def without_predicted(labels: LabelSet) -> LabelSet:
    """The same set, in which images without mates have no quality."""
    quality = F.when(F.col(schemas.STATUS) != schemas.PREDICTED, F.col(schemas.QUALITY))
    return labels._replace(table=labels.table.withColumn(schemas.QUALITY, quality))


def quality_columns(count: int) -> list[str]:
    """Names of the columns with the quality in each of several sets that are put together."""
    return [f"{schemas.QUALITY}_{number}" for number in range(count)]


def has_every_label(names: Sequence[str]) -> Column:
    """Column of boolean: whether an image has a quality in every set; `names` are those of `quality_columns`."""
    return functools.reduce(operator.and_, [F.col(name).isNotNull() for name in names])


def with_identity(labels: LabelSet, id_key_index: int) -> DataFrame:
    """Rows of a label set whose identity comes from the path where the set does not tell it.

    Returns
    -------
    DataFrame
        The columns of ``labels.table``, and `is_of_set`: whether the identity is that of the set.
    """
    # Spark 3.5.0 asks for the type of the first argument of nullif before it knows the column.
    of_set = F.when(F.col(schemas.IDENTITY) != "", F.col(schemas.IDENTITY))
    of_path = keys.identity(F.col(schemas.PATH), id_key_index)
    return labels.table.withColumn(IS_OF_SET, of_set.isNotNull()).withColumn(
        schemas.IDENTITY, F.coalesce(of_set, of_path)
    )


def read_label_sets(spark: SparkSession, storage: Storage, entries: tuple[str, ...]) -> list[LabelSet]:
    """Label sets in the order in which they were named.

    Parameters
    ----------
    storage : Storage
        Where they lie.
    entries : tuple of str
        ``NAME=PATH`` or ``PATH``, which then names itself by its last part. What stands before the first ``=`` is no
        name if it holds a ``/``.

    Raises
    ------
    InputError
        If something is no label set, or two have one name.
    """
    named = named_paths(storage, entries, setting="labels", what="label set")
    return [_read(spark, storage, name, path) for name, path in named]


def named_paths(storage: Storage, entries: Sequence[str], *, setting: str, what: str) -> list[tuple[str, str]]:
    """Names and paths out of entries, ``NAME=PATH`` or ``PATH``; see `read_label_sets`.

    Parameters
    ----------
    setting : str
        That the entries are the value of.
    what : str
        What an entry names.

    Raises
    ------
    InputError
        If an entry names nothing, or two paths have one name.
    """
    named = [_name_and_path(entry, storage, setting, what) for entry in entries]
    path_of: dict[str, str] = {}
    for name, path in named:
        other = path_of.setdefault(name, path)
        if other != path:
            raise InputError(
                f"is named {name!r}, and so is {other}", setting=setting, path=path, remedy="give them as NAME=PATH"
            )
    return named


def _name_and_path(entry: str, storage: Storage, setting: str, what: str) -> tuple[str, str]:
    name, sign, path = entry.partition("=")
    if not sign or "/" in name:
        name, path = storage.parent_and_name(entry)[1], entry
    if not name or not path or len(name) > _NAME_LENGTH:
        raise InputError(
            f"names no {what}",
            setting=setting,
            value=entry,
            remedy=f"give NAME=PATH, the name of 1 to {_NAME_LENGTH} characters",
        )
    return name, path


def _read(spark: SparkSession, storage: Storage, name: str, path: str) -> LabelSet:
    if not storage.exists(path):
        raise InputError("no such file or folder", path=path, remedy="give the folder of labels, a text or a CSV file")
    storage.check_no_pipe(path)
    if storage.is_folder(path):
        return label_set(name, path, *read_result(spark, path, *KINDS))
    return LabelSet(name, path, *read_label_file(spark, storage, path))
