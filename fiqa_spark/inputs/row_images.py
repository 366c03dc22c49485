"""Images that a store, or what serves as one, keeps in rows of an identity: those of many rows as flat arrays."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fiqa_spark import schemas
from fiqa_spark.inputs.identity_rows import VALUE_TYPES
from fiqa_spark.inputs.placed_vectors import in_another_order
from fiqa_spark.inputs.settings import INT16

# An odd number by whose multiples hashes of different rows are kept apart.
_APART = np.uint64(0x9E3779B97F4A7C15)
OF_STORE = (schemas.KEY_HASHES, schemas.FEATURES, schemas.NORMS, schemas.LENGTHS)
"""Columns of a store that tell its vectors."""


class RowImages(NamedTuple):
    """Images of rows, those of one row after those of the other; one element an image."""

    owners: npt.NDArray[np.intp]
    """Number of the row."""
    hashes: npt.NDArray[np.int64]
    """Hash of the key."""
    vectors: npt.NDArray[np.generic]
    """As they are kept, shape (images, dimension) where all have one length; the values of one after the other else."""
    lengths: npt.NDArray[np.int64]
    """Length of each vector, 0 for none."""
    norms: npt.NDArray[np.float32] | None
    """Lengths that the vectors had, where they are kept beside."""
    problems: npt.NDArray[np.object_] | None = None
    """Why there is no vector, or None; None for all where that was not asked for, or no row tells any."""

    def of(self, chosen: npt.NDArray[np.intp]) -> "RowImages":
        """Some of the images, by their numbers."""
        vectors = in_another_order(self.vectors, self.lengths, chosen)
        norms = None if self.norms is None else self.norms[chosen]
        problems = None if self.problems is None else self.problems[chosen]
        return RowImages(self.owners[chosen], self.hashes[chosen], vectors, self.lengths[chosen], norms, problems)

    def stacked(self, dimension: int) -> npt.NDArray[np.generic]:
        """Vectors of such a length, shape (images, dimension); zeros, which are no direction, for one of another."""
        fitting = self.lengths == dimension
        if fitting.all():
            return self.vectors.reshape(-1, dimension)
        vectors = np.zeros((len(fitting), dimension), self.vectors.dtype)
        if fitting.any():
            vectors[fitting] = in_another_order(self.vectors, self.lengths, np.flatnonzero(fitting)).reshape(
                -1, dimension
            )
        return vectors


def flat(rows: pd.DataFrame, name: str) -> npt.NDArray[Any]:
    """The values of all images of a column of arrays."""
    return np.concatenate(rows[name].to_numpy())


def owners_of(rows: pd.DataFrame, name: str) -> npt.NDArray[np.intp]:
    """Of each value in a column of arrays the number of its row."""
    return np.repeat(np.arange(len(rows)), np.fromiter(map(len, rows[name]), np.intp, len(rows)))


def apart(hashes: npt.NDArray[np.int64], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
    """Hashes, of which those of different rows are not equal but by chance."""
    return hashes.view(np.uint64) + rows.astype(np.uint64) * _APART


def no_images(precision: str) -> RowImages:
    """Images of no rows."""
    none, norms = np.empty(0, np.int64), np.empty(0, np.float32) if precision == INT16 else None
    return RowImages(none, none, np.empty(0, VALUE_TYPES[precision]), none, norms)


def images_of_frame(rows: pd.DataFrame, precision: str) -> RowImages:
    """Images of rows of a store as Spark hands them over.

    Parameters
    ----------
    rows : DataFrame of pandas
        `key_hashes`, `features`, `norms`, `lengths` and perhaps `problems`, as of `schemas.FEATURE_STORE`; all None
        where the store lacks the row.
    precision : {'float32', 'int16'}
        Type of the values of vectors.
    """
    kind, owners = VALUE_TYPES[precision], np.flatnonzero(rows[schemas.KEY_HASHES].notna().to_numpy())
    stored = {name: rows[name].to_numpy()[owners] for name in (*OF_STORE, schemas.PROBLEMS) if name in rows}
    counts, row_bytes = (
        np.fromiter(map(len, stored[name]), np.int64, len(owners)) for name in (schemas.KEY_HASHES, schemas.FEATURES)
    )
    hashes = np.concatenate([np.empty(0, np.int64), *stored[schemas.KEY_HASHES]])
    norms = None
    if precision == INT16:
        norms = np.concatenate([np.empty(0, np.float32), *stored[schemas.NORMS]]).astype(np.float32, copy=False)
    lengths = _lengths(counts, _whole_values(row_bytes, kind), stored[schemas.LENGTHS])
    values = np.frombuffer(b"".join(stored[schemas.FEATURES]), kind)
    problems = _problems(counts, stored.get(schemas.PROBLEMS))
    return RowImages(np.repeat(owners, counts), hashes, _in_shape(values, lengths), lengths, norms, problems)


def images_of_batch(rows: pa.RecordBatch, owners: npt.NDArray[np.intp], precision: str) -> RowImages:
    """As `images_of_frame`, out of rows as they were read, for the rows of such numbers; vectors are not copied."""
    kind, hashes = VALUE_TYPES[precision], rows.column(schemas.KEY_HASHES)
    counts = hashes.value_lengths().to_numpy()
    features = rows.column(schemas.FEATURES)
    _, offsets, content = features.buffers()
    ends = np.frombuffer(offsets, np.int32)[features.offset :][: len(features) + 1].astype(np.int64)
    lengths = _lengths(counts, _whole_values(np.diff(ends), kind), _objects(rows, schemas.LENGTHS))
    values = np.frombuffer(content or b"", np.uint8)[ends[0] : ends[-1]].view(kind)
    norms = rows.column(schemas.NORMS).flatten().to_numpy() if precision == INT16 else None
    problems = _problems(counts, _objects(rows, schemas.PROBLEMS))
    return RowImages(
        *(np.repeat(owners, counts), hashes.flatten().to_numpy(), _in_shape(values, lengths), lengths, norms, problems)
    )


def _in_shape(values: npt.NDArray[np.generic], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.generic]:
    """Vectors as of `RowImages`; OSError unless they have these lengths, as all behind would be taken for others."""
    if lengths.sum() != len(values):
        raise OSError(f"rows of {lengths.sum()} values hold {len(values)}")
    are_equal = len(lengths) > 0 and lengths[0] > 0 and (lengths == lengths[0]).all()
    return values.reshape(len(lengths), -1) if are_equal else values


def _whole_values(row_bytes: npt.NDArray[np.int64], kind: np.dtype[Any]) -> npt.NDArray[np.int64]:
    """Number of values of each row; OSError where its bytes are no whole number of them."""
    if (row_bytes % kind.itemsize).any():
        raise OSError(f"bytes of vectors are no {kind} values")
    return row_bytes // kind.itemsize


def _objects(rows: pa.RecordBatch, name: str) -> npt.NDArray[np.object_] | None:
    """The lists of a column; None if it is not there, or all are null."""
    column = rows.column(name) if name in rows.schema.names else None
    return None if column is None or column.null_count == len(column) else column.to_pandas().to_numpy(object)


def _lengths(
    counts: npt.NDArray[np.int64], values: npt.NDArray[np.int64], own: npt.NDArray[np.object_] | None
) -> npt.NDArray[np.int64]:
    """Length of each vector of rows with so many images and values, which tell their lengths where these differ."""
    lengths = np.repeat(values // counts, counts)
    return _filled(lengths, counts, own)


def _problems(counts: npt.NDArray[np.int64], own: npt.NDArray[np.object_] | None) -> npt.NDArray[np.object_] | None:
    """Problem of each image of rows that tell them; None if none does."""
    if own is None or pd.isna(own).all():
        return None
    return _filled(np.full(counts.sum(), None, object), counts, own)


def _filled(
    values: npt.NDArray[Any], counts: npt.NDArray[np.int64], own: npt.NDArray[np.object_] | None
) -> npt.NDArray[Any]:
    """Values of each image of rows, with those that a row has of its own in their place."""
    if own is not None:
        ends = np.cumsum(counts)
        for row, (end, of_row) in enumerate(zip(ends.tolist(), own, strict=True)):
            if of_row is not None:
                values[end - counts[row] : end] = of_row
    return values
