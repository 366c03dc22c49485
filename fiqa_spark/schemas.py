"""Column names and schemas: the only place where a column's name is spelled out."""

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
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
PREDICTED = "predicted"
STATUSES = (OK, MISSING_FEATURE, INVALID_FEATURE, TOO_FEW_IMAGES, NO_IDENTITY)

# Vectors out of files, and the feature store that is made of them: rows of an identity lie together.
PROBLEM = "problem"
IDENTITY_KEY = "identity_key"
KEY_HASH = "key_hash"
VECTORS = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(FEATURE, BinaryType()),
        StructField(PROBLEM, StringType()),
    ]
)
FEATURE_STORE = StructType(
    [
        StructField(IDENTITY_KEY, LongType(), nullable=False),
        StructField(KEY_HASH, LongType(), nullable=False),
        *VECTORS,
    ]
)

# Columns that live between the list and the labels.
LIST_ROWS = "list_rows"
MATCHED = "matched"
IMAGE_HASH = "image_hash"
IDENTITY_HASH = "identity_hash"
ROW = "row"
INTRA_COUNT = "intra_count"
INTER_COUNT = "inter_count"
FIRST_OF_IDENTITY = "first_of_identity"
INTRA_TRUNCATED = "intra_truncated"
BEYOND_RANGE = "beyond_range"

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


def round_distance(number: int) -> str:
    """Column with the distances of a round, counted from 0."""
    return f"distance_{number + 1}"


def distances(rounds: int) -> StructType:
    """Schema of what a pass over the features yields: a row an image, a column a round.

    `list_rows` sums up to the rows of the list, if no key has several features; `first_of_identity` is 1 for one image
    of each identity; `intra_truncated` is 1 for an image whose identity has more images than the exact estimator
    compares it with. The distances are null unless the status is ``ok``.
    """
    return StructType(
        [
            *(LABELS[name] for name in (PATH, IDENTITY, STATUS, INTRA_COUNT, INTER_COUNT, DISTANCE, DISTANCE_STD)),
            StructField(IDENTITY_KEY, LongType(), nullable=False),
            StructField(LIST_ROWS, LongType(), nullable=False),
            StructField(FIRST_OF_IDENTITY, IntegerType(), nullable=False),
            StructField(INTRA_TRUNCATED, IntegerType(), nullable=False),
            *(StructField(round_distance(number), FloatType()) for number in range(rounds)),
        ]
    )


# Margin labels, what becomes of an image there, and what the pass over the features knows beside.
MARGIN = "margin"
MARGIN_STD = "margin_std"
PRIOR = "prior"
MATES = "mates"
STRANGER_SIMILARITY = "stranger_similarity"
MARGIN_STATUSES = (OK, PREDICTED, MISSING_FEATURE, INVALID_FEATURE)
MARGIN_LABELS = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(IDENTITY, StringType()),
        StructField(LABEL, DoubleType()),
        StructField(STATUS, StringType(), nullable=False),
        StructField(MARGIN, DoubleType()),
        StructField(MARGIN_STD, DoubleType()),
        StructField(PRIOR, DoubleType()),
        StructField(MATES, IntegerType(), nullable=False),
        StructField(STRANGER_SIMILARITY, DoubleType()),
    ]
)
FOLD = "fold"
MATE_GROUP = "mate_group"
# What the pass yields: `list_rows` and `first_of_identity` are as in `distances`; `intra_truncated` is 1 for an image
# that has more mates than count.
MARGINS = StructType(
    [
        *MARGIN_LABELS,
        StructField(IDENTITY_KEY, LongType(), nullable=False),
        StructField(LIST_ROWS, LongType(), nullable=False),
        StructField(FIRST_OF_IDENTITY, IntegerType(), nullable=False),
        StructField(INTRA_TRUNCATED, IntegerType(), nullable=False),
    ]
)

# Label or ERS on the one scale, 0 to 100, that readers of text know.
SCORE = "score"

ERS = "ers"
RECOGNIZABLE = "recognizable"
OTHER_LENGTH = "other_length"
RECOGNIZABILITY = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(IDENTITY, StringType()),
        StructField(ERS, DoubleType()),
        StructField(RECOGNIZABLE, BooleanType()),
        StructField(STATUS, StringType(), nullable=False),
    ]
)

TEMPLATE = "template"
IMAGES = "images"
RECOGNIZABLE_IMAGES = "recognizable_images"
TEMPLATES = StructType(
    [
        StructField(IDENTITY, StringType(), nullable=False),
        StructField(TEMPLATE, ArrayType(FloatType(), containsNull=False)),
        StructField(IMAGES, IntegerType(), nullable=False),
        StructField(RECOGNIZABLE_IMAGES, IntegerType(), nullable=False),
    ]
)

# What a pass over the features yields for the scores: `template` and the numbers beside it stand in the row of one
# image of each identity, in which `first_of_identity` is 1; `list_rows` is as in `distances`; `other_length` is 1 for a
# feature that has not the length of the centroid.
SCORES = StructType(
    [
        *RECOGNIZABILITY,
        StructField(IDENTITY_KEY, LongType(), nullable=False),
        StructField(LIST_ROWS, LongType(), nullable=False),
        StructField(FIRST_OF_IDENTITY, IntegerType(), nullable=False),
        StructField(OTHER_LENGTH, IntegerType(), nullable=False),
        *(StructField(name, TEMPLATES[name].dataType) for name in (TEMPLATE, IMAGES, RECOGNIZABLE_IMAGES)),
    ]
)

IDENTITY_BUCKET = "identity_bucket"
POSITION = "position"

# Label sets to be compared, and the pairs of images that they are compared by.
QUALITY = "quality"
NO_SCORE = "no_score"
LABEL_SET = (PATH, IDENTITY, QUALITY, STATUS)
NUMBER = "number"
SAME = "same"
PATH_A = "path_a"
PATH_B = "path_b"
KEY_A = "key_a"
KEY_B = "key_b"
IDENTITY_A = "identity_a"
IDENTITY_B = "identity_b"
SIMILARITY = "similarity"
