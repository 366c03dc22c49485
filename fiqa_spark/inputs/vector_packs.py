"""Vectors put together by identity for one run, in packs of a bucket each that workers write and read."""

import itertools
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.identity_rows import VALUE_TYPES
from fiqa_spark.inputs.placed_vectors import COLUMNS_OF_PLACE, PlacedVectors, VectorFiles, in_another_order
from fiqa_spark.runtime.partition_places import spark_hashes
from fiqa_spark.runtime.sql_conf import planned_for_vectors_read
from fiqa_spark.runtime.worker_files import told_as_by_spark
from fiqa_spark.runtime.workers import in_worker

_LENGTH, _NORM = "length", "norm"
_HASHES = (schemas.IDENTITY_KEY, schemas.KEY_HASH)
# A task writes its packs one after the other: vectors, then what is known of their images. Beside them it writes where
# those of each bucket are: for each bucket the number of the packs of those before it, and then for each pack, in the
# order of the buckets, where its vectors begin, where they end, and where it ends.
_PACKS, _INDEX = ".packs", ".index"
_NUMBER, _PLACES = np.dtype("<i8"), 3


class VectorPacks(NamedTuple):
    """The packs of a run."""

    folder: str
    """Path on the disk of the workers."""
    buckets: int
    precision: str
    """Type of the values of vectors."""

    def of_bucket(self, number: int) -> "PackedBucket | None":
        """The images of a bucket; None if it has none."""
        packs = [pack for task in self._tasks() for pack in self._read(task, number)]
        return PackedBucket(packs, self.precision) if packs else None

    def _tasks(self) -> list[str]:
        """Paths of the files of each task without their endings, in the order of the tasks."""
        names = sorted(name for name in os.listdir(self.folder) if name.endswith(_INDEX))
        return [f"{self.folder}/{name.removesuffix(_INDEX)}" for name in names]

    def _read(self, task: str, number: int) -> "Iterator[_Pack]":
        """The packs of a bucket that a task wrote."""
        with told_as_by_spark(task):
            before, end = np.fromfile(task + _INDEX, _NUMBER, 2, offset=number * _NUMBER.itemsize).tolist()
            if before == end:
                return
            first = (self.buckets + 1 + _PLACES * before) * _NUMBER.itemsize
            places = np.fromfile(task + _INDEX, _NUMBER, _PLACES * (end - before), offset=first)
            with pa.OSFile(task + _PACKS) as file:
                for begin, known, stop in places.reshape(-1, _PLACES).tolist():
                    file.seek(known)
                    with pa.ipc.open_stream(file.read_buffer(stop - known)) as stream:
                        yield _Pack(stream.read_next_batch(), task + _PACKS, begin)


class _Pack(NamedTuple):
    """A pack, but for the vectors."""

    images: pa.RecordBatch
    path: str
    begin: int
    """Where the vectors begin in the file."""


def write_packs(placed: PlacedVectors, folder: str, *, index: int, buckets: int, precision: str) -> VectorPacks:
    """Write the packs of all vectors.

    Parameters
    ----------
    folder : str
        Path of an existing folder on the disk of the workers, for as many bytes as all vectors have.
    index : int
        Part of the key by which vectors are put together, see `keys.identity_key`.
    buckets : int
    precision : {'float32', 'int16'}
        Type of the values that vectors are kept in.
    """
    path, column = F.col(schemas.PATH), placed.column
    keyed = placed.table.select(
        *COLUMNS_OF_PLACE,
        keys.identity_key(path, index).alias(schemas.IDENTITY_KEY),
        F.xxhash64(path).alias(schemas.KEY_HASH),
    )

    @in_worker
    def pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task: Any = TaskContext.get()
        name, files, places = f"{folder}/{task.partitionId():06d}", VectorFiles(column, precision), []
        with pa.OSFile(name + _PACKS, "wb") as file:
            for batch in batches:
                places += [(bucket, *written) for bucket, written in _written(batch, files, buckets, file)]
        _write_index(name + _INDEX, places, buckets)
        yield pa.RecordBatch.from_arrays([pa.array([len(places)], pa.int64())], ["packs"])

    with planned_for_vectors_read(placed.table.sparkSession, placed.dimension):
        keyed.mapInArrow(pack, "packs long").collect()
    return VectorPacks(folder, buckets, precision)


def _written(
    batch: pa.RecordBatch, files: VectorFiles, buckets: int, file: pa.NativeFile
) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Write a pack for each bucket that images are of; yields the bucket, and the places of the pack."""
    identity_keys, hashes = (batch.column(name).to_numpy() for name in _HASHES)
    numbers = spark_hashes(identity_keys).astype(np.int64) % buckets
    # What is read together later stands together.
    order = np.lexsort((hashes, identity_keys, numbers))
    vectors = files.read(batch, order)
    columns = {name: batch.column(name).take(pa.array(order)) for name in (*_HASHES, schemas.PATH)}
    columns[_LENGTH] = pa.array(vectors.lengths)
    if vectors.norms is not None:
        columns[_NORM] = pa.array(vectors.norms)
    rows, values = pa.RecordBatch.from_arrays(list(columns.values()), list(columns)), vectors.values.reshape(-1)
    before = np.append(0, np.cumsum(vectors.lengths)).tolist()
    found, firsts = np.unique(numbers[order], return_index=True)
    for bucket, (first, end) in zip(found.tolist(), itertools.pairwise([*firsts.tolist(), len(order)]), strict=True):
        begin = file.tell()
        file.write(pa.py_buffer(values[before[first] : before[end]]))
        known = file.tell()
        with pa.ipc.new_stream(file, rows.schema) as writer:
            writer.write_batch(rows[first:end])
        yield bucket, (begin, known, file.tell())


def _write_index(path: str, places: list[tuple[int, int, int, int]], buckets: int) -> None:
    """Write where packs are: bucket, and places of each."""
    table = np.array(sorted(places), _NUMBER).reshape(-1, 1 + _PLACES)
    before = np.searchsorted(table[:, 0], np.arange(buckets + 1)).astype(_NUMBER)
    np.concatenate([before, table[:, 1:].ravel()]).tofile(path)


class PackedBucket:
    """Images of a bucket by identity and key hash; their vectors are read when they are asked for.

    Parameters
    ----------
    packs : list of _Pack
    precision : str
        Type of the values of vectors.
    """

    def __init__(self, packs: list[_Pack], precision: str) -> None:
        self._table, self._kind = pa.Table.from_batches([pack.images for pack in packs]), VALUE_TYPES[precision]
        self.precision = precision
        identity_keys, hashes = (self._table[name].to_numpy() for name in _HASHES)
        order = np.lexsort((hashes, identity_keys))
        if len(np.unique(hashes)) < len(order):
            order = np.lexsort((self._paths().astype(str), hashes, identity_keys))
        self._order, self.identity_keys, self.key_hashes = order, identity_keys[order], hashes[order]
        self._lengths: npt.NDArray[np.int64] = self._table[_LENGTH].to_numpy()
        self.lengths = self._lengths[order]
        """Length of each vector, 0 for none."""
        self.norms = self._table[_NORM].to_numpy()[order] if _NORM in self._table.column_names else None
        """Length that each vector had, where it is kept beside."""
        self._packs = [(pack.path, pack.begin) for pack in packs]
        self._files: dict[str, pa.OSFile] = {}
        self._firsts = np.cumsum([0, *(pack.images.num_rows for pack in packs)])
        self._values_before = np.append(0, np.cumsum(self._lengths))

    def _paths(self) -> npt.NDArray[np.object_]:
        return self._table[schemas.PATH].to_pandas().to_numpy(object)

    @property
    def keys(self) -> npt.NDArray[np.object_]:
        """Key of each image."""
        return self._paths()[self._order]

    def vectors(self, places: npt.NDArray[np.intp]) -> npt.NDArray[np.generic]:
        """Vectors of images by their numbers, of which there is at least one; neighbours are read soonest.

        Returns
        -------
        ndarray
            Shape (images, dimension) where all have one length; the values of one after the other else.
        """
        rows, lengths = self._order[places], self.lengths[places]
        packs = np.searchsorted(self._firsts, rows, side="right") - 1
        if not lengths[0] or (lengths != lengths[0]).any():
            each = zip(packs.tolist(), rows.tolist(), strict=True)
            return np.concatenate([self._of_pack(pack, np.array([row])).reshape(-1) for pack, row in each])
        found, by_pack = np.empty((len(rows), lengths[0]), self._kind), np.argsort(packs, kind="stable")
        borders = np.flatnonzero(np.diff(packs[by_pack], prepend=-1)).tolist()
        for first, end in itertools.pairwise([*borders, len(rows)]):
            here = by_pack[first:end]
            found[here] = self._of_pack(int(packs[here[0]]), rows[here]).reshape(-1, lengths[0])
        return found

    def _of_pack(self, number: int, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.generic]:
        """Vectors of a pack as of `in_another_order`; rows ascend."""
        path, begin = self._packs[number]
        first, end = int(rows[0]), int(rows[-1]) + 1
        before, here, behind = self._values_before[[self._firsts[number], first, end]].tolist()
        place, size = begin + (here - before) * self._kind.itemsize, (behind - here) * self._kind.itemsize
        with told_as_by_spark(path):
            if path not in self._files:
                self._files[path] = pa.OSFile(path)
            content = self._files[path].read_at(size, place)
            if len(content) < size:
                raise OSError("it is shorter than it was")
        values, lengths = np.frombuffer(content, self._kind), self._lengths[first:end]
        if end - first == len(rows):
            return values
        if lengths[0] and (lengths == lengths[0]).all():
            values = values.reshape(-1, lengths[0])
        return in_another_order(values, lengths, rows - first)
