"""Label sets of any form to be compared: results of the jobs, texts of ``path score``, CSV files."""

import csv
import functools
import operator
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import check_encoding
from fiqa_spark.methods.results import LABELS, RECOGNIZABILITY, read_result
from fiqa_spark.runtime.storage import literal

_QUANTITIES = {schemas.LABEL: "label", schemas.ERS: "ERS"}
# In this order, the first that a CSV file has.
_CSV_QUALITIES = (schemas.LABEL, schemas.ERS, schemas.SCORE, schemas.QUALITY)
_HEADER_BYTES = 1 << 16
_NAME_LENGTH = 80


class LabelSet(NamedTuple):
    """Quality of images by one way of labelling."""

    name: str
    place: str
    """Where it was read."""
    quantity: str
    """What its numbers are: ``"label"``, ``"ERS"`` or ``"score"``."""
    table: DataFrame
    """`path`, `identity` (null where the set does not tell), `quality` (double, higher is better, null for none) and
    `status`."""


def label_set(name, place, table, column):
    """A result of a job as a label set.

    Parameters
    ----------
    name, place : str
    table : DataFrame
        `path`, `identity`, `status` and the quality.
    column : {'label', 'ers'}
        Column that holds the quality.

    Returns
    -------
    LabelSet
    """
    columns = (schemas.PATH, schemas.IDENTITY, F.col(column).alias(schemas.QUALITY), schemas.STATUS)
    return LabelSet(name, place, _QUANTITIES[column], table.select(*columns))


def quality_columns(count):
    """Names of the columns with the quality in each of several sets that are put together."""
    return [f"{schemas.QUALITY}_{number}" for number in range(count)]


def has_every_label(names):
    """Column of boolean: whether an image has a quality in every set; `names` are those of `quality_columns`."""
    return functools.reduce(operator.and_, [F.col(name).isNotNull() for name in names])


def with_identity(labels, id_key_index):
    """Rows of a label set whose identity comes from the path where the set does not tell it.

    Parameters
    ----------
    labels : LabelSet
    id_key_index : int

    Returns
    -------
    DataFrame
        The columns of ``labels.table``, and `told`: whether the set tells the identity.
    """
    told = F.nullif(schemas.IDENTITY, F.lit(""))
    in_path = keys.identity(F.col(schemas.PATH), id_key_index)
    return labels.table.withColumn("told", told.isNotNull()).withColumn(schemas.IDENTITY, F.coalesce(told, in_path))


def read_label_sets(spark, storage, entries):
    """Label sets in the order in which they were named.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    entries : tuple of str
        ``NAME=PATH`` or ``PATH``, which then names itself by its last part. What stands before the first ``=`` is no
        name if it holds a ``/``.

    Returns
    -------
    list of LabelSet

    Raises
    ------
    InputError
        If something is no label set, or two have one name.
    """
    named = [_name_and_place(entry, storage) for entry in entries]
    for name, place in named:
        others = [other for each, other in named if each == name and other != place]
        if others:
            raise InputError(f"--labels: {place} and {others[0]} are both named {name!r}; give them as NAME=PATH")
    return [_read(spark, storage, name, place) for name, place in named]


def _name_and_place(entry, storage):
    name, sign, place = entry.partition("=")
    if not sign or "/" in name:
        name, place = storage.parent_and_name(entry)[1], entry
    if not name or not place or len(name) > _NAME_LENGTH:
        raise InputError(f"--labels {entry!r}: give NAME=PATH, the name of 1 to {_NAME_LENGTH} characters")
    return name, place


def _read(spark, storage, name, place):
    if not storage.exists(place):
        raise InputError(f"{place}: no such file or folder; give the folder of labels, a text or a CSV file")
    storage.check_no_pipe(place)
    if storage.is_folder(place):
        table, kind = read_result(spark, place, LABELS, RECOGNIZABILITY)
        return label_set(name, place, table, schemas.LABEL if kind is LABELS else schemas.ERS)
    columns = _csv_columns(storage, place)
    read = _read_csv(spark, storage, name, place, columns) if columns else _read_text(spark, storage, name, place)
    climbing = read.table.where(keys.climbs(F.col(schemas.PATH))).select(schemas.PATH).head(1)
    if climbing:
        raise InputError(f"{place}: path {climbing[0][0]!r} climbs out of its root; remove its '..' parts")
    return read


def _csv_columns(storage, place):
    """The columns of a CSV file, or None for a file whose first line names no path."""
    first = storage.head(place, _HEADER_BYTES).decode("utf-8", "replace").removeprefix("\ufeff").split("\n", 1)[0]
    try:
        columns = next(csv.reader([first.rstrip("\r")]), [])
    except csv.Error:
        return None
    return columns if schemas.PATH in columns and len(columns) > 1 else None


def _read_csv(spark, storage, name, place, columns):
    """A CSV file with the column `path` and a quality, and perhaps `identity` and `status`."""
    quality = next((each for each in _CSV_QUALITIES if each in columns), None)
    if quality is None:
        raise InputError(f"{place}: no column {' or '.join(_CSV_QUALITIES)}; it has {', '.join(columns)}")
    table = read_csv(spark, storage, place, "--labels")
    known = [schemas.PATH, *(each for each in (schemas.IDENTITY, schemas.STATUS) if each in columns)]
    rows = table.select(*known, F.nullif(F.trim(quality), F.lit("")).alias(schemas.QUALITY))
    return LabelSet(name, place, _QUANTITIES.get(quality, "score"), _with_numbers(rows, place))


def read_csv(spark, storage, place, flag):
    """A UTF-8 CSV file with a header, all of its columns as text; quotes are doubled in quoted fields.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    place, flag : str
        The file, and the flag that named it, for messages.

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        If it is not UTF-8.
    """
    _lines(spark, storage, place, flag)
    options = {"header": "true", "escape": '"', "encoding": "UTF-8"}
    return spark.read.options(**options).csv(literal(storage.qualified(place)))


def _lines(spark, storage, place, flag):
    """Lines of a file, as `value`, once they are known to be UTF-8; taking them apart would replace what is not."""
    lines = spark.read.option("lineSep", "\n").text(literal(storage.qualified(place)))
    check_encoding(lines.withColumnRenamed("value", schemas.PATH), f"{flag} {place}")
    return lines


def _read_text(spark, storage, name, place):
    """A path, white space and a score a line; white space in the path stays."""
    lines = _lines(spark, storage, place, "--labels")
    lines = lines.where(F.trim(F.regexp_replace("value", r"\r$", "")) != "")
    pattern = r"^(.*\S)\s+(\S+)\s*$"
    path, score = (F.regexp_extract("value", pattern, group) for group in (1, 2))
    odd = lines.where(~F.col("value").rlike(pattern)).head(1)
    if odd:
        raise InputError(f"{place}: line {odd[0][0][:100]!r} is no path with a score; write 'path score'")
    return LabelSet(
        name, place, "score", _with_numbers(lines.select(path.alias("path"), score.alias("quality")), place)
    )


def _with_numbers(rows, place):
    """Rows whose quality is a number; what is not finite is none."""
    number = F.expr(f"try_cast({schemas.QUALITY} AS double)")
    odd = rows.where(F.col(schemas.QUALITY).isNotNull() & number.isNull()).head(1)
    if odd:
        path, text = odd[0][schemas.PATH], odd[0][schemas.QUALITY]
        raise InputError(f"{place}: the score of {path!r} is {text[:40]!r}, which is no number; write a number")
    finite = ~F.isnan(number) & (F.abs(number) != float("inf"))
    scored = rows.withColumn(schemas.QUALITY, F.when(finite, number))
    unknown = F.when(F.col(schemas.QUALITY).isNotNull(), F.lit(schemas.OK)).otherwise(F.lit(schemas.NO_SCORE))
    for column, value in ((schemas.IDENTITY, F.lit(None).cast("string")), (schemas.STATUS, unknown)):
        if column not in scored.columns:
            scored = scored.withColumn(column, value)
    return scored.where(F.trim(schemas.PATH) != "").select(*schemas.LABEL_SET)
