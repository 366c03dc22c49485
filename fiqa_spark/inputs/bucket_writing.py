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
from pyspark.sql.pandas.types import to_arrow_schema

from fiqa_spark import schemas
from fiqa_spark.inputs.identity_rows import StoredImages, rows_of_parts
from fiqa_spark.inputs.placed_vectors import PlacedVectors
from fiqa_spark.inputs.vector_packs import PackedBucket, write_packs
from fiqa_spark.runtime.workers import in_worker

# Images made into rows at once.
_IMAGES_AT_ONCE = 4096


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
    packs, run = write_packs(placed, scratch, index=index, buckets=buckets, precision=precision), uuid.uuid4()

    @in_worker
    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number in (number for batch in batches for number in batch.column(0).to_pylist()):
            bucket = packs.of_bucket(number)
            if bucket is None:
                continue
            place = f"{folder}/part-{number:05d}-{run}_{number:05d}.c000.parquet"
            written = _write_file(place, rows_of_parts(_parts(bucket), images_of_row), group_bytes)
            os.chmod(place.encode(), 0o666 & ~umask)
            told = json.dumps([_counts_by_length(bucket), *written])
            yield pa.RecordBatch.from_arrays([pa.array([told])], ["told"])

    numbers = placed.table.sparkSession.range(0, buckets, 1, buckets)
    found = [json.loads(row.told) for row in numbers.mapInArrow(write, "told string").collect()]
    return [WrittenBucket(dict(lengths), row_bytes, dict(bits)) for lengths, row_bytes, bits in found]


def _counts_by_length(bucket: PackedBucket) -> list[tuple[int, int]]:
    """Each length of a vector, 0 where there is none, and the number of images of it."""
    lengths, counts = np.unique(bucket.lengths, return_counts=True)
    return list(zip(lengths.tolist(), counts.tolist(), strict=True))


def _parts(bucket: PackedBucket) -> Iterator[tuple[npt.NDArray[np.int64], StoredImages]]:
    """Identity keys and images in the order of a store."""
    count, all_keys = len(bucket.lengths), bucket.keys
    for first in range(0, count, _IMAGES_AT_ONCE):
        here = slice(first, min(first + _IMAGES_AT_ONCE, count))
        vectors, norms = bucket.vectors(np.arange(count)[here]), None if bucket.norms is None else bucket.norms[here]
        no_problems = np.full(len(bucket.lengths[here]), None, object)
        known = bucket.key_hashes[here], all_keys[here], vectors, bucket.lengths[here], norms
        yield bucket.identity_keys[here], StoredImages(*known, no_problems)


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
