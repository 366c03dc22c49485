"""Label sets of any form to be compared: results of the jobs, texts of ``path score``, CSV files."""

import csv
import functools
import operator
from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import check_encoding
from fiqa_spark.methods.results import KINDS, Kind, read_result
from fiqa_spark.runtime.storage import Storage, literal

IS_OF_SET = "is_of_set"
"""Column of `with_identity`: whether the label set itself tells the identity."""
_QUANTITIES = {kind.quality: kind.quantity for kind in KINDS}
# In this order, the first that a CSV file has.
_CSV_QUALITIES = (*_QUANTITIES, schemas.SCORE, schemas.QUALITY)
_HEADER_BYTES = 1 << 16
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
    named = [_name_and_path(entry, storage) for entry in entries]
    path_of: dict[str, str] = {}
    for name, path in named:
        other = path_of.setdefault(name, path)
        if other != path:
            raise InputError(
                f"is named {name!r}, and so is {other}", setting="labels", path=path, remedy="give them as NAME=PATH"
            )
    return [_read(spark, storage, name, path) for name, path in named]


def _name_and_path(entry: str, storage: Storage) -> tuple[str, str]:
    name, sign, path = entry.partition("=")
    if not sign or "/" in name:
        name, path = storage.parent_and_name(entry)[1], entry
    if not name or not path or len(name) > _NAME_LENGTH:
        raise InputError(
            "names no label set",
            setting="labels",
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
    columns = _csv_columns(storage, path)
    labels = _read_csv(spark, storage, name, path, columns) if columns else _read_text(spark, storage, name, path)
    climbing = labels.table.where(keys.climbs(F.col(schemas.PATH))).select(schemas.PATH).head(1)
    if climbing:
        raise InputError(f"path {climbing[0][0]!r} climbs out of its root", path=path, remedy="remove its '..' parts")
    return labels


def _csv_columns(storage: Storage, path: str) -> list[str] | None:
    """The columns of a CSV file, or None for a file whose first line names no path."""
    first = storage.head(path, _HEADER_BYTES).decode("utf-8", "replace").removeprefix("\ufeff").split("\n", 1)[0]
    try:
        columns = next(csv.reader([first.rstrip("\r")]), [])
    except csv.Error:
        return None
    return columns if schemas.PATH in columns and len(columns) > 1 else None


def _read_csv(spark: SparkSession, storage: Storage, name: str, path: str, columns: list[str]) -> LabelSet:
    """A CSV file with the column `path` and a quality, and perhaps `identity` and `status`."""
    quality = next((column for column in _CSV_QUALITIES if column in columns), None)
    if quality is None:
        raise InputError(f"no column {' or '.join(_CSV_QUALITIES)}; it has {', '.join(columns)}", path=path)
    table = read_csv(spark, storage, path, setting="labels")
    known = [column for column in (schemas.PATH, schemas.IDENTITY, schemas.STATUS) if column in columns]
    rows = table.select(*known, F.nullif(F.trim(quality), F.lit("")).alias(schemas.QUALITY))
    return LabelSet(name, path, _QUANTITIES.get(quality, "score"), _with_numbers(rows, path))


def read_csv(spark: SparkSession, storage: Storage, path: str, *, setting: str) -> DataFrame:
    """A UTF-8 CSV file with a header, all of its columns as text; quotes are doubled in quoted fields.

    Raises
    ------
    InputError
        About the setting that names the file, if it is not UTF-8.
    """
    _lines(spark, storage, path, setting)
    options = {"header": "true", "escape": '"', "encoding": "UTF-8"}
    return spark.read.options(**options).csv(literal(storage.qualified(path)))


def _lines(spark: SparkSession, storage: Storage, path: str, setting: str) -> DataFrame:
    """Lines of a file, as `value`, once they are known to be UTF-8; taking them apart would replace what is not."""
    lines = spark.read.option("lineSep", "\n").text(literal(storage.qualified(path)))
    check_encoding(lines.withColumnRenamed("value", schemas.PATH), setting=setting, path=path)
    return lines


def _read_text(spark: SparkSession, storage: Storage, name: str, path: str) -> LabelSet:
    """A path, white space and a score a line; white space in the path stays."""
    lines = _lines(spark, storage, path, "labels")
    lines = lines.where(F.trim(F.regexp_replace("value", r"\r$", "")) != "")
    pattern = r"^(.*\S)\s+(\S+)\s*$"
    columns = [F.regexp_extract("value", pattern, group) for group in (1, 2)]
    odd = lines.where(~F.col("value").rlike(pattern)).head(1)
    if odd:
        raise InputError(f"line {odd[0][0][:100]!r} is no path with a score", path=path, remedy="write 'path score'")
    rows = lines.select(columns[0].alias(schemas.PATH), columns[1].alias(schemas.QUALITY))
    return LabelSet(name, path, "score", _with_numbers(rows, path))


def _with_numbers(rows: DataFrame, path: str) -> DataFrame:
    """Rows whose quality is a number; what is not finite is none."""
    number = F.expr(f"try_cast({schemas.QUALITY} AS double)")
    odd = rows.where(F.col(schemas.QUALITY).isNotNull() & number.isNull()).head(1)
    if odd:
        image, text = odd[0][schemas.PATH], odd[0][schemas.QUALITY]
        raise InputError(
            f"the score of {image!r} is {text[:40]!r}, which is no number", path=path, remedy="write a number"
        )
    finite = ~F.isnan(number) & (F.abs(number) != float("inf"))
    scored = rows.withColumn(schemas.QUALITY, F.when(finite, number))
    unknown = F.when(F.col(schemas.QUALITY).isNotNull(), F.lit(schemas.OK)).otherwise(F.lit(schemas.NO_SCORE))
    for column, value in ((schemas.IDENTITY, F.lit(None).cast("string")), (schemas.STATUS, unknown)):
        if column not in scored.columns:
            scored = scored.withColumn(column, value)
    return scored.where(F.trim(schemas.PATH) != "").select(*schemas.LABEL_SET)
