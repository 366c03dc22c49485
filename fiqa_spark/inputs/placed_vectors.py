"""Vectors of Parquet files by their places in these, for workers that read the files by themselves."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlparse

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs.identity_rows import VALUE_TYPES, kept_values_of
from fiqa_spark.inputs.settings import INT16
from fiqa_spark.kernels.embeddings import whole_numbers
from fiqa_spark.runtime.spark_failures import as_user_error
from fiqa_spark.runtime.worker_files import told_as_by_spark

FILE, ROW_OF_FILE = "file", "row_of_file"
# Read at once, so that a row group of any size takes little memory.
_BUFFER_BYTES, _VECTORS_AT_ONCE = 1 << 20, 4096
_VECTORS_LOOKED_AT, _LISTS = 64, pa.list_(pa.float32())


class PlacedVectors(NamedTuple):
    """Vectors of which only the places are known."""

    table: DataFrame
    """`path` (the key), and the `file` (its address) and `row_of_file` that have the vector."""
    column: str
    """Name of the column of vectors, lists of float, in all files."""
    rows: int
    """About how many there are."""
    dimension: int
    """Length of most of them, as far as a look at one tells it."""


class ReadVectors(NamedTuple):
    """Vectors as a store keeps them."""

    values: npt.NDArray[np.generic]
    """Shape (n, dimension) where all have one length; the values of one after the other else."""
    lengths: npt.NDArray[np.int64]
    norms: npt.NDArray[np.float32] | None


class VectorFiles:
    """Reads vectors where they stand; fastest in the order of files and rows.

    Parameters
    ----------
    column : str
        Name of the column of vectors.
    precision : {'float32', 'int16'}
        Type of the values that vectors are kept in.
    """

    def __init__(self, column: str, precision: str) -> None:
        self._column, self._precision = column, precision
        self._address: str | None = None
        self._next, self._rest = 0, pa.array([], _LISTS)
        self._batches: Iterator[pa.Array] = iter(())

    def read(self, places: pa.RecordBatch, order: npt.NDArray[np.intp] | None = None) -> ReadVectors:
        """The vectors at places, `file` and `row_of_file`, or those at the places of such numbers, each once."""
        files, rows = places.column(FILE).dictionary_encode(), places.column(ROW_OF_FILE).to_numpy()
        codes = files.indices.to_numpy()
        steps = (codes[1:] != codes[:-1]) | (rows[1:] != rows[:-1] + 1)
        borders = [0, *(np.flatnonzero(steps) + 1).tolist(), len(rows)]
        parts = [
            part
            for begin, end in itertools.pairwise(borders)
            for part in self._run(files.dictionary[int(codes[begin])].as_py(), int(rows[begin]), end - begin)
        ]
        return self._kept(parts, np.arange(len(rows)) if order is None else order)

    def _run(self, address: str, first: int, count: int) -> Iterator[pa.Array]:
        """Vectors of neighbouring rows of a file."""
        path = unquote(urlparse(address).path)
        with told_as_by_spark(path):
            if (address, first) != (self._address, self._next):
                self._open(address, path, first)
            while count:
                while not len(self._rest):
                    self._rest = self._more(path)
                part, self._rest = self._rest[:count], self._rest[count:]
                count, self._next = count - len(part), self._next + len(part)
                yield part

    def _open(self, address: str, path: str, first: int) -> None:
        file = _opened(path)
        groups = range(file.metadata.num_row_groups)
        ends = np.cumsum([file.metadata.row_group(group).num_rows for group in groups])
        group = int(np.searchsorted(ends, first, side="right"))
        self._batches = _vectors_in(file, path, list(groups[group:]), self._column)
        self._address, self._next, self._rest = address, first, pa.array([], _LISTS)
        skipped = first - (int(ends[group - 1]) if group else 0)
        while skipped:
            vectors = self._more(path)
            self._rest, skipped = vectors[skipped:], max(0, skipped - len(vectors))

    def _more(self, path: str) -> pa.Array:
        """The next vectors of the open file."""
        batch = next(self._batches, None)
        if batch is None:
            raise FileNotFoundError(f"{path} has fewer rows than it had")
        return batch

    def _kept(self, parts: list[pa.Array], order: npt.NDArray[np.intp]) -> ReadVectors:
        lengths = np.concatenate([part.value_lengths().fill_null(0).to_numpy() for part in parts]).astype(np.int64)
        values = [part.flatten().to_numpy(zero_copy_only=False) for part in parts]
        if not lengths[0] or (lengths != lengths[0]).any():
            each, lengths = np.split(np.concatenate(values), np.cumsum(lengths)[:-1]), lengths[order]
            kept, norms = kept_values_of([each[row] for row in order.tolist()], lengths, self._precision)
            return ReadVectors(kept, lengths, norms)
        # Each vector is copied once, to where it shall stand.
        matrix = np.empty((len(order), lengths[0]), VALUE_TYPES[self._precision])
        of_all = np.empty(len(order), np.float32) if self._precision == INT16 else None
        targets, first = np.argsort(order), 0
        for vectors in (part.reshape(-1, lengths[0]) for part in values):
            here = targets[first : first + len(vectors)]
            if of_all is None:
                matrix[here] = vectors
            else:
                matrix[here], of_all[here] = whole_numbers(vectors)
            first += len(vectors)
        return ReadVectors(matrix, lengths, of_all)


def length_of_first_vector(paths: Iterable[str], column: str) -> int:
    """Length of the first vector of files, of which a column holds lists of float; 1 if all are empty.

    Raises
    ------
    InputError
        If one of the files cannot be read.
    """
    try:
        return next(filter(None, (_length_of_first(path, column) for path in paths)), 1)
    except ValueError as error:
        raise as_user_error(error) or error from None


def _length_of_first(path: str, column: str) -> int:
    """Length of the first vector of a file, 0 if there is none."""
    with told_as_by_spark(path):
        file = _opened(path)
        for vectors in _vectors_in(file, path, range(file.metadata.num_row_groups), column, _VECTORS_LOOKED_AT):
            lengths = vectors.value_lengths().fill_null(0).to_numpy()
            if lengths.any():
                return int(lengths[lengths > 0][0])
    return 0


def _opened(path: str) -> pq.ParquetFile:
    return pq.ParquetFile(pa.OSFile(path), buffer_size=_BUFFER_BYTES)


def _vectors_in(
    file: pq.ParquetFile, path: str, groups: Sequence[int], column: str, at_once: int | None = None
) -> Iterator[pa.Array]:
    """Vectors in row groups of a file; as for Spark they are null where it has no such column."""
    schema = file.schema_arrow
    if column not in schema.names:
        yield from (pa.nulls(file.metadata.row_group(group).num_rows, _LISTS) for group in groups)
        return
    kind = schema.field(column).type
    if getattr(kind, "value_type", None) != pa.float32():
        raise ValueError(f"file:{path}: column: [{column}], Expected: float, Found: {kind}")
    for batch in file.iter_batches(
        at_once or _VECTORS_AT_ONCE, row_groups=list(groups), columns=[column], use_threads=False
    ):
        yield batch.column(0).cast(_LISTS)


def in_another_order(
    values: npt.NDArray[np.generic], lengths: npt.NDArray[np.int64], rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.generic]:
    """Some vectors of those in `ReadVectors.values`, in the same form."""
    if values.ndim == 2:
        return values[rows]
    ends = np.cumsum(lengths)
    return np.concatenate([values[:0], *(values[ends[row] - lengths[row] : ends[row]] for row in rows.tolist())])


COLUMNS_OF_PLACE = (schemas.PATH, FILE, ROW_OF_FILE)
"""Of the table of `PlacedVectors`."""
