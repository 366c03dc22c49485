"""Features in Parquet, whatever the type of their vectors, to a DataFrame with a key."""

from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, DoubleType, FloatType

from fiqa_spark import keys, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.storage import literal
from fiqa_spark.vectors import with_binary_vectors


def read_features(spark, storage, path):
    """Parquet data set of features.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    path : str
        Data set with the columns `path` and `feature`.

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        If a column is missing or the type of `feature` is none that holds a vector.
    """
    # Folders below are part of it, whatever their names; files that are no Parquet are not.
    options = {"recursiveFileLookup": "true", "pathGlobFilter": "*.parquet"} if storage.is_folder(path) else {}
    table = spark.read.options(**options).parquet(literal(storage.qualified(path)))
    check_columns(table, path)
    return table


def check_columns(table, where):
    """Raise InputError unless a DataFrame has `path` and a `feature` that holds vectors."""
    missing = [column for column in (schemas.PATH, schemas.FEATURE) if column not in table.columns]
    if missing:
        raise InputError(
            f"{where}: no column {' and no column '.join(map(repr, missing))}; it has {', '.join(table.columns)}"
        )
    held = table.schema[schemas.FEATURE].dataType
    is_list = isinstance(held, ArrayType) and isinstance(held.elementType, (FloatType, DoubleType))
    if not (is_list or isinstance(held, (BinaryType, VectorUDT))):
        raise InputError(
            f"{where}: 'feature' is {held.simpleString()}; "
            "use array<float>, array<double>, an ML vector or float32 binary"
        )


def keyed_features(table, *roots):
    """Features with their key and a vector that crosses to Python as it is.

    Parameters
    ----------
    table : DataFrame
        `path` and `feature`, of any accepted type.
    *roots : str
        Folders that paths may begin with; empty ones are ignored.

    Returns
    -------
    DataFrame
        `key`, `feature` (array<float> or little-endian float32 binary), `problem` (why a feature has no vector).
    """
    feature = F.col(schemas.FEATURE)
    held = table.schema[schemas.FEATURE].dataType
    if isinstance(held, VectorUDT):
        feature = F.when(feature.isNotNull(), vector_to_array(feature, "float32"))
    elif isinstance(held, ArrayType):
        feature = feature.cast("array<float>")
    problem = F.col(schemas.PROBLEM) if schemas.PROBLEM in table.columns else F.lit(None).cast("string")
    return table.select(
        keys.key(F.col(schemas.PATH), *roots).alias(schemas.KEY),
        feature.alias(schemas.FEATURE),
        problem.alias(schemas.PROBLEM),
    )


def as_store(features):
    """Features in the form of the feature store.

    Parameters
    ----------
    features : DataFrame
        From `keyed_features`.

    Returns
    -------
    DataFrame
        With the schema `schemas.FEATURE_STORE`.
    """
    return with_binary_vectors(
        features.select(F.col(schemas.KEY).alias(schemas.PATH), schemas.FEATURE, schemas.PROBLEM)
    )
