"""Vectors out of rows of an identity each: all of them, or those of a few images."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.bucket_files import Buckets, beside_stored
from fiqa_spark.inputs.row_images import OF_STORE, RowImages, apart, flat, images_of_frame, owners_of
from fiqa_spark.kernels.embeddings import embeddings_of_whole_numbers
from fiqa_spark.runtime.workers import in_worker

# Rows whose images are handed on at once.
_ROWS_AT_ONCE = 64
_IMAGE_ROWS = (
    f"{schemas.IDENTITY_KEY} long, {schemas.KEY_HASH} long, {schemas.KEY} string, "
    f"{schemas.FEATURE} binary, {schemas.PROBLEM} string"
)
_OF_BUCKETS = (*OF_STORE, schemas.PROBLEMS)
WANTED_KEYS, WANTED_HASHES = "wanted_keys", schemas.KEY_HASH
"""Columns beside those of a store."""


def image_rows(rows: DataFrame, precision: str) -> DataFrame:
    """Rows of an image each out of rows of a store.

    Parameters
    ----------
    rows : DataFrame
        With the schema `schemas.FEATURE_STORE`, and perhaps `wanted_keys` and `key_hash`, arrays of the keys of the
        images that are wanted of each row and of their hashes; by default all are. A hash stands for its key.

    Returns
    -------
    DataFrame
        `identity_key`, `key_hash`, `key`, `feature` (little-endian float32 binary, null if there is none) and
        `problem`.
    """

    @in_worker
    def unpack(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from _images_of_frames(frames, precision)

    # Keys that are wanted are not read.
    unused = (schemas.PIECE, schemas.PIECE_BITS, *([schemas.KEYS] if WANTED_KEYS in rows.columns else []))
    return rows.drop(*unused).mapInPandas(unpack, _IMAGE_ROWS)


def image_rows_of_buckets(listed: DataFrame, buckets: Buckets, count: int, precision: str) -> DataFrame:
    """As `image_rows`, out of buckets that workers read by themselves.

    Parameters
    ----------
    listed : DataFrame
        `identity_key`, `wanted_keys` and `key_hash`, in the partitions of so many buckets.
    """

    @in_worker
    def read(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame, images in beside_stored(frames, buckets, _OF_BUCKETS):
            yield _images_beside(frame, images)

    placed = listed.withColumn(schemas.IDENTITY_BUCKET, keys.bucket(count))
    return placed.sortWithinPartitions(schemas.IDENTITY_KEY).mapInPandas(read, _IMAGE_ROWS)


def _images_of_frames(frames: Iterator[pd.DataFrame], precision: str) -> Iterator[pd.DataFrame]:
    """The frames that `image_rows` makes of those of a store."""
    for frame in frames:
        for first in range(0, len(frame), _ROWS_AT_ONCE):
            some = frame.iloc[first : first + _ROWS_AT_ONCE]
            yield _images_beside(some, images_of_frame(some, precision))


def _images_beside(frame: pd.DataFrame, images: RowImages) -> pd.DataFrame:
    """A frame of `image_rows`, of some rows and their images."""
    chosen, its_keys = _chosen(frame, images)
    some = images.of(chosen)
    columns = {
        schemas.IDENTITY_KEY: frame[schemas.IDENTITY_KEY].to_numpy()[some.owners],
        schemas.KEY_HASH: some.hashes,
        schemas.KEY: its_keys,
        schemas.FEATURE: [vector.tobytes() if len(vector) else None for vector in _float32_vectors(some)],
        schemas.PROBLEM: some.problems,
    }
    return pd.DataFrame(columns, index=range(len(chosen)), dtype=object)


def _chosen(frame: pd.DataFrame, images: RowImages) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.object_]]:
    """Numbers of all images of some rows, or of those that are wanted, and their keys."""
    if WANTED_KEYS not in frame:
        return np.arange(len(images.hashes)), flat(frame, schemas.KEYS)
    wanted = apart(flat(frame, WANTED_HASHES), owners_of(frame, WANTED_HASHES))
    here, order = apart(images.hashes, images.owners), np.argsort(wanted)
    places = order[np.minimum(np.searchsorted(wanted, here, sorter=order), len(order) - 1)]
    chosen = np.flatnonzero(wanted[places] == here)
    return chosen, flat(frame, WANTED_KEYS)[places[chosen]]


def _float32_vectors(images: RowImages) -> Iterable[npt.NDArray[np.generic]]:
    """The vector of each image; one without values where there is none."""
    vectors, norms = images.vectors, images.norms
    if vectors.ndim == 2:
        return vectors if norms is None else _restored_vectors(vectors, norms)
    each = [vectors[end - length : end] for end, length in zip(np.cumsum(images.lengths), images.lengths, strict=True)]
    if norms is None:
        return each
    return [_restored_vectors(vector[None], norm[None])[0] for vector, norm in zip(each, norms, strict=True)]


def _restored_vectors(numbers: npt.NDArray[np.generic], norms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Vectors out of whole numbers, shape (n, dimension); NaN where they were not finite."""
    embeddings, _, _ = embeddings_of_whole_numbers(numbers, norms)
    return (embeddings * norms[:, None]).astype("<f4", copy=False)
