"""Images meet their features on the key, identity by identity."""

import contextlib
import logging
from collections.abc import Iterator
from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.bucket_files import Buckets
from fiqa_spark.inputs.features import Features, Layout, SeenFeatures, StoredFeatures, vector_length
from fiqa_spark.inputs.identity_rows import piece_of
from fiqa_spark.inputs.image_list import CheckedList
from fiqa_spark.inputs.nearest_keys import difference, nearest_key, no_match, pair_alike
from fiqa_spark.inputs.row_images import OF_STORE
from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.inputs.stored_vectors import image_rows
from fiqa_spark.inputs.vectors import partitions_for
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_for_identity_rows

_log = logging.getLogger("fiqa_spark")
_OTHER_IDENTITY_KEYS = (
    "the feature store is put together by part %s of the path, but identities are part %s: all vectors are moved "
    "twice; import them with that --id-key-index to avoid it"
)
_NEARLY_MET = "%d images have no feature; list key %r, feature key %r: %s; %s"
_LOOKED_FOR = 8
_MEET_ON = (schemas.IDENTITY_KEY, schemas.KEY_HASH, schemas.KEY)
OF_IMAGES = (schemas.PATH, schemas.KEY_HASH, schemas.IMAGE_HASH, schemas.LIST_ROWS)
"""Columns of the list that each image has, gathered where an identity is a row."""
_OF_IDENTITY = (schemas.IDENTITY_KEY, schemas.IDENTITY, schemas.IDENTITY_HASH)


class Joined(NamedTuple):
    """Images beside their features, those of an identity key in one partition and as neighbours."""

    table: DataFrame
    """From `join_features`, or from `join_identities`."""
    partitions: int
    """Number of partitions by identity key."""
    more: tuple[str, ...] = ()
    """Columns of the images that are wanted beside the usual ones."""
    precision: str | None = None
    """Type of the values of vectors, where an identity is a row; None where an image is."""
    buckets: Buckets | None = None
    """Where workers read the vectors themselves; None where they are in the table."""


def join_features(images: DataFrame, features: Features, partitions: int, *, identities_in_keys: bool) -> DataFrame:
    """Every image with its feature, or with none, an image a row.

    Spark brings both sides together by identity key and merges them there in order. Where that key tells the identity,
    this is the one shuffle of the vectors; otherwise a second shuffle brings them to their identity.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    partitions : int
        Number of partitions.
    identities_in_keys : bool
        Whether each image's identity key is that of its identity.

    Returns
    -------
    DataFrame
        The columns of both, and `matched`: true where a feature has the key of the image. `identity_key` is the same
        for all images of an identity, and rows are sorted by it.
    """
    # Added after the shuffle: Spark would plan two bare shuffles below a join anew, by all columns of the join.
    vectors = features.table.repartition(partitions, schemas.IDENTITY_KEY).withColumn(schemas.MATCHED, F.lit(True))
    # A merge leaves the rows in order.
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


def join_identities(images: DataFrame, stored: StoredFeatures, more: tuple[str, ...]) -> DataFrame:
    """Every identity of the list with its row of a store, or with none; vectors stay where they lie.

    Images and features meet on their hashes later, inside of the row: identity key and key hash are 128 bits of a key.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`, where each image's identity key is that of its identity.
    more : tuple of str
        Other columns of the images that are wanted.

    Returns
    -------
    DataFrame
        `identity_key`, `identity`, `identity_hash`; of the list, in arrays, the columns `OF_IMAGES` and those of
        `more`; of the store the columns `OF_STORE`, which are null where it lacks the identity. A large identity has
        several rows, which are neighbours.
    """
    return meet_identities(images, stored, _OF_IDENTITY, (*OF_IMAGES, *more))


def meet_identities(
    images: DataFrame, stored: StoredFeatures, of_identity: tuple[str, ...], of_images: tuple[str, ...]
) -> DataFrame:
    """As `join_identities`, with these columns of an identity, one of them `identity_key`, and these of its images."""
    rows = stored.rows.select(schemas.IDENTITY_KEY, schemas.PIECE, *OF_STORE)
    gathered = gathered_identities(images, stored.layout, of_identity, of_images)
    joined = gathered.hint("merge").join(rows, [schemas.IDENTITY_KEY, schemas.PIECE], "left")
    return joined.select(*of_identity, *of_images, *OF_STORE)


def gathered_identities(
    images: DataFrame, layout: Layout, of_identity: tuple[str, ...], of_images: tuple[str, ...]
) -> DataFrame:
    """The listed images of each row of a store, in the partition of its bucket: `identity_key`, `piece` and these."""
    listed = images.select(*of_identity, *of_images).repartition(layout.buckets, schemas.IDENTITY_KEY)
    if layout.piece_bits:
        kinds = f"{schemas.IDENTITY_KEY} long, {schemas.PIECE_BITS} int"
        bits = images.sparkSession.createDataFrame(list(layout.piece_bits.items()), kinds)
        listed = listed.join(F.broadcast(bits), schemas.IDENTITY_KEY, "left")
        piece = piece_of(F.coalesce(schemas.PIECE_BITS, F.lit(0)))
    else:
        piece = F.lit(0)
    of_rows = listed.withColumn(schemas.PIECE, piece).groupBy(*of_identity, schemas.PIECE)
    return of_rows.agg(*[F.collect_list(name).alias(name) for name in of_images])


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
    more : tuple of str
        Columns of the images that are wanted beside the usual ones.
    load : bool
        Whether the features of the images are kept, in memory or on disk, from the first use on.
    """

    def __init__(
        self,
        images: DataFrame,
        features: Features,
        listed: CheckedList,
        id_key_index: int,
        *,
        few: int | None = None,
        more: tuple[str, ...] = (),
        load: bool = False,
    ) -> None:
        self._images, self._listed, self._few, self._more = images, listed, few, more
        self._kept: DataFrame | None = None
        self.features = features
        """Those of the images, and perhaps of others."""
        # Only a store that lasts can be imported anew.
        if features.stored and not features.stored.of_this_run and not listed.identities_in_keys:
            _log.warning(_OTHER_IDENTITY_KEYS, features.id_key_index, id_key_index)
        if load:
            self._load()

    def put_together(self, steps: Steps) -> None:
        """Have workers put scattered features together by identity, where that is sooner done than a join by Spark."""
        if self.features.scattered and self._listed.identities_in_keys and self._few is None and not self._kept:
            with steps("putting features together"):
                self.features = self.features.put_together(self.partitions(vector_length(self.features)))

    @property
    def _stored(self) -> StoredFeatures | None:
        """The store, where an identity of the list is one of its rows."""
        return self.features.stored if self._listed.identities_in_keys else None

    @property
    def _seen(self) -> SeenFeatures | None:
        """What workers see, where identities of the list are those by which it lies."""
        return self.features.seen if self._listed.identities_in_keys else None

    @property
    def _layout(self) -> Layout | None:
        by_identity = self._seen or self._stored
        return by_identity.layout if by_identity else None

    def _load(self) -> None:
        """Keep what the images have, in memory or on disk."""
        stored = self._stored
        if stored:
            buckets, precision = stored.layout.buckets, stored.layout.precision
            listed = self._images.select(schemas.IDENTITY_KEY).repartition(buckets, schemas.IDENTITY_KEY)
            rows = stored.rows.join(listed.hint("merge"), schemas.IDENTITY_KEY, "semi")
            self._kept = rows.persist(StorageLevel.MEMORY_AND_DISK)
            kept = image_rows(rows, precision), stored._replace(rows=rows)
            self.features = Features(kept[0], self.features.id_key_index, kept[1])
            return
        self._kept = self.joined(vector_length(self.features)).table.persist(StorageLevel.MEMORY_AND_DISK)
        self.features = Features(self._kept.where(schemas.MATCHED), self.features.id_key_index)

    def release(self) -> None:
        """Keep nothing any longer."""
        if self._kept:
            self._kept.unpersist()

    def joined(self, dimension: int) -> Joined:
        """Every image with its feature, or with none."""
        if self._seen:
            layout = self._seen.layout
            listed = gathered_identities(self._images, layout, _OF_IDENTITY, (*OF_IMAGES, *self._more))
            placed = listed.withColumn(schemas.IDENTITY_BUCKET, keys.bucket(layout.buckets))
            in_order = placed.sortWithinPartitions(schemas.IDENTITY_KEY, schemas.PIECE)
            return Joined(in_order, layout.buckets, self._more, layout.precision, self._seen.buckets)
        if self._stored:
            stored = self._stored
            if self._few is not None:
                wanted = self._images.select(schemas.IDENTITY_KEY)
                rows = stored.rows.join(F.broadcast(wanted), schemas.IDENTITY_KEY, "semi")
                stored = stored._replace(rows=rows)
            table = join_identities(self._images, stored, self._more)
            return Joined(table, stored.layout.buckets, self._more, stored.layout.precision)
        features, partitions = self.features, self.partitions(dimension)
        if self._kept:
            return Joined(self._kept, partitions, self._more)
        if self._few is not None:
            # By a number alone, which is quicker than by text; what merely has the same hash meets no image.
            wanted = F.broadcast(self._images.select(schemas.KEY_HASH))
            features = features._replace(table=features.table.join(wanted, schemas.KEY_HASH, "semi"))
            partitions = partitions_for(self._few, dimension)
        in_keys = self._listed.identities_in_keys
        table = join_features(self._images, features, partitions, identities_in_keys=in_keys)
        return Joined(table, partitions, self._more)

    def partitions(self, dimension: int) -> int:
        """Number of partitions by identity for all images of the list with vectors of such a length."""
        return self._layout.buckets if self._layout else partitions_for(self._listed.list_rows, dimension)

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """While something is computed of features: they cross in packs of a size, and errors show example keys.

        Raises
        ------
        InputError
            If no image has a feature at all.
        NothingUsableError
            If no feature can be used, with one key of the list beside one key of the features.
        """
        row_bytes = self._layout.row_bytes if self._layout else None
        try:
            with planned_for_identity_rows(self._images.sparkSession, row_bytes):
                yield
        except NothingUsableError as error:
            check_any_match(self._images, self.features)
            tables = self._images.select(schemas.KEY), self.features.keys
            listed, feature = (table.head(1) for table in tables)
            raise error.with_keys(listed[0][0] if listed else "", feature[0][0] if feature else "") from None

    def tell_missing(self, paths: list[str], missing: int, settings: ImageSettings) -> None:
        """Log the key of an image that has no feature beside one of the features that looks alike, if there is one.

        Parameters
        ----------
        paths : list of str
            A few of the images that have no feature.
        missing : int
            How many there are.
        """
        if found := pair_alike(self.features.keys, paths, settings.image_root):
            told = difference(*found)
            _log.warning(_NEARLY_MET, missing, *found, told.text, told.remedy)

    def check_list_rows(self, list_rows: int) -> None:
        """Raise InputError if so many rows of the list came out of the join that a key must have several features."""
        if list_rows > self._listed.list_rows:
            raise repeated_key(self._images, self.features)


def some_missing(results: DataFrame) -> list[str]:
    """Paths of a few images without a feature, out of rows with `path` and `status`.

    Those that are not ASCII come first: letters with accents are what differs most often where some keys meet.
    """
    path = F.col(schemas.PATH)
    without = results.where(F.col(schemas.STATUS) == schemas.MISSING_FEATURE).select(path)
    some = without.orderBy(F.octet_length(path) == F.char_length(path), path).limit(_LOOKED_FOR)
    return [row[0] for row in some.collect()]


def check_any_match(images: DataFrame, features: Features) -> None:
    """Raise InputError unless some image has a feature; only keys are read."""
    if images.join(features.keys, schemas.KEY).select(schemas.KEY).head(1):
        return
    listed = _smallest_key(images) or ""
    feature_key = nearest_key(features.keys, listed)
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
    counts = features.keys.join(wanted, schemas.KEY).groupBy(schemas.KEY).count()
    [repeated] = counts.where("count > 1").orderBy(schemas.KEY).limit(1).collect()
    return InputError(
        f"{repeated['count']} features have the key {repeated[schemas.KEY]!r}, and which one is meant cannot be told",
        setting="feature_root",
        remedy="keep one feature a key",
    )
