"""Vectors out of rows of an identity each: all of them, or those of a few images."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.bucket_files import Buckets, beside_stored
from fiqa_spark.inputs.identity_rows import VALUE_TYPES
from fiqa_spark.inputs.settings import INT16
from fiqa_spark.kernels.embeddings import embeddings_of_whole_numbers
from fiqa_spark.runtime.workers import in_worker

# Rows whose images are handed on at once.
_ROWS_AT_ONCE = 64
_IMAGE_ROWS = (
    f"{schemas.IDENTITY_KEY} long, {schemas.KEY_HASH} long, {schemas.KEY} string, "
    f"{schemas.FEATURE} binary, {schemas.PROBLEM} string"
)
_OF_IMAGE = [schemas.IDENTITY_KEY, schemas.KEY_HASH, schemas.KEY, schemas.FEATURE, schemas.PROBLEM]
_OF_STORE = (schemas.KEY_HASHES, schemas.FEATURES, schemas.NORMS, schemas.LENGTHS, schemas.PROBLEMS)
WANTED_KEYS, WANTED_HASHES = "wanted_keys", schemas.KEY_HASH
"""Columns beside those of a store."""


class StackedVectors(NamedTuple):
    """Vectors of many rows, one after the other."""

    values: npt.NDArray[np.generic]
    """As they are kept, shape (images, dimension); zeros, which are no direction, for one of another length."""
    norms: npt.NDArray[np.float32] | None
    """Lengths that the vectors had, shape (images,), where they are kept beside."""
    other_length: npt.NDArray[np.bool_] | None
    """Whether each has another length, so that it is there, but not as long; None if none has."""


def stacked_vectors(rows: pd.DataFrame, dimension: int, precision: str) -> StackedVectors:
    """Vectors in rows of a store.

    Parameters
    ----------
    rows : DataFrame of pandas
        `key_hashes`, `features`, `norms`, `lengths`, as of `schemas.FEATURE_STORE`.
    dimension : int
        Length that a vector must have.
    """
    kind = VALUE_TYPES[precision]
    contents = rows[schemas.FEATURES].to_numpy()
    counts = np.fromiter(map(len, rows[schemas.KEY_HASHES]), np.int64, len(rows))
    norms = None
    if precision == INT16:
        norms = np.concatenate([np.empty(0, np.float32), *rows[schemas.NORMS]]).astype(np.float32, copy=False)
    sizes = np.fromiter(map(len, contents), np.int64, len(rows))
    if (sizes == counts * (dimension * kind.itemsize)).all() and rows[schemas.LENGTHS].isna().all():
        values = np.frombuffer(b"".join(contents), kind).reshape(-1, dimension)
        return StackedVectors(values, norms, None)
    values, lengths = np.zeros((int(counts.sum()), dimension), kind), np.zeros(int(counts.sum()), np.int64)
    first = 0
    for content, count, of_row in zip(contents, counts.tolist(), rows[schemas.LENGTHS], strict=True):
        here = slice(first, first + count)
        flat = np.frombuffer(content, kind)
        lengths[here] = len(flat) // count if of_row is None else of_row
        fitting = np.repeat(lengths[here] == dimension, lengths[here])
        values[here][lengths[here] == dimension] = flat[fitting].reshape(-1, dimension)
        first += count
    return StackedVectors(values, norms, (lengths > 0) & (lengths != dimension))


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
        found = beside_stored(frames, buckets, _OF_STORE)
        yield from _images_of_frames((rows[rows[schemas.KEY_HASHES].notna()] for rows in found), precision)

    placed = listed.withColumn(schemas.IDENTITY_BUCKET, keys.bucket(count))
    return placed.sortWithinPartitions(schemas.IDENTITY_KEY).mapInPandas(read, _IMAGE_ROWS)


def _images_of_frames(frames: Iterator[pd.DataFrame], precision: str) -> Iterator[pd.DataFrame]:
    """The frames that `image_rows` makes of those of a store."""
    for frame in frames:
        for first in range(0, len(frame), _ROWS_AT_ONCE):
            yield _images_of_rows(frame.iloc[first : first + _ROWS_AT_ONCE], precision)


def _images_of_rows(rows: pd.DataFrame, precision: str) -> pd.DataFrame:
    """The frame that `image_rows` yields."""
    images = [image for row in rows.itertuples(index=False) for image in _images_of_row(row, precision)]
    return pd.DataFrame(images, columns=_OF_IMAGE, dtype=object)


def _images_of_row(row: Any, precision: str) -> Iterator[tuple[int, int, str, bytes | None, str | None]]:
    """The images of a row, or those that are wanted of it."""
    hashes = row.key_hashes
    chosen, its_keys = _chosen(row)
    problems = [None] * len(hashes) if row.problems is None else row.problems
    vectors = _float32_vectors(row, chosen, precision)
    for number, key, vector in zip(chosen.tolist(), its_keys, vectors, strict=True):
        content = vector.tobytes() if len(vector) else None
        yield row.identity_key, hashes[number], key, content, problems[number]


def _chosen(row: Any) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.object_]]:
    """Numbers of the images of a row, or of those that are wanted of it, and their keys."""
    hashes = row.key_hashes
    if not hasattr(row, WANTED_KEYS):
        return np.arange(len(hashes)), row.keys
    order = np.argsort(row.key_hash)
    places = np.minimum(np.searchsorted(row.key_hash, hashes, sorter=order), len(order) - 1)
    wanted = order[places]
    chosen = np.flatnonzero(row.key_hash[wanted] == hashes)
    return chosen, row.wanted_keys[wanted[chosen]]


def _float32_vectors(row: Any, chosen: npt.NDArray[np.intp], precision: str) -> Iterable[npt.NDArray[np.float32]]:
    """The chosen vectors of a row; one without values where there is none."""
    flat = np.frombuffer(row.features, VALUE_TYPES[precision])
    if row.lengths is None:
        vectors = flat.reshape(len(row.key_hashes), -1)[chosen]
        return vectors if row.norms is None else _restored_vectors(vectors, row.norms[chosen])
    ends = np.cumsum(row.lengths)
    each = [flat[ends[number] - row.lengths[number] : ends[number]] for number in chosen.tolist()]
    if row.norms is None:
        return each
    pairs = zip(each, row.norms[chosen], strict=True)
    return [_restored_vectors(vector[None], norm[None])[0] for vector, norm in pairs]


def _restored_vectors(numbers: npt.NDArray[np.generic], norms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Vectors out of whole numbers, shape (n, dimension); NaN where they were not finite."""
    embeddings, _, _ = embeddings_of_whole_numbers(numbers, norms)
    return (embeddings * norms[:, None]).astype("<f4", copy=False)
