"""Readers of .npy files: trees, on a disk of the workers' own or elsewhere, and matrices."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import read_paths
from fiqa_spark.inputs.npy_features import (
    FILE,
    SUFFIX,
    matrix_features,
    stored_files,
    stored_tree_features,
    tree_features,
    tree_files,
)
from fiqa_spark.inputs.npy_files import declared_shape
from fiqa_spark.inputs.reader import Reader, Source, Vectors, Wanted
from fiqa_spark.inputs.text_lines import check_listed

_HEADER_BYTES = 1 << 12
_KEY = "key of the image"


def _is_local_tree(source: Source) -> bool:
    return source.is_folder and source.storage.local(source.path) is not None


def _local_tree_vectors(source: Source, wanted: Wanted | None) -> Vectors:
    """Vectors in a tree that every worker can open by path; of wanted images no other file is looked at."""
    root = _local(source)
    if wanted is None:
        files = tree_files(source.spark, root)
        named = keys.with_key(files).withColumnRenamed(schemas.PATH, FILE)
        return Vectors(tree_features(named, root, first_of_key=False), files.count(), _dimension(source))
    paths, extensions = _paths_of(wanted), sorted(source.found.inner_extensions)
    named = _named_files(paths, source.image_root, extensions)
    # One name after the other, unless some files have the one and some may have the other.
    vectors = tree_features(named, root, first_of_key=not extensions)
    return Vectors(vectors, paths.count(), _dimension(source))


def _paths_of(wanted: Wanted) -> DataFrame:
    paths = wanted.images.select(schemas.PATH)
    return paths if wanted.beside is None else paths.union(wanted.beside.select(schemas.PATH))


def _named_files(paths: DataFrame, image_root: str, extensions: list[str]) -> DataFrame:
    """Keys of images, each with the names that the file of its feature may have: ``0.npy``, ``0.jpg.npy``.

    Parameters
    ----------
    extensions : list of str
        Some that files have before ``.npy``, whether those of images or not.
    """
    keyed = keys.with_key(paths, image_root)
    # With an extension for `with_key` to take off, that of the image stays.
    whole = F.concat(F.col(schemas.PATH), F.lit(SUFFIX)).alias(schemas.PATH)
    names = keys.with_key(keyed.select(F.col(schemas.KEY).alias(_KEY), whole), image_root)
    others = [F.concat(F.col(_KEY), F.lit(extension)) for extension in extensions]
    file = F.explode(F.array(F.col(_KEY), F.col(schemas.KEY), *others)).alias(schemas.PATH)
    files = names.select(_KEY, file)
    if extensions:
        is_of_image = (F.col(schemas.PATH) == F.col(_KEY)) | (F.col(schemas.KEY) == F.col(_KEY))
        files = keys.with_key(files).where(is_of_image)
    return files.select(F.col(_KEY).alias(schemas.KEY), F.col(schemas.PATH).alias(FILE))


def _stored_tree_vectors(source: Source, wanted: Wanted | None) -> Vectors:
    """Vectors in a tree that Java reads, as a whole."""
    files = stored_files(source.spark, source.storage, source.path)
    # Imported keys are the paths below the source; there the image root is for the list of a matrix alone.
    roots = () if wanted is None else (source.image_root,)
    path = F.col(schemas.PATH)
    without_suffix = path.substr(F.lit(1), F.length(path) - len(SUFFIX))
    vectors = stored_tree_features(files).withColumn(schemas.PATH, without_suffix)
    return Vectors(_key_as_path(vectors, *roots), files.count(), _dimension(source))


def _matrix_vectors(source: Source, wanted: Wanted | None) -> Vectors:
    """Vectors in the rows of a matrix, all of them."""
    matrix = _local(source)
    if source.rows_list:
        setting, paths = "rows_list", read_paths(source.spark, source.storage, source.rows_list)
        check_listed(paths, setting=setting, path=source.rows_list)
    elif wanted is not None and wanted.are_rows:
        setting, paths = "image_list_file", wanted.images
    else:
        raise InputError(
            f"is missing, but {source.path} is one matrix",
            setting="rows_list",
            remedy="give the list of its rows, a path a line",
        )
    vectors = _key_as_path(matrix_features(paths, matrix, setting=setting), source.image_root)
    return Vectors(vectors, paths.count(), _dimension(source))


def _local(source: Source) -> str:
    """Path of a source as Python's own file functions want it."""
    local = source.storage.local(source.path)
    if local is None:
        raise InputError(
            "a .npy matrix must lie where every worker can open it by path, such as a mounted disk",
            path=source.path,
            remedy="turn it into a feature store there, with jobs/import_features.py",
        )
    return local


def _key_as_path(vectors: DataFrame, *roots: str) -> DataFrame:
    return keys.with_key(vectors, *roots).drop(schemas.PATH).withColumnRenamed(schemas.KEY, schemas.PATH)


def _dimension(source: Source) -> int:
    """Length of the vectors, as far as one file tells it."""
    try:
        shape = declared_shape(source.storage.head(source.example, _HEADER_BYTES), source.example)
    except InputError:
        return 1
    return shape[-1] if shape else 1


LOCAL_TREE = Reader(SUFFIX, _is_local_tree, _local_tree_vectors)
STORED_TREE = Reader(SUFFIX, lambda source: source.is_folder, _stored_tree_vectors)
MATRIX = Reader(SUFFIX, lambda source: not source.is_folder, _matrix_vectors)
