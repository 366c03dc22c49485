"""Features in .npy files, a tree of them or one matrix, read side by side by the workers."""

import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.keys import climbs
from fiqa_spark.inputs.npy_files import open_matrix, read_vector, vector_in
from fiqa_spark.runtime.row_numbers import numbered
from fiqa_spark.runtime.storage import Storage, literal
from fiqa_spark.runtime.workers import in_worker

SUFFIX = ".npy"
_ROWS_AT_ONCE = 4096
# 65,536 values of four bytes.
_VECTOR_FILE_BYTES = 1 << 18
# Files are opened, so that the number of paths says little about the work; given numbers of partitions are kept.
_TASKS_A_CORE = 4


def tree_features(keyed: DataFrame, root: str) -> DataFrame:
    """Features of the images of a list, each in its own file ``<root>/<key>.npy``.

    Parameters
    ----------
    keyed : DataFrame
        Column `key`, repeats allowed; those that climb out of the root are left out.
    root : str
        Folder, as the workers see it.

    Returns
    -------
    DataFrame
        With the schema `schemas.VECTORS`: a row for every file that is there, whose `path` is the key; `feature` is
        null and `problem` tells why where a file cannot be used.
    """

    @in_worker
    def read(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            files = [(key, os.path.join(root, key + SUFFIX)) for key in frame[schemas.KEY]]
            table = _as_table((key, *_vector_or_problem(read_vector, file)) for key, file in files)
            yield table[table[schemas.FEATURE].notna() | table[schemas.PROBLEM].notna()]

    inside = keyed.select(schemas.KEY).where(~climbs(F.col(schemas.KEY)))
    return inside.repartition(_tasks(keyed), schemas.KEY).distinct().mapInPandas(read, schemas.VECTORS)


def _as_table(rows: Iterable[tuple[str, bytes | None, str | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=schemas.VECTORS.names, dtype=object)


def _vector_or_problem(read: Callable[..., np.ndarray], *source: bytes | str) -> tuple[bytes | None, str | None]:
    """(vector as bytes, None), (None, problem), or (None, None) if there is no file."""
    try:
        return read(*source).astype("<f4").tobytes(), None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except (InputError, OSError, ValueError) as error:
        return None, str(error)


def tree_keys(spark: SparkSession, root: str) -> DataFrame:
    """Keys of all the .npy files below a folder; the workers walk the folders.

    Parameters
    ----------
    root : str
        Folder, as the workers see it.

    Returns
    -------
    DataFrame
        Column `key`.
    """
    with os.scandir(root) as entries:
        top = [(entry.name,) for entry in entries]

    @in_worker
    def walk(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            for name in frame["name"]:
                for keys in _keys_below(root, name):
                    yield pd.DataFrame({schemas.KEY: keys}, dtype=object)

    names = spark.createDataFrame(top, "name string")
    return names.repartition(_tasks(names)).mapInPandas(walk, "key string")


def _keys_below(root: str, name: str) -> Iterator[list[str]]:
    """Lists of keys of the .npy files in a folder or of one such file, a list for every folder on the way."""
    path = os.path.join(root, name)
    folders = os.walk(path) if os.path.isdir(path) else [(root, [], [name])]
    for folder, _, file_names in folders:
        prefix = os.path.relpath(folder, root)
        prefix = "" if prefix == "." else prefix + "/"
        yield [prefix + file[: -len(SUFFIX)] for file in file_names if file.endswith(SUFFIX)]


def stored_files(spark: SparkSession, storage: Storage, root: str) -> DataFrame:
    """The .npy files below a folder on any file system, such as HDFS, to be read by Java.

    Empty files do not count, nor do folders and files whose names begin with '.' or '_'.

    Returns
    -------
    DataFrame
        `path` below the root, `length` in bytes, `content`.
    """
    folder = storage.qualified(root)
    options = {"recursiveFileLookup": "true", "pathGlobFilter": f"*{SUFFIX}"}
    files = spark.read.format("binaryFile").options(**options).load(literal(folder))
    below = F.substring(schemas.PATH, len(folder.rstrip("/")) + 2, 2**31 - 1)
    return files.select(below.alias(schemas.PATH), "length", "content")


def stored_tree_features(files: DataFrame) -> DataFrame:
    """Features in files of one vector each.

    Parameters
    ----------
    files : DataFrame
        From `stored_files`.

    Returns
    -------
    DataFrame
        With the schema `schemas.VECTORS`, a row for every file; `feature` is null and `problem` tells why where a file
        cannot be used.
    """

    @in_worker
    def read(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            pairs = zip(frame[schemas.PATH], frame["content"], strict=True)
            yield _as_table((path, *_vector_or_problem(vector_in, content, path)) for path, content in pairs)

    # Told apart before they are read: whatever else a large file holds, one vector it is not.
    is_small = F.col("length") <= _VECTOR_FILE_BYTES
    small = files.where(is_small).select(schemas.PATH, "content").mapInPandas(read, schemas.VECTORS)
    problem = F.format_string(
        f"%s: %d bytes; a file of one vector has {_VECTOR_FILE_BYTES} at most", schemas.PATH, "length"
    )
    none = F.lit(None).cast("binary").alias(schemas.FEATURE)
    large = files.where(~is_small).select(schemas.PATH, none, problem.alias(schemas.PROBLEM))
    return small.union(large)


def matrix_features(paths: DataFrame, matrix_path: str, **blame: str) -> DataFrame:
    """Features in the rows of one .npy matrix.

    Parameters
    ----------
    paths : DataFrame
        Column `path`, one row for every row of the matrix, as read from its file.
    matrix_path : str
        File, as the workers see it.
    **blame
        Facts for the error: the `setting` or `path` that `paths` come from.

    Returns
    -------
    DataFrame
        With the schema `schemas.VECTORS`. Of a path that occurs twice the first row counts.

    Raises
    ------
    InputError
        If the file is no matrix of floats, or the number of rows differs.
    """
    rows, _ = open_matrix(matrix_path).shape
    in_file_order, listed = numbered(paths)
    if listed != rows:
        text = f"{listed} paths for the {rows} rows of {matrix_path}"
        raise InputError(text, **blame, remedy="give the list of its rows with `rows_list`")

    @in_worker
    def read(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        matrix = open_matrix(matrix_path)
        for frame in frames:
            for first in range(0, len(frame), _ROWS_AT_ONCE):
                part = frame.iloc[first : first + _ROWS_AT_ONCE]
                with np.errstate(over="ignore"):
                    vectors = matrix[part[schemas.ROW].to_numpy()].astype("<f4")
                yield pd.DataFrame(
                    {
                        schemas.PATH: part[schemas.PATH].to_numpy(),
                        schemas.FEATURE: [vector.tobytes() for vector in vectors],
                        schemas.PROBLEM: None,
                    }
                )

    first_rows = in_file_order.groupBy(schemas.PATH).agg(F.min(schemas.ROW).alias(schemas.ROW))
    in_order = first_rows.repartitionByRange(_tasks(paths), schemas.ROW).sortWithinPartitions(schemas.ROW)
    return in_order.mapInPandas(read, schemas.VECTORS)


def _tasks(table: DataFrame) -> int:
    return _TASKS_A_CORE * table.sparkSession.sparkContext.defaultParallelism
