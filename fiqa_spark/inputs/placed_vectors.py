"""Vectors of Parquet files by their places in these, for workers that read the files by themselves."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlparse

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs.identity_rows import kept_values_of
from fiqa_spark.inputs.settings import INT16
from fiqa_spark.kernels.embeddings import whole_numbers
from fiqa_spark.runtime.worker_files import told_as_by_spark

FILE, ROW_OF_FILE = "file", "row_of_file"
# Read at once, so that a row group of any size takes little memory.
_BUFFER_BYTES, _VECTORS_AT_ONCE = 1 << 20, 4096


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
        self._next, self._rest, self._batches = 0, pa.array([], pa.list_(pa.float32())), iter(())

    def read(self, places: pa.RecordBatch) -> ReadVectors:
        """The vectors at places, `file` and `row_of_file`."""
        files, rows = places.column(FILE).dictionary_encode(), places.column(ROW_OF_FILE).to_numpy()
        codes = files.indices.to_numpy()
        steps = (codes[1:] != codes[:-1]) | (rows[1:] != rows[:-1] + 1)
        borders = [0, *(np.flatnonzero(steps) + 1).tolist(), len(rows)]
        parts = [
            part
            for begin, end in itertools.pairwise(borders)
            for part in self._run(files.dictionary[int(codes[begin])].as_py(), int(rows[begin]), end - begin)
        ]
        return self._kept(pa.chunked_array(parts, pa.list_(pa.float32())))

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
        file = pq.ParquetFile(pa.OSFile(path), buffer_size=_BUFFER_BYTES)
        groups = range(file.metadata.num_row_groups)
        ends = np.cumsum([file.metadata.row_group(group).num_rows for group in groups])
        group = int(np.searchsorted(ends, first, side="right"))
        self._batches = file.iter_batches(
            _VECTORS_AT_ONCE, row_groups=list(groups[group:]), columns=[self._column], use_threads=False
        )
        self._address, self._next, self._rest = address, first, pa.array([], pa.list_(pa.float32()))
        skipped = first - (int(ends[group - 1]) if group else 0)
        while skipped:
            vectors = self._more(path)
            self._rest, skipped = vectors[skipped:], max(0, skipped - len(vectors))

    def _more(self, path: str) -> pa.Array:
        """The next vectors of the open file."""
        batch = next(self._batches, None)
        if batch is None:
            raise FileNotFoundError(f"{path} has fewer rows than it had")
        return batch.column(0).cast(pa.list_(pa.float32()))

    def _kept(self, vectors: pa.ChunkedArray) -> ReadVectors:
        lengths = vectors.combine_chunks().value_lengths().fill_null(0).to_numpy().astype(np.int64)
        values = np.concatenate(
            [np.empty(0, np.float32), *(part.flatten().to_numpy(zero_copy_only=False) for part in vectors.chunks)]
        )
        if len(lengths) and lengths[0] and (lengths == lengths[0]).all():
            matrix = values.reshape(-1, lengths[0])
            kept, norms = whole_numbers(matrix) if self._precision == INT16 else (matrix, None)
            return ReadVectors(kept, lengths, norms)
        kept, norms = kept_values_of(np.split(values, np.cumsum(lengths)[:-1]), lengths, self._precision)
        return ReadVectors(kept, lengths, norms)


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
