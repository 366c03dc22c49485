"""Images meet their features on the key, identity by identity."""

import contextlib
import logging
from collections.abc import Iterator

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import CheckedList
from fiqa_spark.inputs.nearest_keys import difference, nearest_key, no_match, pair_alike
from fiqa_spark.inputs.parquet_features import Features
from fiqa_spark.inputs.vectors import partitions_for

_log = logging.getLogger("fiqa_spark")
_OTHER_IDENTITY_KEYS = (
    "the feature store is put together by part %s of the path, but identities are part %s: all vectors are moved once "
    "more; import them with that --id-key-index to avoid it"
)
_NEARLY_MET = "%d images have no feature; list key %r, feature key %r: %s; %s"
_LOOKED_FOR = 8
_MEET_ON = (schemas.IDENTITY_KEY, schemas.KEY_HASH, schemas.KEY)


def join_features(images: DataFrame, features: Features, partitions: int, *, identities_in_keys: bool) -> DataFrame:
    """Every image with its feature, or with none; the images of an identity in one partition, as neighbours.

    Spark brings both sides together by identity key and merges them there in order. Where that key tells the identity,
    this is the one shuffle of the vectors, and none where the features lie in buckets already; otherwise a second
    shuffle brings them to their identity.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    partitions : int
        Number of partitions; that of the buckets where features lie in buckets.
    identities_in_keys : bool
        Whether each image's identity key is that of its identity.

    Returns
    -------
    DataFrame
        The columns of both, and `matched`: true where a feature has the key of the image. `identity_key` is the same
        for all images of an identity, and rows are sorted by it.
    """
    vectors = features.table if features.buckets else features.table.repartition(partitions, schemas.IDENTITY_KEY)
    # Added after the shuffle: Spark would plan two bare shuffles below a join anew, by all columns of the join.
    vectors = vectors.withColumn(schemas.MATCHED, F.lit(True))
    # A merge leaves the rows in order, and buckets are in order already.
    listed = images.repartition(partitions, schemas.IDENTITY_KEY).hint("merge")
    joined = listed.join(vectors, list(_MEET_ON), "left").withColumn(
        schemas.MATCHED, F.col(schemas.MATCHED).isNotNull()
    )
    if identities_in_keys:
        return joined.sortWithinPartitions(*_MEET_ON)
    identity_key = F.xxhash64(F.coalesce(schemas.IDENTITY, schemas.KEY))
    return (
        joined.withColumn(schemas.IDENTITY_KEY, identity_key)
        .repartition(partitions, schemas.IDENTITY_KEY)
        .sortWithinPartitions(*_MEET_ON)
    )


class Matching:
    """Images of a list and the features that they meet on the key.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    id_key_index : int
        Part of the path that was asked for as the identity, for messages.
    few : int, optional
        Number of images, where so few are to meet features that all tasks can know their keys: other features are left
        out where they are read then.
    """

    def __init__(
        self, images: DataFrame, features: Features, listed: CheckedList, id_key_index: int, *, few: int | None = None
    ) -> None:
        self._images, self._features, self._listed, self._few = images, features, listed, few
        # Only a store that lasts can be imported anew.
        if features.buckets and not features.of_this_run and not listed.identities_in_keys:
            _log.warning(_OTHER_IDENTITY_KEYS, features.id_key_index, id_key_index)

    def joined(self, dimension: int) -> tuple[DataFrame, int]:
        """Every image with its feature, see `join_features`, and the number of partitions that they lie in."""
        features, partitions = self._features, self.partitions(dimension)
        if self._few is not None:
            # By a number alone, which is quicker than by text; what merely has the same hash meets no image.
            wanted = F.broadcast(self._images.select(schemas.KEY_HASH))
            features = features._replace(table=features.table.join(wanted, schemas.KEY_HASH, "semi"), buckets=None)
            partitions = partitions_for(self._few, dimension)
        in_keys = self._listed.identities_in_keys
        return join_features(self._images, features, partitions, identities_in_keys=in_keys), partitions

    def partitions(self, dimension: int) -> int:
        """Number of partitions by identity for all images of the list with vectors of such a length."""
        return self._features.buckets or partitions_for(self._listed.list_rows, dimension)

    @contextlib.contextmanager
    def telling_keys(self) -> Iterator[None]:
        """While something is computed that needs usable features: an error that there are none shows example keys.

        Raises
        ------
        InputError
            If no image has a feature at all.
        NothingUsableError
            With one key of the list beside one key of the features.
        """
        try:
            yield
        except NothingUsableError as error:
            check_any_match(self._images, self._features)
            listed, feature = (table.select(schemas.KEY).head(1) for table in (self._images, self._features.table))
            raise error.with_keys(listed[0][0] if listed else "", feature[0][0] if feature else "") from None

    def tell_missing(self, results: DataFrame, missing: int, image_root: str) -> None:
        """Log the key of an image that has no feature beside one of the features that looks alike, if there is one.

        Parameters
        ----------
        results : DataFrame
            `path` and `status`.
        missing : int
            How many rows have the status ``missing_feature``.
        image_root : str
            Folder that paths may begin with; may be empty.
        """
        if not missing:
            return
        path = F.col(schemas.PATH)
        without = results.where(F.col(schemas.STATUS) == schemas.MISSING_FEATURE).select(path)
        # Letters with accents are what differs most often where some keys meet.
        some = without.orderBy(F.octet_length(path) == F.char_length(path), path).limit(_LOOKED_FOR)
        listed = [row[0] for row in keys.with_key(some, image_root).select(schemas.KEY).collect()]
        if found := pair_alike(self._features.table, listed):
            told = difference(*found)
            _log.warning(_NEARLY_MET, missing, *found, told.text, told.remedy)

    def check_list_rows(self, list_rows: int) -> None:
        """Raise InputError if so many rows of the list came out of the join that a key must have several features."""
        if list_rows > self._listed.list_rows:
            raise repeated_key(self._images, self._features)


def check_any_match(images: DataFrame, features: Features) -> None:
    """Raise InputError unless some image has a feature; only keys are read."""
    if images.join(features.table.select(schemas.KEY), schemas.KEY).select(schemas.KEY).head(1):
        return
    listed = _smallest_key(images) or ""
    feature_key = nearest_key(features.table, listed)
    if feature_key is None:
        raise InputError(
            "no feature there", setting="feature_root", remedy="give a Parquet data set or a folder of .npy files"
        )
    raise no_match(listed, feature_key)


def _smallest_key(table: DataFrame) -> str | None:
    return table.agg(F.min(schemas.KEY)).collect()[0][0]


def repeated_key(images: DataFrame, features: Features) -> InputError:
    """The error of features of which several have the key of one image."""
    wanted = images.select(schemas.KEY).distinct()
    counts = features.table.select(schemas.KEY).join(wanted, schemas.KEY).groupBy(schemas.KEY).count()
    [repeated] = counts.where("count > 1").orderBy(schemas.KEY).limit(1).collect()
    return InputError(
        f"{repeated['count']} features have the key {repeated[schemas.KEY]!r}, and which one is meant cannot be told",
        setting="feature_root",
        remedy="keep one feature a key",
    )
