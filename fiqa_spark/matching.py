"""Images meet their features on the key, identity by identity."""

import logging

from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError

# Vectors that a task brings together: enough to make its start-up small, few enough to be sorted in memory.
_PARTITION_BYTES = 128 << 20
_PARTITIONS_AT_LEAST = 16
_log = logging.getLogger("fiqa_spark")
_OTHER_CLUSTERS = (
    "the feature store is put together by part %s of the path, but identities are part %s: all vectors are moved once "
    "more; import them with that --id-key-index to avoid it"
)
_MEETING = (schemas.CLUSTER, schemas.KEY_HASH, schemas.KEY)


def partitions_for(rows, dimension):
    """Number of partitions for so many float32 vectors: a function of the data alone, as files follow it."""
    return max(_PARTITIONS_AT_LEAST, -(-rows * dimension * 4 // _PARTITION_BYTES))


def join_features(images, features, partitions, *, identities_in_keys):
    """Every image with its feature, or with none; the images of an identity in one partition, as neighbours.

    Both sides are brought to their cluster and met there in order. Where the clusters are the identities, that is the
    one shuffle of the vectors, and none where the features lie in buckets already; otherwise a second one brings them
    to their identity.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    features : Features
    partitions : int
        Number of partitions; that of the buckets where features lie in buckets.
    identities_in_keys : bool
        Whether each image's cluster is that of its identity.

    Returns
    -------
    DataFrame
        The columns of both, and `matched`: true where a feature has the key of the image. `cluster` is the same for
        all images of an identity, and rows are sorted by it.
    """
    vectors = features.table if features.buckets else features.table.repartition(partitions, schemas.CLUSTER)
    # Added after the shuffle: Spark would plan two bare shuffles below a join anew, by all columns of the join.
    vectors = vectors.withColumn(schemas.MATCHED, F.lit(True))
    # A merge leaves the rows in order, and buckets are in order already.
    listed = images.repartition(partitions, schemas.CLUSTER).hint("merge")
    joined = listed.join(vectors, list(_MEETING), "left").withColumn(
        schemas.MATCHED, F.col(schemas.MATCHED).isNotNull()
    )
    if identities_in_keys:
        return joined.sortWithinPartitions(*_MEETING)
    cluster = F.xxhash64(F.coalesce(schemas.IDENTITY, schemas.KEY))
    return (
        joined.withColumn(schemas.CLUSTER, cluster)
        .repartition(partitions, schemas.CLUSTER)
        .sortWithinPartitions(*_MEETING)
    )


class Matching:
    """Images of a list and the features that they meet on the key.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    features : Features
    listed : CheckedList
    id_key_index : int
        Part of the path that was asked for as the identity, for messages.
    """

    def __init__(self, images, features, listed, id_key_index):
        self._images, self._features, self._listed = images, features, listed
        if features.buckets and not listed.identities_in_keys:
            _log.warning(_OTHER_CLUSTERS, features.id_key_index, id_key_index)

    def joined(self, dimension):
        """Every image with its feature, see `join_features`, and the number of partitions that they lie in."""
        partitions = self._features.buckets or partitions_for(self._listed.lines, dimension)
        in_keys = self._listed.identities_in_keys
        return join_features(self._images, self._features, partitions, identities_in_keys=in_keys), partitions

    def keys(self):
        """One key of the list beside one key of the features, for messages; InputError if no image has a feature."""
        check_any_match(self._images, self._features)
        listed, feature = (table.select(schemas.KEY).head(1) for table in (self._images, self._features.table))
        return f"list key {listed[0][0] if listed else ''!r}, feature key {feature[0][0] if feature else ''!r}"

    def check_lines(self, lines):
        """Raise InputError if so many lines came out of the join that a key must have several features."""
        if lines > self._listed.lines:
            raise InputError(repeated_key(self._images, self._features))


def check_any_match(images, features):
    """Raise InputError unless some image has a feature; only keys are read."""
    if images.join(features.table.select(schemas.KEY), schemas.KEY).select(schemas.KEY).head(1):
        return
    feature = features.table.agg(F.min(schemas.KEY)).first()[0]
    if feature is None:
        raise InputError("--feature-root: no feature there; give a Parquet data set or a folder of .npy files")
    raise InputError(no_match(images.agg(F.min(schemas.KEY)).first()[0], feature))


def no_match(list_key, feature_key):
    """Message for a list and features that have no key in common."""
    return (
        f"--feature-root: no feature matched an image; list key {list_key!r}, feature key {feature_key!r}: "
        "set --image-root and --feature-root so that the keys below them agree"
    )


def repeated_key(images, features):
    """Message for features of which several have the key of one image."""
    wanted = images.select(schemas.KEY).distinct()
    counts = features.table.select(schemas.KEY).join(wanted, schemas.KEY).groupBy(schemas.KEY).count()
    repeated = counts.where("count > 1").orderBy(schemas.KEY).first()
    return (
        f"--feature-root: {repeated['count']} features have the key {repeated[schemas.KEY]!r}, and which one is meant "
        "cannot be told; keep one feature a key"
    )
