"""Images of an identity in one row, as a feature store keeps them: made of rows of an image each."""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs.settings import FLOAT32, INT16
from fiqa_spark.inputs.vectors import stack_vectors, vector_lengths
from fiqa_spark.kernels.embeddings import whole_numbers
from fiqa_spark.runtime.workers import in_worker

VALUE_TYPES: dict[str, np.dtype[Any]] = {FLOAT32: np.dtype("<f4"), INT16: np.dtype("<i2")}
"""Type of the values of vectors, by the precision of a store."""
# Of the images that a row may have, pieces have so many in the mean, so that chance makes none of them larger.
_SHARE_OF_A_PIECE = 0.75
_ALL_HASHES, _LEAST_HASH = 1 << 64, -(1 << 63)
_CUT_OFF = "the bytes of the feature are no float32 values"


def piece_of(bits: Column) -> Column:
    """Number of the piece of an identity that holds an image of such a `key_hash`, of which so many bits tell it."""
    shifted = F.call_function("shiftright", F.col(schemas.KEY_HASH), F.lit(64) - bits)
    # A shift by 64 is none at all.
    return F.when(bits > 0, shifted).otherwise(0).cast("int")


def identity_rows(images: DataFrame, precision: str, most: int) -> DataFrame:
    """Images of each identity in one row, or in several pieces of a large one.

    Parameters
    ----------
    images : DataFrame
        `identity_key`, `key_hash`, `path`, `feature` (binary or array<float>), `problem`; the images of an identity key
        are neighbours in one partition, in the order of their hashes.
    precision : {'float32', 'int16'}
        Type of the values that vectors are kept in.
    most : int
        Images of a row; an identity of more is cut into pieces.

    Returns
    -------
    DataFrame
        With the schema `schemas.FEATURE_STORE`.
    """

    @in_worker
    def pack(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        parts = ((frame[schemas.IDENTITY_KEY].to_numpy(), _images_in(frame, precision)) for frame in frames)
        for rows in rows_of_parts(parts, most):
            yield pd.DataFrame(rows, columns=schemas.FEATURE_STORE.names, dtype=object)

    names = (schemas.IDENTITY_KEY, schemas.KEY_HASH, schemas.PATH, schemas.FEATURE, schemas.PROBLEM)
    return images.select(*names).mapInPandas(pack, schemas.FEATURE_STORE)


class StoredImages(NamedTuple):
    """Images of one identity that came together, in the order of their hashes; one element an image."""

    hashes: npt.NDArray[np.int64]
    keys: npt.NDArray[np.object_]
    vectors: npt.NDArray[np.generic]
    """Shape (images, dimension) where all have one length; the values of one after the other else."""
    lengths: npt.NDArray[np.int64]
    norms: npt.NDArray[np.float32] | None
    problems: npt.NDArray[np.object_]

    def part(self, first: int, end: int | None = None) -> "StoredImages":
        """The images from one to before another."""
        cut = slice(first, end)
        if self.vectors.ndim == 2:
            vectors = self.vectors[cut]
        else:
            ends = np.append(0, np.cumsum(self.lengths))
            vectors = self.vectors[ends[first] : ends[len(self.lengths) if end is None else end]]
        norms = None if self.norms is None else self.norms[cut]
        return StoredImages(self.hashes[cut], self.keys[cut], vectors, self.lengths[cut], norms, self.problems[cut])


def rows_of_parts(
    parts: Iterable[tuple[npt.NDArray[np.int64], StoredImages]], most: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Rows, with the schema `schemas.FEATURE_STORE`, of the identities that each part completes.

    Parameters
    ----------
    parts : iterable of (ndarray of int64, StoredImages)
        Identity keys, of which equal ones are neighbours, and the images, those of a key in the order of their hashes.
    most : int
        Images of a row.
    """
    open_key: int | None = None
    gathered = _Gathered(most)
    for identity_keys, images in parts:
        rows: list[tuple[Any, ...]] = []
        inner = np.flatnonzero(identity_keys[1:] != identity_keys[:-1]) + 1
        borders = [0, *inner.tolist(), len(identity_keys)]
        for first, end in itertools.pairwise(borders if len(identity_keys) else []):
            key = int(identity_keys[first])
            if key != open_key:
                rows += gathered.rest(open_key)
                open_key, gathered = key, _Gathered(most)
            rows += gathered.complete(key, images.part(first, end))
        yield rows
    yield list(gathered.rest(open_key))


class _Gathered:
    """Images of one identity that are in no row yet."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[StoredImages] = []
        self._count, self._bits = 0, 0

    def complete(self, key: int, images: StoredImages) -> Iterator[tuple[Any, ...]]:
        """Add images; the rows of the pieces before the one that the last of them is in."""
        self._parts.append(images)
        self._count += len(images.keys)
        if self._count <= self._most:
            return iter(())
        if not self._bits:
            self._bits = bits_for(self._parts[-1].hashes[-1], self._count, self._most)
        numbers = [part.hashes >> (64 - self._bits) for part in self._parts]
        last = numbers[-1][-1]
        done, self._parts = _split(self._parts, [int(np.searchsorted(each, last)) for each in numbers])
        self._count = sum(len(part.keys) for part in self._parts)
        return self._pieces(key, done)

    def rest(self, key: int | None) -> Iterator[tuple[Any, ...]]:
        """The rows of what is left; no more images will come."""
        if key is None or not self._count:
            return iter(())
        return self._pieces(key, self._parts)

    def _pieces(self, key: int, parts: list[StoredImages]) -> Iterator[tuple[Any, ...]]:
        if not self._bits:
            yield _row(key, 0, 0, parts)
            return
        while parts := [part for part in parts if len(part.keys)]:
            numbers = [part.hashes >> (64 - self._bits) for part in parts]
            piece = int(numbers[0][0])
            of_piece, parts = _split(parts, [int(np.searchsorted(each, piece, "right")) for each in numbers])
            yield _row(key, piece, self._bits, [part for part in of_piece if len(part.keys)])


def _split(parts: list[StoredImages], borders: list[int]) -> tuple[list[StoredImages], list[StoredImages]]:
    """Each part before a border, and from it on."""
    both = list(zip(parts, borders, strict=True))
    return [part.part(0, border) for part, border in both], [part.part(border) for part, border in both]


def bits_for(last_hash: int, count: int, most: int) -> int:
    """Bits of the hash that tell the pieces of an identity.

    Parameters
    ----------
    last_hash : int
        Of its first images in the order of their hashes, which are uniform, that of the last.
    count : int
        How many first images these are.
    most : int
        Images that a piece may have.
    """
    seen = int(last_hash) - _LEAST_HASH + 1
    return max(1, min(32, math.ceil(math.log2(count * _ALL_HASHES / seen / (most * _SHARE_OF_A_PIECE)))))


def _row(key: int, piece: int, bits: int, parts: list[StoredImages]) -> tuple[Any, ...]:
    """A row with the schema `schemas.FEATURE_STORE`."""
    one = parts[0] if len(parts) == 1 else None
    hashes, keys, lengths, problems = (
        getattr(one, name) if one else np.concatenate([getattr(part, name) for part in parts])
        for name in ("hashes", "keys", "lengths", "problems")
    )
    content = one.vectors.tobytes() if one else b"".join(part.vectors.tobytes() for part in parts)
    norms = None if parts[0].norms is None else np.concatenate([part.norms for part in parts])
    are_equal = lengths[0] > 0 and (lengths == lengths[0]).all()
    return (
        *(key, piece, bits, keys, hashes, content, norms),
        None if are_equal else lengths.astype(np.int32),
        problems if any(problem is not None for problem in problems) else None,
    )


def _images_in(frame: pd.DataFrame, precision: str) -> StoredImages:
    """Images of a frame; their vectors have one shape where none is of another length."""
    features = frame[schemas.FEATURE]
    lengths, problems = vector_lengths(features), frame[schemas.PROBLEM].to_numpy(object)
    if (lengths < 0).any():
        problems = np.where((lengths < 0) & pd.isna(problems), _CUT_OFF, problems)
        lengths = np.maximum(lengths, 0)
    vectors, norms = _kept_values(features, lengths, precision)
    return StoredImages(
        frame[schemas.KEY_HASH].to_numpy(), frame[schemas.PATH].to_numpy(), vectors, lengths, norms, problems
    )


def kept_values_of(
    vectors: list[npt.NDArray[np.float32]], lengths: npt.NDArray[np.int64], precision: str
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.float32] | None]:
    """Vectors of several lengths, of which 0 stands for none, as they are kept, and their norms, see `StoredImages`."""
    return _kept_values(pd.Series(vectors, dtype=object), lengths, precision)


def _kept_values(
    features: pd.Series, lengths: npt.NDArray[np.int64], precision: str
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.float32] | None]:
    """Vectors as they are kept, and their norms where these are kept beside."""
    different = np.unique(lengths).tolist()
    if len(different) == 1 and different[0]:
        matrix: npt.NDArray[Any] = stack_vectors(features, different[0])
        return whole_numbers(matrix) if precision == INT16 else (matrix, None)
    norms = np.full(len(lengths), np.nan, np.float32)
    found: list[npt.NDArray[np.generic]] = [np.empty(0, VALUE_TYPES[precision])] * len(lengths)
    for length in filter(None, different):
        rows = np.flatnonzero(lengths == length)
        of_length, of_rows = _kept_values(features.iloc[rows], lengths[rows], precision)
        if of_rows is not None:
            norms[rows] = of_rows
        for row, vector in zip(rows.tolist(), of_length, strict=True):
            found[row] = vector
    return np.concatenate(found), norms if precision == INT16 else None
