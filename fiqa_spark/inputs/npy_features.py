"""Features in .npy files, a tree of them or one matrix, read side by side by the workers."""

import os

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.keys import climbs
from fiqa_spark.inputs.npy_files import open_matrix, read_vector, vector_in
from fiqa_spark.runtime.row_numbers import numbered
from fiqa_spark.runtime.storage import literal
from fiqa_spark.runtime.workers import in_worker

_ROWS_AT_ONCE = 4096
_SUFFIX = ".npy"
# 65,536 values of four bytes.
_VECTOR_FILE_BYTES = 1 << 18
# Files are opened, so that the number of paths says little about the work; given numbers of partitions are kept.
_TASKS_A_CORE = 4


def tree_features(keyed, root):
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
        With the schema `schemas.VECTORS`: a row for every file that is there; `feature` is null and `problem`
        tells why where a file cannot be used.
    """

    @in_worker
    def read(frames):
        for frame in frames:
            places = [(key, os.path.join(root, key + _SUFFIX)) for key in frame[schemas.KEY]]
            table = _as_table((key, *_vector_or_problem(read_vector, place)) for key, place in places)
            yield table[table[schemas.FEATURE].notna() | table[schemas.PROBLEM].notna()]

    inside = keyed.select(schemas.KEY).where(~climbs(F.col(schemas.KEY)))
    return inside.repartition(_tasks(keyed), schemas.KEY).distinct().mapInPandas(read, schemas.VECTORS)


def _as_table(rows):
    return pd.DataFrame(rows, columns=schemas.VECTORS.names, dtype=object)


def _vector_or_problem(read, *source):
    """(vector as bytes, None), (None, problem), or (None, None) if there is no file."""
    try:
        return read(*source).astype("<f4").tobytes(), None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except (InputError, OSError, ValueError) as error:
        return None, str(error)


def tree_keys(spark, root):
    """Keys of all the .npy files below a folder; the workers walk the folders.

    Parameters
    ----------
    spark : SparkSession
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
    def walk(frames):
        for frame in frames:
            for name in frame["name"]:
                for keys in _keys_below(root, name):
                    yield pd.DataFrame({schemas.KEY: keys}, dtype=object)

    names = spark.createDataFrame(top, "name string")
    return names.repartition(_tasks(names)).mapInPandas(walk, "key string")


def _keys_below(root, name):
    """Lists of keys of the .npy files in a folder or of one such file, a list for every folder on the way."""
    place = os.path.join(root, name)
    files = os.walk(place) if os.path.isdir(place) else [(root, [], [name])]
    for folder, _, file_names in files:
        prefix = os.path.relpath(folder, root)
        prefix = "" if prefix == "." else prefix + "/"
        yield [prefix + file[: -len(_SUFFIX)] for file in file_names if file.endswith(_SUFFIX)]


def stored_files(spark, storage, root):
    """The .npy files below a folder on any file system, such as HDFS, to be read by Java.

    Empty files do not count, nor do folders and files whose names begin with '.' or '_'.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    root : str

    Returns
    -------
    DataFrame
        `path` below the root, `length` in bytes, `content`.
    """
    place = storage.qualified(root)
    options = {"recursiveFileLookup": "true", "pathGlobFilter": f"*{_SUFFIX}"}
    files = spark.read.format("binaryFile").options(**options).load(literal(place))
    below = F.substring(schemas.PATH, len(place.rstrip("/")) + 2, 2**31 - 1)
    return files.select(below.alias(schemas.PATH), "length", "content")


def stored_tree_features(files):
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
    def read(frames):
        for frame in frames:
            pairs = zip(frame[schemas.PATH], frame["content"], strict=True)
            yield _as_table((path, *_vector_or_problem(vector_in, content, path)) for path, content in pairs)

    # Told apart before they are read: whatever else a large file holds, one vector it is not.
    is_small = F.col("length") <= _VECTOR_FILE_BYTES
    small = files.where(is_small).select(schemas.PATH, "content").mapInPandas(read, schemas.VECTORS)
    told = F.format_string(
        f"%s: %d bytes; a file of one vector has {_VECTOR_FILE_BYTES} at most", schemas.PATH, "length"
    )
    none = F.lit(None).cast("binary").alias(schemas.FEATURE)
    large = files.where(~is_small).select(schemas.PATH, none, told.alias(schemas.PROBLEM))
    return small.union(large)


def matrix_features(paths, where, matrix_path):
    """Features in the rows of one .npy matrix.

    Parameters
    ----------
    paths : DataFrame
        Column `path`, one row for every row of the matrix, as read from its file.
    where : str
        Flag that the list of rows came from, for messages.
    matrix_path : str
        File, as the workers see it.

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
        raise InputError(
            f"{where}: {listed} paths for the {rows} rows of {matrix_path}; give the list of its rows with --rows-list"
        )

    @in_worker
    def read(frames):
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


def _tasks(table):
    return _TASKS_A_CORE * table.sparkSession.sparkContext.defaultParallelism
