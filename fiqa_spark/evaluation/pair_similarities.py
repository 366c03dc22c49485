"""The similarity of every pair: vectors meet at the first image of the pair, and only numbers leave the executors."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql.functions import pandas_udf

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.parquet_features import vector_length
from fiqa_spark.inputs.vectors import partitions_for, stack_vectors, vector_lengths
from fiqa_spark.kernels.edc import pair_similarities
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.matching.join import check_any_match, join_features, repeated_key
from fiqa_spark.runtime.driver_memory import free_bytes
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.workers import in_worker

# What a pair takes in the driver beside its qualities, and how often the numbers are there at once, copies included.
_PAIR_BYTES, _QUALITY_BYTES, _COPIES = 48, 16, 3
# What it takes on its way there, beside half as much for each quality.
_RESULT_BYTES = 28
# The images of so many pairs are a small table, which every executor can hold to leave other features alone.
_FILTERED_AT_MOST = 4_000_000
# Fewer pairs are not worth the start of a task.
_PARTITIONS_AT_LEAST, _PAIRS_A_PARTITION = 2, 2048
_FEATURE_A, _FEATURE_B = "feature_a", "feature_b"
_MISSING, _INVALID = "missing_feature", "invalid_feature"


class ComparedPairs(NamedTuple):
    """Pairs of images with their similarity, one an element."""

    similarities: np.ndarray
    """float64, shape (pairs,)."""
    mated: np.ndarray
    """bool."""
    owners: tuple
    """Hash of the identity of either image, two arrays of int64."""
    qualities: tuple
    """Lower quality of the two images, an array of float64 a label set."""


def flat_pairs(pairs, quality_columns):
    """Pairs with the numbers that are compared, out of structs of images.

    Parameters
    ----------
    pairs : DataFrame
        `same`, and structs `a` and `b` with `path`, `key`, `identity_hash` and the qualities.
    quality_columns : list of str

    Returns
    -------
    DataFrame
        `same`, `path_a`, `key_a`, `identity_a` (hash), the same of b, and of each quality the lower one.
    """
    a, b = F.col("a"), F.col("b")
    return pairs.select(
        schemas.SAME,
        a[schemas.PATH].alias(schemas.PATH_A),
        b[schemas.PATH].alias(schemas.PATH_B),
        a[schemas.KEY].alias(schemas.KEY_A),
        b[schemas.KEY].alias(schemas.KEY_B),
        a[schemas.IDENTITY_HASH].alias(schemas.IDENTITY_A),
        b[schemas.IDENTITY_HASH].alias(schemas.IDENTITY_B),
        *[F.least(a[name], b[name]).alias(name) for name in quality_columns],
    )


def images_of(pairs):
    """The distinct images of pairs, `path` and `key`."""
    sides = [
        pairs.select(F.col(path).alias(schemas.PATH), F.col(key).alias(schemas.KEY))
        for path, key in ((schemas.PATH_A, schemas.KEY_A), (schemas.PATH_B, schemas.KEY_B))
    ]
    return sides[0].union(sides[1]).dropDuplicates([schemas.KEY])


def check_memory(spark, pairs, sets):
    """Raise InputError if the numbers of so many pairs would not fit in the driver, or not reach it."""
    fewer = "lower --mated-per-identity or --non-mated, list fewer pairs, or"
    needed = pairs * (_PAIR_BYTES + sets * _QUALITY_BYTES) * _COPIES
    free = free_bytes(spark)
    if needed > free:
        raise InputError(
            f"{pairs} pairs take {needed / 1e9:.1f} GB in the driver, and {free / 1e9:.1f} GB are free there; {fewer} "
            "give the driver more memory"
        )
    key = "spark.driver.maxResultSize"
    limit = spark.conf.get(key, "1g")
    most = spark._jvm.org.apache.spark.network.util.JavaUtils.byteStringAsBytes(limit)
    result = pairs * (_RESULT_BYTES + sets * _QUALITY_BYTES // 2)
    # No limit is set by 0.
    if 0 < most < result:
        raise InputError(f"{pairs} pairs are {result / 1e9:.1f} GB, more than {key} {limit}; {fewer} raise it")


def compared_pairs(pairs, features, quality_columns, count):
    """Pairs with the similarity of their features.

    Parameters
    ----------
    pairs : DataFrame
        From `flat_pairs`.
    features : Features
    quality_columns : list of str
    count : int
        Number of pairs.

    Returns
    -------
    compared : ComparedPairs
    left_out : dict
        Reason to number of pairs that are left out for their features.

    Raises
    ------
    InputError
        If no pair has two features that can be used, or a key has several.
    """
    images = images_of(pairs)
    with planned_by_identity(pairs.sparkSession):
        frame = _collected(_similar(pairs, _of_images(features, images, count), count))
    if len(frame) > count:
        raise InputError(repeated_key(images, features))
    similarities = frame[schemas.SIMILARITY].to_numpy(np.float64)
    held = np.isfinite(similarities)
    matched = frame[schemas.MATCHED].to_numpy(bool)
    left_out = {_MISSING: int((~matched).sum()), _INVALID: int((matched & ~held).sum())}
    if not held.any():
        check_any_match(images, features)
        raise InputError(
            f"--feature-root: none of {count} pairs has two features that can be used ({left_out[_MISSING]} lack one, "
            f"of {left_out[_INVALID]} one is empty, not finite, zero or of another length); compute the features again"
        )
    owners = tuple(frame[name].to_numpy(np.int64)[held] for name in (schemas.IDENTITY_A, schemas.IDENTITY_B))
    qualities = tuple(frame[name].to_numpy(np.float64)[held] for name in quality_columns)
    compared = ComparedPairs(similarities[held], frame[schemas.SAME].to_numpy(bool)[held], owners, qualities)
    return compared, {reason: number for reason, number in left_out.items() if number}


def _of_images(features, images, count):
    """The features of the images of pairs, so that no others are moved; as they are where none is moved anyway."""
    if features.buckets or count > _FILTERED_AT_MOST:
        return features
    hashes = images.select(F.xxhash64(schemas.KEY).alias(schemas.KEY_HASH)).distinct()
    return features._replace(table=features.table.join(F.broadcast(hashes), schemas.KEY_HASH, "left_semi"))


def _partitions(features, count):
    """Number of partitions for the vectors of so many pairs, or for all features where all are moved."""
    dimension = vector_length(features.table)
    if count > _FILTERED_AT_MOST:
        return partitions_for(max(count, features.table.count()), dimension)
    return min(partitions_for(count, dimension), max(_PARTITIONS_AT_LEAST, count // _PAIRS_A_PARTITION))


def _similar(pairs, features, count):
    """Pairs with `similarity`, null where a feature cannot be used, and `matched`: whether there are two."""
    partitions = features.buckets or _partitions(features, count)
    beside = pairs.withColumn("both", F.lit(True))
    for side, feature in ((schemas.KEY_B, _FEATURE_B), (schemas.KEY_A, _FEATURE_A)):
        key = F.col(side)
        placed = beside.withColumns(
            {
                schemas.KEY: key,
                schemas.KEY_HASH: F.xxhash64(key),
                schemas.IDENTITY_KEY: keys.identity_key(key, features.id_key_index),
            }
        )
        joined = join_features(placed, features, partitions, identities_in_keys=True)
        beside = joined.withColumn("both", F.col("both") & F.col(schemas.MATCHED)).withColumnRenamed(
            schemas.FEATURE, feature
        )
        beside = beside.drop(schemas.KEY, schemas.KEY_HASH, schemas.IDENTITY_KEY, schemas.PROBLEM, schemas.MATCHED)
    similarity = _similarity()(F.col(_FEATURE_A), F.col(_FEATURE_B)).alias(schemas.SIMILARITY)
    kept = [
        name for name in pairs.columns if name not in (schemas.PATH_A, schemas.PATH_B, schemas.KEY_A, schemas.KEY_B)
    ]
    return beside.select(*kept, F.col("both").alias(schemas.MATCHED), similarity)


def _similarity():
    """UDF: similarity of two features, null where one cannot be used or they are of two lengths."""

    @pandas_udf("double")
    @in_worker
    def similarity(features_a: pd.Series, features_b: pd.Series) -> pd.Series:
        lengths = vector_lengths(features_a)
        fitting = (lengths > 0) & (lengths == vector_lengths(features_b))
        found = np.full(len(lengths), np.nan)
        for length in np.unique(lengths[fitting]).tolist():
            chosen = np.flatnonzero(fitting & (lengths == length))
            (a, sound_a), (b, sound_b) = (
                unit_embeddings(stack_vectors(features.iloc[chosen], length)) for features in (features_a, features_b)
            )
            found[chosen] = np.where(sound_a & sound_b, pair_similarities(a, b), np.nan)
        return pd.Series(found)

    return similarity


def _collected(table):
    """Rows as a pandas frame, by way of Arrow."""
    spark, key = table.sparkSession, "spark.sql.execution.arrow.pyspark.enabled"
    before = spark.conf.get(key)
    spark.conf.set(key, "true")
    try:
        return table.toPandas()
    finally:
        spark.conf.set(key, before)
