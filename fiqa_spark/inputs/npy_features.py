"""Features in .npy files, a tree of them or one matrix, read side by side by the workers."""

import itertools
import operator
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
from fiqa_spark.runtime.local_folders import walk
from fiqa_spark.runtime.row_numbers import numbered
from fiqa_spark.runtime.storage import Storage, check_name, literal
from fiqa_spark.runtime.workers import in_worker

SUFFIX = ".npy"
FILE = "file"
"""Column with the path of a file below its root, without extension."""
_ROWS_AT_ONCE = 4096
# 65,536 values of four bytes.
_VECTOR_FILE_BYTES = 1 << 18
# Files are opened, so that the number of paths says little about the work; given numbers of partitions are kept.
_TASKS_A_CORE = 4


def tree_features(named: DataFrame, root: str, *, first_of_key: bool) -> DataFrame:
    """Features in files ``<root>/<file>.npy`` of one vector each.

    Parameters
    ----------
    named : DataFrame
        Columns `key` and `file`, repeats allowed; files that climb out of the root are left out.
    root : str
        Folder, as the workers see it.
    first_of_key : bool
        Whether one file of a key is enough, the one with the shortest name that is there.

    Returns
    -------
    DataFrame
        With the schema `schemas.VECTORS`: a row for every file that is there, whose `path` is the key; `feature` is
        null and `problem` tells why where a file cannot be used.
    """

    @in_worker
    def read(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        found = _vectors_of_keys(frames, root, first_of_key)
        while rows := list(itertools.islice(found, _ROWS_AT_ONCE)):
            yield _as_table(rows)

    inside = named.select(schemas.KEY, FILE).where(~climbs(F.col(FILE)))
    # Files of a key one after the other, so that each is read once.
    sorted_ = inside.repartition(_tasks(named), schemas.KEY).sortWithinPartitions(schemas.KEY)
    return sorted_.mapInPandas(read, schemas.VECTORS)


def _vectors_of_keys(
    frames: Iterator[pd.DataFrame], root: str, first_of_key: bool
) -> Iterator[tuple[str, bytes | None, str | None]]:
    rows = (row for frame in frames for row in zip(frame[schemas.KEY], frame[FILE], strict=True))
    for key, of_key in itertools.groupby(rows, operator.itemgetter(0)):
        for file in sorted({file for _, file in of_key}):
            vector, problem = _vector_or_problem(read_vector, os.path.join(root, file + SUFFIX))
            if vector is not None or problem is not None:
                yield key, vector, problem
                if first_of_key:
                    break


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


def tree_files(spark: SparkSession, root: str) -> DataFrame:
    """Names of all the .npy files below a folder, without that extension; the workers walk the folders.

    Parameters
    ----------
    root : str
        Folder, as the workers see it; symbolic links in it are followed.

    Returns
    -------
    DataFrame
        Column `path`, below the root.
    """
    with os.scandir(root) as entries:
        top = [(entry.name,) for entry in entries]
    for (name,) in top:
        check_name(os.path.join(root, name))

    @in_worker
    def walked(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            for name in frame["name"]:
                files = _files_below(root, name)
                while paths := list(itertools.islice(files, _ROWS_AT_ONCE)):
                    yield pd.DataFrame({schemas.PATH: paths}, dtype=object)

    names = spark.createDataFrame(top, "name string")
    return names.repartition(_tasks(names)).mapInPandas(walked, "path string")


def _files_below(root: str, name: str) -> Iterator[str]:
    """Paths of the .npy files in a folder, or of one such file, without that extension."""
    path = os.path.join(root, name)
    if not os.path.isdir(path):
        files = iter([name])
    else:
        files = (f"{name}/{below}{file}" for below, file, is_folder in walk(path, above=[root]) if not is_folder)
    return (file[: -len(SUFFIX)] for file in files if file.endswith(SUFFIX))


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
