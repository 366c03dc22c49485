"""Features in Parquet, whatever the type of their vectors, to a DataFrame with a key."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, DataType, DoubleType, FloatType, UserDefinedType

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.element_types import as_float32
from fiqa_spark.inputs.feature_files import FoundFiles
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.parquet_columns import FeatureRows, read_feature_columns
from fiqa_spark.inputs.settings import FLOAT32


def read_features(spark: SparkSession, found: FoundFiles) -> FeatureRows:
    """Parquet data set of features, with the columns `path` and `feature`.

    Raises
    ------
    InputError
        If a column is missing or the type of `feature` is none that holds a vector.
    """
    rows = read_feature_columns(spark, found)
    check_columns(rows.table, path=found.path)
    return rows


def check_columns(table: DataFrame, **blame: str) -> None:
    """Raise InputError unless a DataFrame has `path` and a `feature` that holds vectors.

    Parameters
    ----------
    **blame
        Facts for the error: the `setting` or `path` that the table comes from.
    """
    missing = [column for column in (schemas.PATH, schemas.FEATURE) if column not in table.columns]
    if missing:
        text = f"no column {' and no column '.join(map(repr, missing))}; it has {', '.join(table.columns)}"
        raise InputError(text, **blame)
    vector_type = table.schema[schemas.FEATURE].dataType
    is_list = isinstance(vector_type, ArrayType) and isinstance(vector_type.elementType, (FloatType, DoubleType))
    if not (is_list or isinstance(vector_type, BinaryType) or _is_ml_vector(vector_type)):
        raise InputError(
            f"'feature' is {vector_type.simpleString()}",
            remedy="use array<float>, array<double>, an ML vector or float32 binary",
            **blame,
        )


def keyed_features(table: DataFrame, index: int, *roots: str, feature_type: str = FLOAT32) -> Features:
    """Features with their key and a vector that crosses to Python as it is.

    Parameters
    ----------
    table : DataFrame
        `path` and `feature`, of any accepted type. A row without a path ends the job, see `keys.required_path`.
    index : int
        Part of the key by which images and features are brought together, see `keys.identity_key`.
    *roots : str
        Folders that paths may begin with; empty ones are ignored.
    feature_type : str
        Type of the values of features that are bytes, see `element_types.as_float32`.
    """
    if isinstance(table.schema[schemas.FEATURE].dataType, BinaryType):
        table = as_float32(table, feature_type)
    feature = F.col(schemas.FEATURE)
    vector_type = table.schema[schemas.FEATURE].dataType
    if _is_ml_vector(vector_type):
        # Loads a good part of Spark's library for machine learning, which few features need.
        from pyspark.ml.functions import vector_to_array

        feature = F.when(feature.isNotNull(), vector_to_array(feature, "float32"))
    elif isinstance(vector_type, ArrayType) and not isinstance(vector_type.elementType, FloatType):
        feature = feature.cast("array<float>")
    problem = F.col(schemas.PROBLEM) if schemas.PROBLEM in table.columns else F.lit(None).cast("string")
    # A key that is never null spares a join the question, and asking it would compute the key once more.
    key = F.coalesce(schemas.KEY, F.lit(""))
    columns = (
        keys.identity_key(key, index).alias(schemas.IDENTITY_KEY),
        F.xxhash64(key).alias(schemas.KEY_HASH),
        key.alias(schemas.KEY),
        feature.alias(schemas.FEATURE),
        problem.alias(schemas.PROBLEM),
    )
    table = table.withColumn(schemas.PATH, keys.required_path(F.col(schemas.PATH)))
    keyed = keys.with_key(table, *roots)
    return Features(keyed.select(*columns), index)


def _is_ml_vector(vector_type: DataType) -> bool:
    return isinstance(vector_type, UserDefinedType) and vector_type.simpleString() == "vector"
