"""Vectors out of rows of an identity each: all of them, or those of a few images."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs.identity_rows import VALUE_TYPES
from fiqa_spark.inputs.settings import FLOAT32, INT16
from fiqa_spark.kernels.embeddings import embeddings_of_whole_numbers
from fiqa_spark.runtime.workers import in_worker

# Rows whose images are handed on at once.
_ROWS_AT_ONCE = 64
_IMAGE_ROWS = (
    f"{schemas.IDENTITY_KEY} long, {schemas.KEY_HASH} long, {schemas.KEY} string, "
    f"{schemas.FEATURE} binary, {schemas.PROBLEM} string"
)
_NORM, _COPIES = "norm", "copies"


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

    Returns
    -------
    DataFrame
        `identity_key`, `key_hash`, `key`, `feature` (little-endian float32 binary, null if there is none) and
        `problem`.
    """

    @in_worker
    def unpack(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            for first in range(0, len(frame), _ROWS_AT_ONCE):
                yield _images_of_rows(frame.iloc[first : first + _ROWS_AT_ONCE], precision)

    return rows.drop(schemas.PIECE, schemas.PIECE_BITS).mapInPandas(unpack, _IMAGE_ROWS)


def _images_of_rows(rows: pd.DataFrame, precision: str) -> pd.DataFrame:
    """The frame that `image_rows` yields."""
    counts = np.fromiter(map(len, rows[schemas.KEY_HASHES]), np.int64, len(rows))
    names = (schemas.FEATURES, schemas.NORMS, schemas.LENGTHS)
    features, problems = list[bytes | None](), list[str | None]()
    for count, of_row, content, norms, lengths in zip(
        counts.tolist(), rows[schemas.PROBLEMS], *(rows[name] for name in names), strict=True
    ):
        features += _features_of_row(content, count, norms, lengths, precision)
        problems += [None] * count if of_row is None else list(of_row)
    return pd.DataFrame(
        {
            schemas.IDENTITY_KEY: np.repeat(rows[schemas.IDENTITY_KEY].to_numpy(), counts),
            schemas.KEY_HASH: np.concatenate([np.empty(0, np.int64), *rows[schemas.KEY_HASHES]]),
            schemas.KEY: np.concatenate([np.empty(0, object), *rows[schemas.KEYS]]),
            schemas.FEATURE: pd.Series(features, dtype=object),
            schemas.PROBLEM: pd.Series(problems, dtype=object),
        }
    )


def _features_of_row(
    content: bytes,
    count: int,
    norms: npt.NDArray[np.float32] | None,
    lengths: npt.NDArray[np.int32] | None,
    precision: str,
) -> Iterator[bytes | None]:
    """The vectors of a row as little-endian float32; None where there is none."""
    flat = np.frombuffer(content, VALUE_TYPES[precision])
    each = np.full(count, len(flat) // count) if lengths is None else lengths
    ends = np.cumsum(each)
    for number, (end, length) in enumerate(zip(ends.tolist(), each.tolist(), strict=True)):
        vector = flat[end - length : end]
        if norms is not None:
            vector = _restored_vectors(vector[None], norms[number : number + 1])[0]
        yield vector.tobytes() if length else None


def features_of_rows(wanted: DataFrame, precision: str) -> DataFrame:
    """Features of a few images out of their identities' rows.

    Parameters
    ----------
    wanted : DataFrame
        Rows of a store, each with `key_hash`, that of an image that is wanted.

    Returns
    -------
    DataFrame
        As from `image_rows`; two rows where several features have one hash.
    """
    place, lengths = F.col(schemas.POSITION), F.col(schemas.LENGTHS)
    value_bytes = F.lit(VALUE_TYPES[precision].itemsize)
    before = F.aggregate(F.slice(lengths, 1, place - 1), F.lit(0), lambda total, length: total + length) * value_bytes
    bytes_of_equal = (F.octet_length(schemas.FEATURES) / F.size(schemas.KEYS)).cast("int")
    size = F.when(lengths.isNull(), bytes_of_equal).otherwise(F.get(lengths, place - 1) * value_bytes)
    offset = F.when(lengths.isNull(), (place - 1) * bytes_of_equal).otherwise(before)
    # Hashes are in order.
    copies = F.when(F.get(schemas.KEY_HASHES, place) == F.col(schemas.KEY_HASH), 2).otherwise(1)
    found = wanted.withColumn(
        schemas.POSITION, F.array_position(schemas.KEY_HASHES, F.col(schemas.KEY_HASH)).cast("int")
    ).where(place > 0)
    rows = found.select(
        schemas.IDENTITY_KEY,
        schemas.KEY_HASH,
        F.get(schemas.KEYS, place - 1).alias(schemas.KEY),
        F.when(size > 0, F.col(schemas.FEATURES).substr(offset + 1, size)).alias(schemas.FEATURE),
        F.get(schemas.PROBLEMS, place - 1).alias(schemas.PROBLEM),
        F.get(schemas.NORMS, place - 1).alias(_NORM),
        copies.alias(_COPIES),
    )
    rows = rows.select("*", F.explode(F.array_repeat(F.lit(True), F.col(_COPIES)))).drop("col", _COPIES)
    return rows.drop(_NORM) if precision == FLOAT32 else rows.mapInPandas(_restored, _IMAGE_ROWS)


@in_worker
def _restored(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for frame in frames:
        norms = frame.pop(_NORM).to_numpy(np.float32)
        frame[schemas.FEATURE] = [
            None if content is None else _restored_vectors(np.frombuffer(content, "<i2")[None], norm[None]).tobytes()
            for content, norm in zip(frame[schemas.FEATURE], norms, strict=True)
        ]
        yield frame


def _restored_vectors(numbers: npt.NDArray[np.generic], norms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Vectors out of whole numbers, shape (n, dimension); NaN where they were not finite."""
    embeddings, _, _ = embeddings_of_whole_numbers(numbers, norms)
    return (embeddings * norms[:, None]).astype("<f4", copy=False)
