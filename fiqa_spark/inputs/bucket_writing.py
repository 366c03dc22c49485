"""A feature store written by the workers themselves: Spark brings together where the vectors of a bucket lie."""

import itertools
import json
import os
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.identity_rows import VALUE_TYPES, StoredImages, rows_of_parts
from fiqa_spark.inputs.placed_vectors import COLUMNS_OF_PLACE, PlacedVectors, ReadVectors, VectorFiles, in_another_order
from fiqa_spark.runtime.partition_places import places, spark_hashes
from fiqa_spark.runtime.sql_conf import planned_for_vectors_read
from fiqa_spark.runtime.worker_files import told_as_by_spark
from fiqa_spark.runtime.workers import in_worker

_PLACE, _FILE, _BEGIN, _BYTES = "place", "file", "begin", "bytes"
_CONTENT, _LENGTH, _NORM = "content", "length", "norm"
# Images made into rows at once.
_IMAGES_AT_ONCE = 4096
_HASHES = (schemas.IDENTITY_KEY, schemas.KEY_HASH)


class WrittenBucket(NamedTuple):
    """What a bucket holds."""

    lengths: dict[int, int]
    """Length of vectors to the number of those; 0 for images without a vector."""
    row_bytes: int
    """Bytes of the vectors of the largest row."""
    piece_bits: dict[int, int]
    """Identity key of each identity in pieces, and how many bits of a hash tell the piece."""


def write_buckets(
    placed: PlacedVectors,
    folder: str,
    scratch: str,
    *,
    index: int,
    buckets: int,
    precision: str,
    images_of_row: int,
    group_bytes: int,
    umask: int,
) -> list[WrittenBucket]:
    """Write the files of a store.

    Parameters
    ----------
    folder : str
        Path of an existing folder on the disk of the workers.
    scratch : str
        Path of another one, for what is of no use afterwards: as many bytes as all vectors have.
    index : int
        Part of the key by which vectors are put together, see `keys.identity_key`.
    buckets : int
    precision : {'float32', 'int16'}
        Type of the values that vectors are kept in.
    images_of_row : int
        Images of a row; an identity of more is cut into pieces.
    group_bytes : int
        Bytes of vectors in a row group, about.
    umask : int
        Permissions that files do not get, as Hadoop has it.
    """
    number_of_place, kind, run = places(buckets), VALUE_TYPES[precision], uuid.uuid4()
    path = F.col(schemas.PATH)
    keyed = placed.table.select(
        *COLUMNS_OF_PLACE,
        keys.identity_key(path, index).alias(schemas.IDENTITY_KEY),
        F.xxhash64(path).alias(schemas.KEY_HASH),
    )
    column = placed.column

    @in_worker
    def pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task: Any = TaskContext.get()
        path, files = f"{scratch}/{task.partitionId()}", VectorFiles(column, precision)
        with pa.OSFile(path, "wb") as file:
            for batch in batches:
                found, packs = _packs(batch, files.read(batch), buckets)
                begins = [file.tell(), *(_written(pack, file) for pack in packs)]
                told = number_of_place[found], [path] * len(found), begins[:-1], np.diff(begins)
                yield pa.RecordBatch.from_arrays(list(map(pa.array, told)), [_PLACE, _FILE, _BEGIN, _BYTES])

    @in_worker
    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task: Any = TaskContext.get()
        number = task.partitionId()
        packs = [pack for batch in batches for pack in _read_packs(batch)]
        if packs:
            place, bucket = f"{folder}/part-{number:05d}-{run}_{number:05d}.c000.parquet", _Bucket(packs, kind)
            # They are copied in the bucket.
            del packs
            written = _write_file(place, rows_of_parts(bucket.parts(), images_of_row), group_bytes)
            os.chmod(place.encode(), 0o666 & ~umask)
            told = json.dumps([bucket.counts_by_length(), *written])
            yield pa.RecordBatch.from_arrays([pa.array([told])], ["told"])

    with planned_for_vectors_read(placed.table.sparkSession, placed.dimension):
        packed = keyed.mapInArrow(pack, f"{_PLACE} long, {_FILE} string, {_BEGIN} long, {_BYTES} long")
        told = packed.repartition(buckets, _PLACE).mapInArrow(write, "told string").collect()
    found = [json.loads(row.told) for row in told]
    return [WrittenBucket(dict(lengths), row_bytes, dict(bits)) for lengths, row_bytes, bits in found]


def _packs(
    batch: pa.RecordBatch, vectors: ReadVectors, buckets: int
) -> tuple[npt.NDArray[np.int64], list[pa.RecordBatch]]:
    """Images with their vectors in a pack for each bucket; the buckets' numbers, and the packs."""
    numbers = spark_hashes(batch.column(schemas.IDENTITY_KEY).to_numpy()).astype(np.int64) % buckets
    order = np.argsort(numbers, kind="stable")
    lengths, content = vectors.lengths[order], in_another_order(vectors.values, vectors.lengths, order).reshape(-1)
    offsets = np.append(0, np.cumsum(lengths * content.itemsize)).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    columns = {name: batch.column(name).take(pa.array(order)) for name in (*_HASHES, schemas.PATH)}
    columns |= {_LENGTH: pa.array(lengths), _CONTENT: pa.BinaryArray.from_buffers(pa.binary(), len(order), buffers)}
    if vectors.norms is not None:
        columns[_NORM] = pa.array(vectors.norms[order])
    rows = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    found, firsts = np.unique(numbers[order], return_index=True)
    borders = [*firsts.tolist(), len(order)]
    return found, [rows[first:end] for first, end in itertools.pairwise(borders)]


def _written(rows: pa.RecordBatch, file: pa.NativeFile) -> int:
    """Write rows, and tell where they end."""
    with pa.ipc.new_stream(file, rows.schema) as writer:
        writer.write_batch(rows)
    return file.tell()


def _read_packs(places: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for path, begin, count in zip(*(places.column(name).to_pylist() for name in (_FILE, _BEGIN, _BYTES)), strict=True):
        with told_as_by_spark(path), pa.OSFile(path) as file:
            file.seek(begin)
            with pa.ipc.open_stream(file.read_buffer(count)) as stream:
                yield stream.read_next_batch()


class _Bucket:
    """Images of all packs of a bucket.

    Parameters
    ----------
    packs : list of pyarrow.RecordBatch
        From `_packs`.
    kind : dtype
        Type of the values of vectors.
    """

    def __init__(self, packs: list[pa.RecordBatch], kind: np.dtype[Any]) -> None:
        table = pa.Table.from_batches(packs)
        self._identity_keys, self._hashes = (table[name].to_numpy() for name in _HASHES)
        self._paths, self._lengths = table[schemas.PATH].to_pandas().to_numpy(object), table[_LENGTH].to_numpy()
        self._norms = table[_NORM].to_numpy() if _NORM in table.column_names else None
        self._values = np.concatenate([_flat_values(pack, kind) for pack in packs])
        if self._lengths[0] and (self._lengths == self._lengths[0]).all():
            self._values = self._values.reshape(-1, self._lengths[0])

    def counts_by_length(self) -> list[tuple[int, int]]:
        """Each length of a vector, 0 where there is none, and the number of images of it."""
        lengths, counts = np.unique(self._lengths, return_counts=True)
        return list(zip(lengths.tolist(), counts.tolist(), strict=True))

    def parts(self) -> Iterator[tuple[npt.NDArray[np.int64], StoredImages]]:
        """Identity keys and images in the order of a store."""
        order = np.lexsort((self._hashes, self._identity_keys))
        if len(np.unique(self._hashes)) < len(order):
            order = np.lexsort((self._paths.astype(str), self._hashes, self._identity_keys))
        for first in range(0, len(order), _IMAGES_AT_ONCE):
            rows = order[first : first + _IMAGES_AT_ONCE]
            norms = None if self._norms is None else self._norms[rows]
            vectors = in_another_order(self._values, self._lengths, rows)
            known = self._hashes[rows], self._paths[rows], vectors, self._lengths[rows], norms
            yield self._identity_keys[rows], StoredImages(*known, np.full(len(rows), None, object))


def _flat_values(pack: pa.RecordBatch, kind: np.dtype[Any]) -> npt.NDArray[np.generic]:
    """Values of all vectors of a pack, one after the other, without a copy."""
    content = pack.column(_CONTENT).buffers()[2]
    # In a message that was read they begin at its begin, and it may be longer than they are.
    count = int(pack.column(_LENGTH).to_numpy().sum())
    return np.frombuffer(content, kind, count) if count else np.empty(0, kind)


def _write_file(
    path: str, rows: Iterator[list[tuple[Any, ...]]], group_bytes: int
) -> tuple[int, list[tuple[int, int]]]:
    """Write rows of a store as one file; bytes of the largest, and the bits of identities in pieces."""
    kinds = to_arrow_schema(schemas.FEATURE_STORE)
    of_vectors, of_bits = (kinds.get_field_index(name) for name in (schemas.FEATURES, schemas.PIECE_BITS))
    largest, bits = 0, {}
    with pa.OSFile(path, "wb") as file, _writer(file, kinds) as writer:
        waiting: list[tuple[Any, ...]] = []
        size = 0
        for row in itertools.chain.from_iterable(rows):
            waiting.append(row)
            size, largest = size + len(row[of_vectors]), max(largest, len(row[of_vectors]))
            if row[of_bits]:
                bits[row[0]] = row[of_bits]
            if size >= group_bytes:
                writer.write_table(_table(waiting, kinds))
                waiting, size = [], 0
        if waiting:
            writer.write_table(_table(waiting, kinds))
    return largest, list(bits.items())


def _table(rows: list[tuple[Any, ...]], kinds: pa.Schema) -> pa.Table:
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds.types, strict=True)]
    return pa.Table.from_arrays(columns, schema=kinds)


def _writer(file: pa.NativeFile, kinds: pa.Schema) -> pq.ParquetWriter:
    # Digits of vectors are random, and those of keys differ.
    return pq.ParquetWriter(
        file,
        kinds,
        compression="none",
        use_dictionary=False,
        write_statistics=[schemas.IDENTITY_KEY, schemas.PIECE],
        use_compliant_nested_type=True,
        store_schema=False,
    )
