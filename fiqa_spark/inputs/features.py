"""Features that can meet images, whatever form they lie in."""

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.stored_vectors import WANTED_HASHES, WANTED_KEYS, image_rows, image_rows_of_files


class StoredFeatures(NamedTuple):
    """Features of a store, an identity a row."""

    rows: DataFrame
    """With the schema `schemas.FEATURE_STORE`, in buckets by `identity_key`, each in the order of key and piece."""
    buckets: int
    precision: str
    """Type of the values of vectors."""
    dimension: int | None
    """Length of most vectors, None if there are none."""
    piece_bits: Mapping[int, int]
    """Identity key of each identity in pieces, and how many bits of a hash tell the piece."""
    row_bytes: int
    """Bytes of the largest row."""
    files: Mapping[int, str] | None = None
    """Path of the file of each bucket that has rows, where workers see them; None where only Spark does."""
    of_this_run: bool = False
    """Whether the run has made the store itself, for as long as it lasts."""


class Features(NamedTuple):
    """Features that can meet images."""

    table: DataFrame
    """A row an image: `identity_key` (see `keys.identity_key`), `key_hash`, `key`, `feature` (array<float> or
    little-endian float32 binary) and `problem` (why a feature has no vector)."""
    id_key_index: int
    """Part of the key that the identity key comes from."""
    stored: StoredFeatures | None = None
    """The same as they lie in a store; None if they lie in none."""

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
        if not self.stored:
            hashes = wanted.select(key_hash.alias(schemas.KEY_HASH))
            return self.table.join(F.broadcast(hashes), schemas.KEY_HASH, "semi")
        stored, identity_key = self.stored, keys.identity_key(key, self.id_key_index)
        keyed = wanted.select(identity_key.alias(schemas.IDENTITY_KEY), key)
        if stored.files is not None:
            listed = _of_identities(keyed.repartition(stored.buckets, schemas.IDENTITY_KEY))
            return image_rows_of_files(listed, stored.files, stored.buckets, stored.precision)
        # One task puts them together sooner than many.
        of_identity = F.broadcast(_of_identities(keyed.coalesce(1)))
        return image_rows(stored.rows.join(of_identity, schemas.IDENTITY_KEY), stored.precision)


def _of_identities(keyed: DataFrame) -> DataFrame:
    """Each identity key with the keys of its images, and their hashes."""
    listed = keyed.groupBy(schemas.IDENTITY_KEY).agg(F.collect_set(schemas.KEY).alias(WANTED_KEYS))
    return listed.withColumn(WANTED_HASHES, F.transform(WANTED_KEYS, _hash))


def _hash(key: Column) -> Column:
    # Spark wants to see how many arguments there are.
    return F.xxhash64(key)


def vector_length(features: Features) -> int:
    """Length of most vectors, or of the first, as far as it is known at once; 1 if there is none."""
    return features.stored.dimension or 1 if features.stored else length_of_first(features.table)


def length_of_first(table: DataFrame) -> int:
    """Length of the first vector in a DataFrame with `feature`, 1 if there is none."""
    first = table.where(F.col(schemas.FEATURE).isNotNull()).select(schemas.FEATURE).head(1)
    if not first:
        return 1
    vector = first[0][0]
    return max(1, len(vector) // 4 if isinstance(vector, (bytes, bytearray)) else len(vector))
