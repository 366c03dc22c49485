"""Vectors as they cross from Spark to Python: binary or arrays, to NumPy."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql.types import BinaryType, StructField, StructType

from fiqa_spark import schemas
from fiqa_spark.runtime.workers import in_worker

# Features of another length than the others; more than these are no accident.
_STRAY_SHARE, _STRAY = 0.01, 3
# Vectors that a task brings together: enough to make its start-up small, few enough to be sorted in memory.
_PARTITION_BYTES = 128 << 20
# Small data: enough parts for the cores of a machine, but none whose task takes longer to start than to run.
_SMALL_PARTITION_BYTES, _SMALL_PARTITIONS = 256 << 10, 16
_PARTITIONS_AT_LEAST = 2


def partitions_for(rows: int, dimension: int) -> int:
    """Number of partitions for so many float32 vectors: a function of the data alone, as files follow it.

    One for each 256 KiB begun, up to 16; beyond that, one for each 128 MiB begun; at least 2.
    """
    size = rows * dimension * 4
    small = min(_SMALL_PARTITIONS, -(-size // _SMALL_PARTITION_BYTES))
    return max(_PARTITIONS_AT_LEAST, small, -(-size // _PARTITION_BYTES))


def are_too_many_strays(strays: int, features: int) -> bool:
    """Whether so many features of another length, out of all of them, tell of another model rather than of damage."""
    return strays > max(_STRAY, _STRAY_SHARE * features)


def with_binary_vectors(table: DataFrame) -> DataFrame:
    """The same rows with `feature` as little-endian float32 binary."""
    if isinstance(table.schema[schemas.FEATURE].dataType, BinaryType):
        return table
    fields = [
        StructField(item.name, BinaryType() if item.name == schemas.FEATURE else item.dataType) for item in table.schema
    ]
    return table.mapInPandas(_arrays_to_binary, StructType(fields))


@in_worker
def _arrays_to_binary(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for frame in frames:
        frame[schemas.FEATURE] = [
            None if vector is None else np.asarray(vector, "<f4").tobytes() for vector in frame[schemas.FEATURE]
        ]
        yield frame


def vector_lengths(features: pd.Series) -> npt.NDArray[np.int64]:
    """Number of values in each vector; 0 for none, -1 for a cut-off value.

    Parameters
    ----------
    features : Series of bytes, ndarray or None, length n

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    vectors, present = features.to_numpy(), features.notna().to_numpy()
    lengths = np.fromiter(map(len, vectors[present]), np.int64)
    if len(lengths) and isinstance(vectors[present.argmax()], (bytes, bytearray)):
        lengths = np.where(lengths % 4, -1, lengths // 4)
    if len(lengths) == len(vectors):
        return lengths
    padded = np.zeros(len(vectors), np.int64)
    padded[present] = lengths
    return padded


def stack_vectors(features: pd.Series, dimension: int) -> npt.NDArray[np.float32]:
    """Matrix of vectors of one length.

    Parameters
    ----------
    features : Series of bytes, ndarray or None, length n
    dimension : int
        Length that a vector must have.

    Returns
    -------
    ndarray of float32, shape (n, dimension)
        A row that has another length is all zeros, which is no direction and thus not usable.
    """
    fitting = vector_lengths(features) == dimension
    vectors = features[fitting].to_numpy() if not fitting.all() else features.to_numpy()
    if len(vectors) and isinstance(vectors[0], (bytes, bytearray)):
        stacked = np.frombuffer(b"".join(vectors), np.dtype("<f4")).reshape(-1, dimension)
    else:
        stacked = np.concatenate([*vectors, np.empty(0, np.float32)], dtype=np.float32).reshape(-1, dimension)
    if fitting.all():
        return stacked
    matrix = np.zeros((len(features), dimension), np.float32)
    matrix[fitting] = stacked
    return matrix
