"""Features that can meet images, whatever form they lie in."""

from collections.abc import Mapping
from typing import NamedTuple, cast

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.bucket_files import Buckets
from fiqa_spark.inputs.packed_buckets import PackedBuckets
from fiqa_spark.inputs.placed_vectors import PlacedVectors
from fiqa_spark.inputs.settings import FLOAT32
from fiqa_spark.inputs.stored_vectors import WANTED_HASHES, WANTED_KEYS, image_rows, image_rows_of_buckets
from fiqa_spark.inputs.vector_packs import write_packs
from fiqa_spark.runtime.storage import Storage


class Layout(NamedTuple):
    """How vectors lie that have been put together by identity key."""

    buckets: int
    precision: str
    """Type of the values of vectors."""
    dimension: int | None
    """Length of most vectors, None if there are none."""
    piece_bits: Mapping[int, int]
    """Identity key of each identity in pieces, and how many bits of a hash tell the piece."""
    row_bytes: int
    """Bytes of the largest row."""


class StoredFeatures(NamedTuple):
    """Features of a store, an identity a row."""

    rows: DataFrame
    """With the schema `schemas.FEATURE_STORE`, in buckets by `identity_key`, each in the order of key and piece."""
    layout: Layout
    of_this_run: bool = False
    """Whether the run has made the store itself, for as long as it lasts."""


class SeenFeatures(NamedTuple):
    """Features by identity key that workers read by themselves."""

    buckets: Buckets
    layout: Layout


class ScatteredFeatures(NamedTuple):
    """Features in files that workers can read, where they can also put them together by identity key."""

    placed: PlacedVectors
    folder: str
    """Folder to create for them; its owner removes it."""
    local_folder: str
    """The same as workers see it."""


class Features(NamedTuple):
    """Features that can meet images."""

    table: DataFrame
    """A row an image: `identity_key` (see `keys.identity_key`), `key_hash`, `key`, `feature` (array<float> or
    little-endian float32 binary) and `problem` (why a feature has no vector)."""
    id_key_index: int
    """Part of the key that the identity key comes from."""
    stored: StoredFeatures | None = None
    """The same as they lie in a store; None if they lie in none."""
    seen: SeenFeatures | None = None
    """The same as workers see them; None where they do not, as on a cluster."""
    scattered: ScatteredFeatures | None = None
    """The same as workers could see them; None where they cannot, or need not."""

    @property
    def keys(self) -> DataFrame:
        """Column `key` of all features."""
        if self.stored:
            return self.stored.rows.select(F.explode(schemas.KEYS).alias(schemas.KEY))
        return self.table.select(schemas.KEY)

    def of_keys(self, wanted: DataFrame) -> DataFrame:
        """The features of a few images, such as all tasks can know.

        Parameters
        ----------
        wanted : DataFrame
            Column `key`.

        Returns
        -------
        DataFrame
            As `table`, of features whose key has the hash of one that is wanted.
        """
        # By a number alone, which is quicker than by text.
        key, key_hash = F.col(schemas.KEY), F.xxhash64(schemas.KEY)
        if not (self.stored or self.seen):
            hashes = wanted.select(key_hash.alias(schemas.KEY_HASH))
            return self.table.join(F.broadcast(hashes), schemas.KEY_HASH, "semi")
        keyed = wanted.select(keys.identity_key(key, self.id_key_index).alias(schemas.IDENTITY_KEY), key)
        if self.seen:
            layout = self.seen.layout
            listed = _of_identities(keyed.repartition(layout.buckets, schemas.IDENTITY_KEY))
            return image_rows_of_buckets(listed, self.seen.buckets, layout.buckets, layout.precision)
        # One task puts them together sooner than many.
        of_identity = F.broadcast(_of_identities(keyed.coalesce(1)))
        stored = cast(StoredFeatures, self.stored)
        return image_rows(stored.rows.join(of_identity, schemas.IDENTITY_KEY), stored.layout.precision)

    def put_together(self, buckets: int) -> "Features":
        """The same, with scattered features put together in so many buckets by identity key, for workers to see."""
        placed, folder, local_folder = cast(ScatteredFeatures, self.scattered)
        Storage(self.table.sparkSession).make_folder(folder)
        packs = write_packs(placed, local_folder, index=self.id_key_index, buckets=buckets, precision=FLOAT32)
        seen = SeenFeatures(PackedBuckets(packs), Layout(buckets, FLOAT32, placed.dimension, {}, 0))
        return self._replace(seen=seen, scattered=None)


def _of_identities(keyed: DataFrame) -> DataFrame:
    """Each identity key with the keys of its images, and their hashes."""
    listed = keyed.groupBy(schemas.IDENTITY_KEY).agg(F.collect_set(schemas.KEY).alias(WANTED_KEYS))
    return listed.withColumn(WANTED_HASHES, F.transform(WANTED_KEYS, _hash))


def _hash(key: Column) -> Column:
    # Spark wants to see how many arguments there are.
    return F.xxhash64(key)


def vector_length(features: Features) -> int:
    """Length of most vectors, or of the first, as far as it is known at once; 1 if there is none."""
    if by_identity := features.seen or features.stored:
        return by_identity.layout.dimension or 1
    return features.scattered.placed.dimension if features.scattered else length_of_first(features.table)


def length_of_first(table: DataFrame) -> int:
    """Length of the first vector in a DataFrame with `feature`, 1 if there is none."""
    first = table.where(F.col(schemas.FEATURE).isNotNull()).select(schemas.FEATURE).head(1)
    if not first:
        return 1
    vector = first[0][0]
    return max(1, len(vector) // 4 if isinstance(vector, (bytes, bytearray)) else len(vector))
