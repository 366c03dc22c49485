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

# Vectors out of files.
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
# The feature store: a row holds the images of an identity in the order of their hashes, or a piece of a large one, by
# the first bits of the hash. Their vectors stand one after the other; `norms` are those of vectors of whole numbers,
# `lengths` (in values) stand there where vectors differ in length, and `problems` where one has none.
PIECE = "piece"
PIECE_BITS = "piece_bits"
KEYS = "keys"
KEY_HASHES = "key_hashes"
FEATURES = "features"
NORMS = "norms"
LENGTHS = "lengths"
PROBLEMS = "problems"
FEATURE_STORE = StructType(
    [
        StructField(IDENTITY_KEY, LongType(), nullable=False),
        StructField(PIECE, IntegerType(), nullable=False),
        StructField(PIECE_BITS, IntegerType(), nullable=False),
        StructField(KEYS, ArrayType(StringType(), containsNull=False), nullable=False),
        StructField(KEY_HASHES, ArrayType(LongType(), containsNull=False), nullable=False),
        StructField(FEATURES, BinaryType(), nullable=False),
        StructField(NORMS, ArrayType(FloatType(), containsNull=False)),
        StructField(LENGTHS, ArrayType(IntegerType(), containsNull=False)),
        StructField(PROBLEMS, ArrayType(StringType())),
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


def beside_identity_key(result: StructType) -> StructType:
    """The columns of a result, and the number by which its rows lie where those of their identity do."""
    return StructType([*result, StructField(IDENTITY_KEY, LongType(), nullable=False)])


# The distances of all rounds, in the packs that the pass over the features yields.
DISTANCES = "distances"

# Margin labels, and what becomes of an image there.
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
HALF = "half"

# Audit of identities: a row an image, a row an identity, a row for two identities that seem to be one person.
MEMBERSHIP = "membership"
VERDICT = "verdict"
OWN = "own"
OTHER = "other"
UNLIKE = "unlike"
ALONE = "alone"
VERDICTS = (OWN, OTHER, UNLIKE, ALONE)
SUGGESTED_IDENTITY = "suggested_identity"
SUGGESTED_SIMILARITY = "suggested_similarity"
AUDITED_STATUSES = (OK, MISSING_FEATURE, INVALID_FEATURE, NO_IDENTITY)
AUDITED_IMAGES = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(IDENTITY, StringType()),
        StructField(MEMBERSHIP, DoubleType()),
        StructField(VERDICT, StringType()),
        StructField(SUGGESTED_IDENTITY, StringType()),
        StructField(SUGGESTED_SIMILARITY, DoubleType()),
        StructField(STATUS, StringType(), nullable=False),
    ]
)
IMAGES = "images"
TRUSTED_IMAGES = "trusted_images"
EVIDENCE = "evidence"
COHESION = "cohesion"
NEAREST_IDENTITY = "nearest_identity"
NEAREST_SIMILARITY = "nearest_similarity"
MERGED_IDENTITY = "merged_identity"
AUDITED_IDENTITIES = StructType(
    [
        StructField(IDENTITY, StringType(), nullable=False),
        StructField(IMAGES, IntegerType(), nullable=False),
        StructField(TRUSTED_IMAGES, IntegerType(), nullable=False),
        StructField(EVIDENCE, DoubleType(), nullable=False),
        StructField(COHESION, DoubleType()),
        StructField(NEAREST_IDENTITY, StringType()),
        StructField(NEAREST_SIMILARITY, DoubleType()),
        StructField(MERGED_IDENTITY, StringType()),
    ]
)
EVIDENCE_A = "evidence_a"
EVIDENCE_B = "evidence_b"
# What a pass over the features yields for an audit: `embedding` stands in the rows of images to be looked for among
# other identities, `weight` is what an image counts in the centre; the numbers of its identity, and its `centre` where
# there is enough evidence, stand in the row of one image of it, in which `first_of_identity` is 1; `list_rows` sums
# up to the rows of the list, if no key has several features.
EMBEDDING = "embedding"
WEIGHT = "weight"
CENTRE = "centre"
MEMBERS = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(IDENTITY, StringType()),
        StructField(STATUS, StringType(), nullable=False),
        StructField(MEMBERSHIP, DoubleType()),
        StructField(WEIGHT, DoubleType()),
        StructField(EMBEDDING, BinaryType()),
        StructField(IDENTITY_KEY, LongType(), nullable=False),
        StructField(IDENTITY_HASH, LongType(), nullable=False),
        StructField(IMAGE_HASH, LongType(), nullable=False),
        StructField(LIST_ROWS, LongType(), nullable=False),
        StructField(FIRST_OF_IDENTITY, IntegerType(), nullable=False),
        StructField(IMAGES, IntegerType()),
        StructField(TRUSTED_IMAGES, IntegerType()),
        StructField(EVIDENCE, DoubleType()),
        StructField(COHESION, DoubleType()),
        StructField(CENTRE, BinaryType()),
    ]
)
# Vectors that are compared with others by one task, on one side or the other.
SIDE = "side"
OTHER_HASH = "other_hash"

# What is dropped of a selection and why, the first reason that applies.
REASON = "reason"
NOT_IN_LIST = "not_in_list"
NOT_IN_LABELS = "not_in_labels"
NO_LABEL = "no_label"
LEAST_LABEL = "least_label"
NO_ERS = "no_ers"
LEAST_ERS = "least_ers"
PER_IDENTITY_MOST = "per_identity_most"
MOST = "most"
PER_IDENTITY_LEAST = "per_identity_least"
PATH_HASH = "path_hash"
DROPPED_VERDICTS = (OTHER, UNLIKE, ALONE, OWN)
UNUSABLE_STATUSES = (MISSING_FEATURE, INVALID_FEATURE, NO_IDENTITY)
REASONS = (
    *(NOT_IN_LIST, NOT_IN_LABELS, *UNUSABLE_STATUSES, *DROPPED_VERDICTS),
    *(NO_LABEL, LEAST_LABEL, NO_ERS, LEAST_ERS, PER_IDENTITY_MOST, MOST, PER_IDENTITY_LEAST),
)
SELECTED_IDENTITY = "selected_identity"
DROPPED = StructType(
    [
        StructField(PATH, StringType(), nullable=False),
        StructField(IDENTITY, StringType()),
        StructField(REASON, StringType(), nullable=False),
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
RECOGNIZABLE_IMAGES = "recognizable_images"
TEMPLATES = StructType(
    [
        StructField(IDENTITY, StringType(), nullable=False),
        StructField(TEMPLATE, ArrayType(FloatType(), containsNull=False)),
        StructField(IMAGES, IntegerType(), nullable=False),
        StructField(RECOGNIZABLE_IMAGES, IntegerType(), nullable=False),
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
# Number of the group of an image, or of both images of a pair.
GROUP = "group_number"
PATH_A = "path_a"
PATH_B = "path_b"
KEY_A = "key_a"
KEY_B = "key_b"
IMAGE_HASH_A = "image_hash_a"
IMAGE_HASH_B = "image_hash_b"
IDENTITY_A = "identity_a"
IDENTITY_B = "identity_b"
SIMILARITY = "similarity"
IDENTITY_PAIRS = StructType(
    [
        StructField(IDENTITY_A, StringType(), nullable=False),
        StructField(IDENTITY_B, StringType(), nullable=False),
        StructField(SIMILARITY, DoubleType(), nullable=False),
        StructField(EVIDENCE_A, DoubleType(), nullable=False),
        StructField(EVIDENCE_B, DoubleType(), nullable=False),
        StructField(MERGED_IDENTITY, StringType(), nullable=False),
    ]
)
