"""What a notebook hands to a public function: checked, and brought to the form in which the jobs read it from disk."""

import os
from collections.abc import Iterable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, CharType, NullType, StringType, VarcharType

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.settings import FLOAT32, INT16
from fiqa_spark.inputs.stored_vectors import image_rows

_IMAGES, _FEATURES = "image_list_file", "feature_root"
_TEXT = (StringType, CharType, VarcharType, BinaryType, NullType)
_BY_HAND = {
    _IMAGES: "spark.createDataFrame([(path,) for path in paths], 'path string')",
    _FEATURES: "spark.createDataFrame(rows, 'path string, feature array<float>')",
    "labels": "generate_labels(images, features, settings)",
    "recognizability": "score_recognizability(images, features, settings)",
    "audit": "audit_identities(images, features, settings)",
}
_FROM_FILES = {
    _IMAGES: "spark.read.text(file).toDF('path')",
    _FEATURES: "spark.read.parquet(folder)",
    "labels": "read_labels(spark, folder)",
    "recognizability": "read_recognizability(spark, folder)",
    "audit": "read_audit(spark, folder)",
}
# By the beginning of the name of the module that their class stands in.
_OTHER_FRAMES = {
    "pyspark.sql.connect.": ("of Spark Connect, which is not supported", "take it from a classic session"),
    "pyspark.pandas.": ("of pandas on Spark", "give frame.to_spark()"),
    "pandas.": ("of pandas", "give spark.createDataFrame(frame)"),
    "pyarrow.": ("of Arrow", "give spark.createDataFrame(table.to_pandas())"),
    "polars.": ("of Polars", "give spark.createDataFrame(frame.to_pandas())"),
}


def given_images(images: DataFrame) -> DataFrame:
    """Images of a notebook, with the columns that an image list has.

    Parameters
    ----------
    images : DataFrame
        Column `path`, and perhaps `identity`.

    Returns
    -------
    DataFrame
        `path` as text, null where it is blank too, and `identity` as text if there is one.

    Raises
    ------
    InputError
        If it is no DataFrame of Spark, a column is missing or there twice, or holds no text.
    """
    _check_frame(images, _IMAGES)
    path = _path(images, _IMAGES)
    columns = [F.when(F.trim(path) != "", path).alias(schemas.PATH)]
    if _has_column(images, schemas.IDENTITY, _IMAGES):
        columns.append(keys.identity_as_text(images, setting=_IMAGES).alias(schemas.IDENTITY))
    return images.select(*columns)


def given_features(features: DataFrame) -> DataFrame:
    """Features of a notebook.

    Returns
    -------
    DataFrame
        `path` as text, `feature`, and `problem` if they come from a feature store.

    Raises
    ------
    InputError
        If it is no DataFrame of Spark, a column is missing or there twice, or `path` holds no text.
    """
    _check_frame(features, _FEATURES)
    if set(schemas.FEATURE_STORE.names) <= set(features.columns):
        return _images_of_store(features)
    path = _path(features, _FEATURES)
    _require_column(features, schemas.FEATURE, _FEATURES)
    return features.select(path.alias(schemas.PATH), schemas.FEATURE)


def _images_of_store(rows: DataFrame) -> DataFrame:
    """A row an image of a feature store that a notebook has read as Parquet."""
    first = rows.select(F.col(schemas.NORMS).isNotNull()).head(1)
    images = image_rows(rows.select(*schemas.FEATURE_STORE.names), INT16 if first and first[0][0] else FLOAT32)
    return images.select(F.col(schemas.KEY).alias(schemas.PATH), schemas.FEATURE, schemas.PROBLEM)


def given_result(table: DataFrame, setting: str, columns: Iterable[str]) -> DataFrame:
    """A result of this package, as a notebook has it.

    Parameters
    ----------
    setting : str
        ``labels``, ``recognizability`` or ``audit``.
    columns : iterable of str
        Those that it must have.

    Returns
    -------
    DataFrame
        These columns alone.

    Raises
    ------
    InputError
        If it is no DataFrame of Spark, or a column is missing or there twice.
    """
    names = list(columns)
    _check_frame(table, setting)
    for name in names:
        _require_column(table, name, setting)
    return table.select(*names)


def given_session(spark: SparkSession) -> SparkSession:
    """The same session; InputError if it is none."""
    if not isinstance(spark, SparkSession):
        raise InputError(f"is {_in_words(spark)}", setting="spark", remedy="give the SparkSession first")
    return spark


def given_folder(folder: str | os.PathLike[str]) -> str:
    """The path of a folder as text; InputError if it is none."""
    path = os.fspath(folder) if isinstance(folder, os.PathLike) else folder
    if not isinstance(path, str) or not path.strip():
        raise InputError(f"is {_in_words(path)}", setting="folder", remedy="give the path of a folder")
    return str(path)


def _check_frame(given: Any, setting: str) -> None:
    """Raise InputError unless it is a DataFrame of a classic Spark session, with the way to make one of it."""
    # Spark 4 has one class above those of both kinds of session, of which one alone lives in Java.
    if isinstance(given, DataFrame) and hasattr(given, "_jdf"):
        if given.isStreaming:
            raise InputError("is a stream, which has no end", setting=setting, remedy="give what it has written")
        return
    module, kind = f"{type(given).__module__}.", type(given).__name__
    if isinstance(given, (str, os.PathLike)):
        text, remedy = "is a path, not a DataFrame", f"give {_FROM_FILES[setting]}"
        raise InputError(text, setting=setting, path=os.fspath(given), remedy=remedy)
    for beginning, (whose, remedy) in _OTHER_FRAMES.items():
        if module.startswith(beginning):
            raise InputError(f"is a {kind} {whose}, not a Spark DataFrame", setting=setting, remedy=remedy)
    text = f"is {_in_words(given)}, not a Spark DataFrame"
    raise InputError(text, setting=setting, remedy=f"give one, such as {_BY_HAND[setting]}")


def _in_words(given: Any) -> str:
    """What was given, without all that it may hold."""
    is_short = given is None or isinstance(given, (str, bytes, int, float))
    return repr(given)[:80] if is_short else f"a {type(given).__name__}"


def _path(table: DataFrame, setting: str) -> Any:
    """The column `path` as text."""
    _require_column(table, schemas.PATH, setting)
    kind = table.schema[schemas.PATH].dataType
    if not isinstance(kind, _TEXT):
        text, remedy = f"'path' is {kind.simpleString()}", "give paths as text, as the image list has them"
        raise InputError(text, setting=setting, remedy=remedy)
    return F.col(schemas.PATH).cast("string")


def _require_column(table: DataFrame, name: str, setting: str) -> None:
    if not _has_column(table, name, setting):
        columns = ", ".join(table.columns) or "none"
        raise InputError(f"no column {name!r}; it has {columns}", setting=setting, remedy="name it so")


def _has_column(table: DataFrame, name: str, setting: str) -> bool:
    """Whether a DataFrame has a column; InputError if it has two, or one whose name differs by case alone."""
    alike = [column for column in table.columns if column.lower() == name]
    count = alike.count(name)
    if count > 1 or (len(alike) > 1 and (count == 0 or not _tells_case(table))):
        shown = " and ".join(map(repr, alike))
        text, remedy = f"has the columns {shown}, and which one is meant cannot be told", "keep one of them"
        raise InputError(text, setting=setting, remedy=remedy)
    if alike and not count:
        remedy = f"rename it, withColumnRenamed({alike[0]!r}, {name!r})"
        raise InputError(f"no column {name!r}, but {alike[0]!r}", setting=setting, remedy=remedy)
    return count == 1


def _tells_case(table: DataFrame) -> bool:
    """Whether names that differ by case alone are two names for Spark."""
    return table.sparkSession.conf.get("spark.sql.caseSensitive") == "true"
