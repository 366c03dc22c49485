"""Column names and schemas: the only place where a column's name is spelled out."""

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DoubleType,
    FloatType,
    IntegerType,
    StringType,
    StructField,
    StructType,
)

PATH = "path"
IDENTITY = "identity"
KEY = "key"
FEATURE = "feature"
STATUS = "status"

OK = "ok"
MISSING_FEATURE = "missing_feature"
INVALID_FEATURE = "invalid_feature"
TOO_FEW_IMAGES = "too_few_images"
NO_IDENTITY = "no_identity"
STATUSES = (OK, MISSING_FEATURE, INVALID_FEATURE, TOO_FEW_IMAGES, NO_IDENTITY)

# The feature store: what import_features writes, and what generate_labels makes of .npy files on its way.
PROBLEM = "problem"
FEATURE_STORE = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(FEATURE, BinaryType()),
        StructField(PROBLEM, StringType()),
    ]
)

# Columns that live between the list and the labels.
REPEATS = "repeats"
MATCHED = "matched"
IMAGE_HASH = "image_hash"
IDENTITY_HASH = "identity_hash"
ROW = "row"
ROUND_DISTANCES = "round_distances"

INTRA_COUNT = "intra_count"
INTER_COUNT = "inter_count"
DISTANCES = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(IDENTITY, StringType()),
        StructField(STATUS, StringType(), nullable=False),
        StructField(INTRA_COUNT, IntegerType(), nullable=False),
        StructField(INTER_COUNT, IntegerType(), nullable=False),
        StructField(ROUND_DISTANCES, ArrayType(FloatType(), containsNull=False)),
    ]
)

LABEL = "label"
DISTANCE = "distance"
DISTANCE_STD = "distance_std"
ROUND_LABELS = "round_labels"
LABELS = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(IDENTITY, StringType()),
        StructField(LABEL, DoubleType()),
        StructField(STATUS, StringType(), nullable=False),
        StructField(DISTANCE, DoubleType()),
        StructField(DISTANCE_STD, DoubleType()),
        StructField(INTRA_COUNT, IntegerType(), nullable=False),
        StructField(INTER_COUNT, IntegerType(), nullable=False),
        StructField(ROUND_LABELS, ArrayType(FloatType(), containsNull=False)),
    ]
)

IDENTITY_BUCKET = "identity_bucket"
POSITION = "position"
