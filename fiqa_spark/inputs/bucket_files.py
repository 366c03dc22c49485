"""Buckets of vectors on a disk that the workers see, read by themselves: vectors need not pass through Java then."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fiqa_spark import schemas
from fiqa_spark.inputs.row_images import OF_STORE, RowImages, images_of_batch, no_images
from fiqa_spark.runtime.storage import Storage
from fiqa_spark.runtime.worker_files import told_as_by_spark

# Spark ends the name of a file with the number of its bucket.
_OF_BUCKET = re.compile(r"part-.*_(\d+)(?:\.c\d+)?\.parquet")
_MEET_ON = (schemas.IDENTITY_KEY, schemas.PIECE)
_ROW = "row_of_bucket"


class OpenBucket(Protocol):
    """A bucket that is being read."""

    def beside(self, frame: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, RowImages]]:
        """The rows of a frame, all of this bucket, as `beside_stored` yields them."""


class Buckets(Protocol):
    """Vectors in buckets by identity key, which workers read by themselves."""

    @property
    def precision(self) -> str:
        """Type of the values of vectors."""

    def opened(self, number: int, columns: Sequence[str]) -> OpenBucket | None:
        """A bucket, of which these columns of a store are wanted; None if it has no rows."""


class BucketFiles(NamedTuple):
    """Buckets of a store, see `Buckets`."""

    paths: Mapping[int, str]
    """Path of the file of each bucket that has any rows."""
    precision: str

    def opened(self, number: int, columns: Sequence[str]) -> "_Bucket | None":
        """As of `Buckets`."""
        return _Bucket(self.paths[number], columns, self.precision) if number in self.paths else None


def bucket_files(storage: Storage, folder: str, precision: str) -> BucketFiles | None:
    """The buckets of a store.

    Parameters
    ----------
    folder : str
        Of a store.
    precision : str
        Type of the values of its vectors.

    Returns
    -------
    BucketFiles or None
        None where workers do not see its files, as on a cluster.
    """
    local = storage.seen_by_workers(folder)
    if local is None:
        return None
    numbers = {name: _OF_BUCKET.fullmatch(name) for name, *_ in storage.entries(folder)}
    files = {int(found[1]): f"{local}/{name}" for name, found in numbers.items() if found}
    # Several files of a bucket are for Spark to merge.
    return BucketFiles(files, precision) if len(files) == sum(map(bool, numbers.values())) else None


def beside_stored(
    frames: Iterator[pd.DataFrame], buckets: Buckets, columns: Sequence[str] = OF_STORE
) -> Iterator[tuple[pd.DataFrame, RowImages]]:
    """Rows that name identities, each beside the images of its row in a store.

    Parameters
    ----------
    frames : iterator of DataFrame of pandas
        With `identity_key`, `identity_bucket` (see `keys.bucket`) and perhaps `piece`; by default all pieces of an
        identity are meant. Rows in the order of these are read soonest.
    buckets : Buckets
    columns : sequence of str
        Of the store, to be read.

    Yields
    ------
    rows : DataFrame of pandas
        The same rows in their order, one for each piece that is meant.
    images : RowImages
        Those that a store has of them.
    """
    bucket, its_number = None, None
    for frame in frames:
        for number, part in frame.groupby(schemas.IDENTITY_BUCKET, sort=False):
            if number != its_number:
                # It is gone before the next one is read.
                bucket = None
                bucket, its_number = buckets.opened(number, columns), number
            yield from bucket.beside(part) if bucket else [(part, no_images(buckets.precision))]


class _Bucket:
    """The rows of a bucket, of which one row group after the other is read.

    Parameters
    ----------
    path : str
        Of its file.
    columns : sequence of str
        What is read of them.
    precision : str
        Type of the values of vectors.
    """

    def __init__(self, path: str, columns: Sequence[str], precision: str) -> None:
        self.path, self._columns, self._precision = path, list(columns), precision
        with told_as_by_spark(path):
            self._file = pq.ParquetFile(pa.OSFile(path))
            self._index = self._file.read(list(_MEET_ON), use_threads=False).to_pandas()
        self._index[_ROW] = np.arange(len(self._index))
        of_file = self._file.metadata
        self._ends = np.cumsum([of_file.row_group(group).num_rows for group in range(of_file.num_row_groups)])
        self._read: tuple[int, pa.RecordBatch] | None = None

    def beside(self, frame: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, RowImages]]:
        """The rows of a frame as `beside_stored` yields them, those of a row group at once."""
        on = [name for name in _MEET_ON if name in frame]
        met = frame.merge(self._index.drop(columns=set(_MEET_ON) - set(on)), on=on, how="left")
        rows = met.pop(_ROW).fillna(-1).to_numpy(np.int64)
        # What is missing goes with what came before.
        before = np.maximum.accumulate(np.where(rows >= 0, np.arange(len(rows)), 0))
        groups = np.searchsorted(self._ends, np.maximum(rows[before], 0), side="right")
        borders = np.flatnonzero(np.diff(groups, prepend=-1)).tolist()
        for first, end in itertools.pairwise([*borders, len(met)]):
            yield met.iloc[first:end], self._images(int(groups[first]), rows[first:end])

    def _images(self, group: int, rows: npt.NDArray[np.int64]) -> RowImages:
        """Images of rows of a row group, by their numbers in the file; a negative number stands for none."""
        owners = np.flatnonzero(rows >= 0)
        if not len(owners):
            return no_images(self._precision)
        stored = self._group(group)
        of_group = rows[owners] - (self._ends[group] - stored.num_rows)
        if (np.diff(of_group) == 1).all():
            stored = stored.slice(of_group[0], len(of_group))
        else:
            stored = stored.take(pa.array(of_group))
        with told_as_by_spark(self.path):
            return images_of_batch(stored, owners, self._precision)

    def _group(self, number: int) -> pa.RecordBatch:
        if self._read is None or self._read[0] != number:
            # Its vectors are gone before those of the next one are read.
            self._read = None
            with told_as_by_spark(self.path):
                table = self._file.read_row_group(number, self._columns, use_threads=False)
            [batch] = table.combine_chunks().to_batches()
            self._read = number, batch
        return self._read[1]
