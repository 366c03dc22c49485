"""The similarity of every pair: vectors meet at the first image of the pair, and only numbers leave the executors."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.evaluation.settings import MIN, PRODUCT, EvaluationSettings
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.features import Features, vector_length
from fiqa_spark.inputs.vectors import partitions_for, stack_vectors, vector_lengths
from fiqa_spark.kernels.edc import pair_similarities
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.matching.join import check_any_match, join_features, repeated_key
from fiqa_spark.runtime.driver_memory import free_bytes
from fiqa_spark.runtime.frames_by_arrow import collected
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.workers import in_worker

# What a pair takes in the driver, what each of its qualities does, and how often the numbers are there at once, copies
# included.
_PAIR_BYTES, _QUALITY_BYTES, _COPIES = 64, 16, 3
# What it takes on its way there, and what a quality or a lower label does there as well as here.
_RESULT_BYTES, _LABEL_BYTES = 44, 8
_GROUP_BYTES = 4
NO_GROUP = -1
"""Instead of the number of a group."""
# The images of so many pairs are a small table, which every executor can hold to leave other features alone.
_FILTERED_AT_MOST = 4_000_000
# Fewer pairs are not worth the start of a task.
_PARTITIONS_AT_LEAST, _PAIRS_A_PARTITION = 2, 2048
_FEATURE_A, _FEATURE_B = "feature_a", "feature_b"
_BOTH_MATCHED = "both_matched"
_MISSING, _INVALID = "missing_feature", "invalid_feature"


class ComparedPairs(NamedTuple):
    """Pairs of images with their similarity, one an element."""

    similarities: np.ndarray
    """float64, shape (pairs,)."""
    mated: np.ndarray
    """bool."""
    identities: tuple[np.ndarray, np.ndarray]
    """Hash of the identity of either image, two arrays of int64."""
    images: tuple[np.ndarray, np.ndarray]
    """`image_hash` of either image, two arrays of int64."""
    qualities: tuple[np.ndarray, ...]
    """Quality of the pair by the labels of its two images, an array of float64 a label set."""
    lower: tuple[np.ndarray, ...]
    """Lower label of the two; the very arrays of `qualities` where those are the same."""
    groups: np.ndarray | None = None
    """Number of the group of both images, int32; -1 where they are of two or one has none. None without groups."""


class ManyPairs:
    """Pairs of so many images that Spark brings them together with their features.

    Parameters
    ----------
    pairs : DataFrame
        As for `flat_pairs`.
    quality_columns : list of str
        From `label_sets.quality_columns`.
    pair_quality : str
        As of `EvaluationSettings`.
    """

    def __init__(self, pairs: DataFrame, quality_columns: list[str], pair_quality: str) -> None:
        self._pairs, self._names = flat_pairs(pairs, quality_columns, pair_quality), quality_columns
        self._pairs.persist(StorageLevel.MEMORY_AND_DISK)
        self.counts: dict[bool, int] = dict(self._pairs.groupBy(schemas.SAME).count().collect())
        """Number of pairs that are mated (True) and that are not; without those of which there are none."""
        self.images = images_of(self._pairs)
        """The distinct images of the pairs, `path` and `key`."""

    def compared(self, features: Features) -> tuple[ComparedPairs, dict[str, int]]:
        """What `compared_pairs` gives for these pairs, for features of any model after another."""
        return compared_pairs(self._pairs, features, self._names, sum(self.counts.values()))


def flat_pairs(pairs: DataFrame, quality_columns: list[str], pair_quality: str) -> DataFrame:
    """Pairs with the numbers that are compared, out of structs of images.

    Parameters
    ----------
    pairs : DataFrame
        `same`, and structs `a` and `b` with `path`, `key`, `identity_hash`, `image_hash`, the labels and, where groups
        are wanted, `group_number` (null for none).
    quality_columns : list of str
        From `label_sets.quality_columns`.
    pair_quality : str
        As of `EvaluationSettings`.

    Returns
    -------
    DataFrame
        `same`, `path_a`, `key_a`, `identity_a` (hash), `image_hash_a`, the same of b, the quality of the pair in each
        set, `lower_<quality>` beside it unless that is the lower label, and `group_number` of both, -1 for none.
    """
    a, b = F.col("a"), F.col("b")
    lower = [] if pair_quality == MIN else [F.least(a[name], b[name]).alias(_lower(name)) for name in quality_columns]
    grouped = schemas.GROUP in pairs.select("a.*").columns
    group = F.when(a[schemas.GROUP] == b[schemas.GROUP], a[schemas.GROUP]).otherwise(NO_GROUP)
    return pairs.select(
        schemas.SAME,
        a[schemas.PATH].alias(schemas.PATH_A),
        b[schemas.PATH].alias(schemas.PATH_B),
        a[schemas.KEY].alias(schemas.KEY_A),
        b[schemas.KEY].alias(schemas.KEY_B),
        a[schemas.IDENTITY_HASH].alias(schemas.IDENTITY_A),
        b[schemas.IDENTITY_HASH].alias(schemas.IDENTITY_B),
        a[schemas.IMAGE_HASH].alias(schemas.IMAGE_HASH_A),
        b[schemas.IMAGE_HASH].alias(schemas.IMAGE_HASH_B),
        *[_quality(a[name], b[name], pair_quality).alias(name) for name in quality_columns],
        *lower,
        *([group.cast("int").alias(schemas.GROUP)] if grouped else []),
    )


def _quality(a: Column, b: Column, pair_quality: str) -> Column:
    """Quality of a pair by two labels, as from `kernels.pair_qualities`."""
    by_name = {MIN: F.least(a, b), "max": F.greatest(a, b), "mean": (a + b) / 2, PRODUCT: a * b}
    return by_name[pair_quality]


def _lower(name: str) -> str:
    """Column with the lower label, beside the quality column of such a name."""
    return f"lower_{name}"


def images_of(pairs: DataFrame) -> DataFrame:
    """The distinct images of pairs, `path` and `key`."""
    sides = [
        pairs.select(F.col(path).alias(schemas.PATH), F.col(key).alias(schemas.KEY))
        for path, key in ((schemas.PATH_A, schemas.KEY_A), (schemas.PATH_B, schemas.KEY_B))
    ]
    return sides[0].union(sides[1]).dropDuplicates([schemas.KEY])


def check_memory(spark: SparkSession, pairs: int, sets: int, settings: EvaluationSettings) -> None:
    """Raise InputError if the numbers of so many pairs would not fit in the driver, or not reach it."""
    fewer = "lower `mated_per_identity` or `non_mated`, list fewer pairs, or"
    lower = 0 if settings.pair_quality == MIN else _LABEL_BYTES
    groups = _GROUP_BYTES if settings.groups else 0
    needed = pairs * (_PAIR_BYTES + groups + sets * (_QUALITY_BYTES + lower)) * _COPIES
    free = free_bytes(spark)
    if needed > free:
        raise InputError(
            f"{pairs} pairs take {needed / 1e9:.1f} GB in the driver, and {free / 1e9:.1f} GB are free there",
            remedy=f"{fewer} give the driver more memory",
        )
    key = "spark.driver.maxResultSize"
    limit = spark.conf.get(key, "1g")
    jvm: Any = spark._jvm
    most = jvm.org.apache.spark.network.util.JavaUtils.byteStringAsBytes(limit)
    result = pairs * (_RESULT_BYTES + groups + sets * (_LABEL_BYTES + lower))
    # No limit is set by 0.
    if 0 < most < result:
        raise InputError(
            f"{pairs} pairs are {result / 1e9:.1f} GB, more than {key} {limit}", remedy=f"{fewer} raise it"
        )


def compared_pairs(
    pairs: DataFrame, features: Features, quality_columns: list[str], count: int
) -> tuple[ComparedPairs, dict[str, int]]:
    """Pairs with the similarity of their features.

    Parameters
    ----------
    pairs : DataFrame
        From `flat_pairs`.
    features : Features
        Of their images and perhaps of others.
    quality_columns : list of str
        From `label_sets.quality_columns`.
    count : int
        Number of pairs.

    Returns
    -------
    compared : ComparedPairs
    left_out : dict
        Reason to number of pairs that are left out for their features.

    Raises
    ------
    NothingUsableError
        If no pair has two features that can be used.
    InputError
        If no image has a feature at all, or one has several.
    """
    images = images_of(pairs)
    with planned_by_identity(pairs.sparkSession):
        frame = collected(_similar(pairs, _of_images(features, images, count), count))
    if len(frame) > count:
        raise repeated_key(images, features)
    usable = np.isfinite(frame[schemas.SIMILARITY].to_numpy(np.float64))
    left_out = left_out_of(frame[schemas.MATCHED].to_numpy(bool), usable, images, features)
    return _as_arrays(frame[usable], quality_columns), left_out


def left_out_of(matched: np.ndarray, usable: np.ndarray, images: DataFrame, features: Features) -> dict[str, int]:
    """Reason to number of the pairs that are left out for their features.

    Parameters
    ----------
    matched : ndarray of bool, shape (pairs,)
        Whether both images of a pair have a feature.
    usable : ndarray of bool, shape (pairs,)
        Whether both features can be used.
    images : DataFrame
        From `images_of`.

    Raises
    ------
    NothingUsableError
        If no pair has two features that can be used.
    InputError
        If no image has a feature at all.
    """
    left_out = {_MISSING: int((~matched).sum()), _INVALID: int((matched & ~usable).sum())}
    if not usable.any():
        check_any_match(images, features)
        raise NothingUsableError(
            f"none of {len(usable)} pairs has two features that can be used ({left_out[_MISSING]} lack one, of "
            f"{left_out[_INVALID]} one is empty, not finite, zero or of another length)",
            setting="feature_root",
            remedy="compute the features again",
        )
    return {reason: number for reason, number in left_out.items() if number}


def _as_arrays(frame: pd.DataFrame, quality_columns: list[str]) -> ComparedPairs:
    qualities = tuple(frame[name].to_numpy(np.float64) for name in quality_columns)
    lower = tuple(frame[_lower(name)].to_numpy(np.float64) for name in quality_columns if _lower(name) in frame)
    return ComparedPairs(
        frame[schemas.SIMILARITY].to_numpy(np.float64),
        frame[schemas.SAME].to_numpy(bool),
        (frame[schemas.IDENTITY_A].to_numpy(np.int64), frame[schemas.IDENTITY_B].to_numpy(np.int64)),
        (frame[schemas.IMAGE_HASH_A].to_numpy(np.int64), frame[schemas.IMAGE_HASH_B].to_numpy(np.int64)),
        qualities,
        lower or qualities,
        frame[schemas.GROUP].to_numpy(np.int32) if schemas.GROUP in frame else None,
    )


def _of_images(features: Features, images: DataFrame, count: int) -> Features:
    """The features of the images of pairs, so that no others are moved; as they are where these are many."""
    if count > _FILTERED_AT_MOST:
        return features
    return Features(features.of_keys(images.select(schemas.KEY)), features.id_key_index)


def _partitions(features: Features, count: int) -> int:
    """Number of partitions for the vectors of so many pairs, or for all features where all are moved."""
    dimension = vector_length(features)
    if count > _FILTERED_AT_MOST:
        return partitions_for(max(count, features.table.count()), dimension)
    return min(partitions_for(count, dimension), max(_PARTITIONS_AT_LEAST, count // _PAIRS_A_PARTITION))


def _similar(pairs: DataFrame, features: Features, count: int) -> DataFrame:
    """Pairs with `similarity`, null where a feature cannot be used, and `matched`: whether there are two."""
    partitions = _partitions(features, count)
    with_features = pairs.withColumn(_BOTH_MATCHED, F.lit(True))
    for key_column, feature in ((schemas.KEY_B, _FEATURE_B), (schemas.KEY_A, _FEATURE_A)):
        with_features = _with_feature(with_features, features, F.col(key_column), partitions)
        with_features = with_features.withColumnRenamed(schemas.FEATURE, feature)
    similarity = _similarity()(F.col(_FEATURE_A), F.col(_FEATURE_B)).alias(schemas.SIMILARITY)
    of_images = (schemas.PATH_A, schemas.PATH_B, schemas.KEY_A, schemas.KEY_B)
    kept = [name for name in pairs.columns if name not in of_images]
    return with_features.select(*kept, F.col(_BOTH_MATCHED).alias(schemas.MATCHED), similarity)


def _with_feature(pairs: DataFrame, features: Features, key: Column, partitions: int) -> DataFrame:
    """Pairs with the feature of one of their images, and whether all that were looked for so far are there."""
    keyed = pairs.withColumns(
        {
            schemas.KEY: key,
            schemas.KEY_HASH: F.xxhash64(key),
            schemas.IDENTITY_KEY: keys.identity_key(key, features.id_key_index),
        }
    )
    joined = join_features(keyed, features, partitions, identities_in_keys=True)
    joined = joined.withColumn(_BOTH_MATCHED, F.col(_BOTH_MATCHED) & F.col(schemas.MATCHED))
    return joined.drop(schemas.KEY, schemas.KEY_HASH, schemas.IDENTITY_KEY, schemas.PROBLEM, schemas.MATCHED)


def _similarity() -> Callable[..., Column]:
    """UDF: similarity of two features, null where one cannot be used or they are of two lengths."""

    # Spark's stubs know no function whose kind is told by its type hints.
    @pandas_udf("double")  # type: ignore[call-overload]
    @in_worker
    def similarity(features_a: pd.Series, features_b: pd.Series) -> pd.Series:
        lengths = vector_lengths(features_a)
        fitting = (lengths > 0) & (lengths == vector_lengths(features_b))
        similarities = np.full(len(lengths), np.nan)
        for length in np.unique(lengths[fitting]).tolist():
            chosen = np.flatnonzero(fitting & (lengths == length))
            (a, sound_a), (b, sound_b) = (
                unit_embeddings(stack_vectors(features.iloc[chosen], length)) for features in (features_a, features_b)
            )
            similarities[chosen] = np.where(sound_a & sound_b, pair_similarities(a, b), np.nan)
        return pd.Series(similarities)

    return similarity
