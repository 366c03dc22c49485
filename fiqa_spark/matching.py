"""Images meet their features on the key."""

from typing import NamedTuple

from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError


class MatchCounts(NamedTuple):
    """How list and features met."""

    matched: int
    """Images whose key has a feature."""
    keys: str
    """One key of the list beside one key of the features, for messages."""


def join_features(images, features):
    """Every image with its feature, or with none.

    Parameters
    ----------
    images : DataFrame
        From `distinct_images`.
    features : DataFrame
        From `keyed_features`, each key once.

    Returns
    -------
    DataFrame
        The columns of both, and `matched`: true where a feature has the key of the image.
    """
    present = features.withColumn(schemas.MATCHED, F.lit(True))
    return images.join(present, schemas.KEY, "left").withColumn(schemas.MATCHED, F.col(schemas.MATCHED).isNotNull())


def check_matches(joined, features, images):
    """Count the matches and refuse features that do not belong to the list.

    Only keys are read here, no vectors.

    Parameters
    ----------
    joined : DataFrame
        From `join_features`.
    features : DataFrame
        From `keyed_features`.
    images : int
        Number of distinct images.

    Returns
    -------
    MatchCounts

    Raises
    ------
    InputError
        If no image has a feature, or a key has several.
    """
    seen = joined.agg(
        F.count("*").alias("rows"),
        F.count_if(schemas.MATCHED).alias("matched"),
        F.min(schemas.KEY).alias("listed"),
        F.min(F.when(F.col(schemas.MATCHED), F.col(schemas.KEY))).alias("meeting"),
    ).first()
    if seen.rows > images:
        raise InputError(_repeated_key(joined))
    if seen.matched:
        return MatchCounts(seen.matched, f"list key {seen.listed!r}, feature key {seen.meeting!r}")
    feature = features.select(schemas.KEY).head(1)
    if not feature:
        raise InputError("--feature-root: no feature there; give a Parquet data set or a folder of .npy files")
    raise InputError(no_match(seen.listed, feature[0][0]))


def no_match(list_key, feature_key):
    """Message for a list and features that have no key in common."""
    return (
        f"--feature-root: no feature matched an image; list key {list_key!r}, feature key {feature_key!r}: "
        "set --image-root and --feature-root so that the keys below them agree"
    )


def _repeated_key(joined):
    repeated = joined.groupBy(schemas.PATH, schemas.KEY).count().where("count > 1").orderBy(schemas.KEY).first()
    return (
        f"--feature-root: {repeated['count']} features have the key {repeated[schemas.KEY]!r}, and which one is meant "
        "cannot be told; keep one feature a key"
    )
