"""A folder an identity, or a bucket of them, on a local disk, written and read by the workers themselves.

Hadoop would start three processes for each to write, and Spark take several times as long to open a small file; rows
of a bucket take Spark half as long again.
"""

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructField, StructType

from fiqa_spark import schemas
from fiqa_spark.kernels.order_statistics import order_statistics
from fiqa_spark.runtime.worker_files import told_as_by_spark
from fiqa_spark.runtime.workers import in_worker

NULL_NAME = "__HIVE_DEFAULT_PARTITION__"
"""What stands for null in the name of a folder."""
NAME_BYTES_AT_MOST = 80
"""Of an identity that names a folder: escaping makes at most three bytes of one, and file systems allow 255."""
# Hive and Spark write these as % and two digits.
_ESCAPED = {chr(code) for code in (*range(1, 32), 127)} | set("\"#%'*/:=?\\{[]^")
# Rows of an identity that are written as one group.
_ROWS_AT_ONCE = 1 << 16
# Fewer files, or larger ones, Spark reads as well.
_MANY_FILES, _SMALL_FILE_BYTES = 32, 64 << 10
_ROWS_OF_BATCH, _TASKS_A_CORE = 4096, 2


def is_no_name(identity: str) -> bool:
    """Whether no folder can be named after an identity, whatever the encoding of names is."""
    return identity in ("", NULL_NAME) or len(identity.encode()) > NAME_BYTES_AT_MOST


def folder_name(identity: str | None) -> str:
    """Name of the folder of an identity, the one that Spark would give it: ``identity=a%2Fb`` for ``a/b``."""
    if identity is None:
        return f"{schemas.IDENTITY}={NULL_NAME}"
    escaped = (f"%{ord(letter):02X}" if letter in _ESCAPED else letter for letter in identity)
    return f"{schemas.IDENTITY}={''.join(escaped)}"


InOrder = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""Called in a worker with all batches of a task; yields batches in the order in which they are to be written."""


def write_folders(
    rows: DataFrame,
    column: str,
    folder: str,
    all_different: Iterable[str],
    umask: int,
    in_order: InOrder | None = None,
    statistics_of: str | None = None,
) -> list[tuple[bytes, bytes]]:
    """Write a folder for each value of a column, with one file a partition that has rows of it.

    A task that runs again writes the same files again, so that it may fail, but never run twice at once.

    Parameters
    ----------
    rows : DataFrame
        Each partition is sorted by the column, by `in_order` at the latest.
    column : str
        `identity`, or a number of buckets.
    folder : str
        Path of an existing folder on the disk of the workers.
    all_different : iterable of str
        Columns, as Parquet names them, for which a dictionary would be wasted work.
    umask : int
        Permissions that files and folders do not get, as Hadoop has it.
    in_order : callable, optional
        By which a worker makes what is written out of rows.
    statistics_of : str, optional
        A column of doubles.

    Returns
    -------
    list of (bytes, bytes)
        `order_statistics` of that column, of each task; empty ones if none was named.
    """
    without_dictionary = frozenset(all_different)

    @in_worker
    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task: Any = TaskContext.get()
        name, values = f"part-{task.partitionId():05d}.snappy.parquet", [np.empty(0)]
        batches = _noted(in_order(batches) if in_order else batches, statistics_of, values)
        for value, runs in itertools.groupby(_runs(batches, column), key=lambda run: run[0]):
            place = f"{folder}/{folder_name(value) if column == schemas.IDENTITY else f'{column}={value}'}"
            # Java writes names in UTF-8 where folders an identity are written, whatever Python takes for the locale.
            os.makedirs(place.encode(), exist_ok=True)
            os.chmod(place.encode(), 0o777 & ~umask)
            _write_file(f"{place}/{name}", (run for _, run in runs), without_dictionary)
            os.chmod(f"{place}/{name}".encode(), 0o666 & ~umask)
        told = [pa.array([each.tobytes()]) for each in order_statistics(np.concatenate(values))]
        yield pa.RecordBatch.from_arrays(told, ["points", "counts"])

    found = rows.mapInArrow(write, "points binary, counts binary").collect()
    return [(bytes(row.points), bytes(row.counts)) for row in found]


def _noted(
    batches: Iterator[pa.RecordBatch], name: str | None, values: list[npt.NDArray[np.float64]]
) -> Iterator[pa.RecordBatch]:
    """The same batches; values of a column of them, if one is named, are put to the others."""
    for batch in batches:
        if name is not None:
            values.append(batch.column(name).to_numpy(zero_copy_only=False))
        yield batch


def _runs(batches: Iterable[pa.RecordBatch], column: str) -> Iterator[tuple[Any, pa.RecordBatch]]:
    """Each value of a column with its neighbouring rows, without that column."""
    for batch in batches:
        number = batch.schema.get_field_index(column)
        values = batch.column(number)
        others = [place for place in range(batch.num_columns) if place != number]
        fields, columns = [batch.schema.field(place) for place in others], [batch.column(place) for place in others]
        rest = pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
        codes = values.dictionary_encode(null_encoding="encode").indices.to_numpy()
        begins = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else codes
        for begin, end in itertools.pairwise([*begins.tolist(), len(codes)]):
            yield values[begin].as_py(), rest.slice(begin, end - begin)


def _write_file(path: str, runs: Iterator[pa.RecordBatch], without_dictionary: frozenset[str]) -> None:
    """Write rows as one Parquet file."""
    first = next(runs)
    with pa.OSFile(path, "wb") as file, _writer(file, first.schema, without_dictionary) as writer:
        waiting, count = [first], first.num_rows
        for run in runs:
            if count >= _ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting, count = [], 0
            waiting.append(run)
            count += run.num_rows
        writer.write_table(pa.Table.from_batches(waiting))


def _writer(file: pa.NativeFile, schema: pa.Schema, without_dictionary: frozenset[str]) -> pq.ParquetWriter:
    repeated = [name for name in schema.names if name not in without_dictionary]
    return pq.ParquetWriter(
        file, schema, compression="snappy", use_dictionary=repeated, use_compliant_nested_type=True, store_schema=False
    )


def many_small_files(folder: str) -> list[tuple[str | None, str]] | None:
    """Identity and path of each file in the folders of identities, where the workers should read them.

    Parameters
    ----------
    folder : str
        Path of a folder on the disk of the workers.

    Returns
    -------
    list, or None
        In any order. None where files are few or large, or anything else lies there, of which Spark knows what to do.
    """
    files, size, prefix = [], 0, f"{schemas.IDENTITY}="
    # Names are UTF-8, whatever Python takes for the locale.
    for entry in _shown(folder.encode()):
        name = _as_text(entry.name) or ""
        if not (name.startswith(prefix) and len(name) > len(prefix) and entry.is_dir()):
            return None
        for file in _shown(entry.path):
            path = _as_text(file.path)
            if path is None or not (path.endswith(".parquet") and file.is_file()):
                return None
            files.append((_identity_of(name[len(prefix) :]), path))
            size += file.stat().st_size
    return files if len(files) > _MANY_FILES and size <= len(files) * _SMALL_FILE_BYTES else None


def _shown(folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    """Entries of a folder, without the hidden ones."""
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith((b".", b"_")))


def _as_text(name: bytes) -> str | None:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


def _identity_of(text: str) -> str | None:
    """The identity whose folder has a name with this behind the ``=``."""
    if text == NULL_NAME:
        return None
    return re.sub("%([0-9A-Fa-f]{2})", lambda code: chr(int(code[1], 16)), text)


def read_folders(spark: SparkSession, files: list[tuple[str | None, str]], schema: StructType) -> DataFrame:
    """The rows of many small files.

    Parameters
    ----------
    files : list of (str or None, str)
        From `many_small_files`.
    schema : StructType
        Of the rows, with `identity`; a column that a file lacks is null.
    """
    fields = StructType([StructField(field.name, field.dataType) for field in schema])
    arrow = to_arrow_schema(fields)

    @in_worker
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        waiting, count = [], 0
        for batch in batches:
            for number in batch.column(0).to_pylist():
                identity, path = files[int(number)]
                waiting.append(_rows_of(identity, path, arrow))
                count += waiting[-1].num_rows
                if count >= _ROWS_OF_BATCH:
                    yield from pa.concat_tables(waiting).combine_chunks().to_batches(_ROWS_OF_BATCH)
                    waiting, count = [], 0
        if waiting:
            yield from pa.concat_tables(waiting).combine_chunks().to_batches(_ROWS_OF_BATCH)

    # A few tasks a core, in case that some files are larger; but none for a handful of files.
    tasks = min(_TASKS_A_CORE * spark.sparkContext.defaultParallelism, len(files))
    return spark.range(0, len(files), 1, tasks).mapInArrow(read, fields)


def _rows_of(identity: str | None, path: str, schema: pa.Schema) -> pa.Table:
    """The rows of a file, with their identity; what cannot be read is told in the words of Spark."""
    with told_as_by_spark(path), pa.OSFile(path) as file:
        found = pq.ParquetFile(file).read()
    columns = []
    for field in schema:
        if field.name == schemas.IDENTITY:
            columns.append(pa.array([identity] * found.num_rows, field.type))
        elif field.name in found.column_names:
            columns.append(found[field.name].cast(field.type))
        else:
            columns.append(pa.nulls(found.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=schema)
