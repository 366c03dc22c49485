"""Opening of features in any form; .npy files become a feature store on the way, so that they are read once."""

from pyspark.sql import functions as F

from fiqa_spark import keys, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.feature_store import is_store, open_store, write_store
from fiqa_spark.features import keyed_features, read_features, vector_length
from fiqa_spark.image_list import check_encoding, index_in_key, read_paths
from fiqa_spark.matching import no_match
from fiqa_spark.npy import open_matrix
from fiqa_spark.npy_features import matrix_features, tree_features, tree_keys

_SUFFIXES = (".parquet", ".npy")


def open_features(spark, storage, images, settings, staging, steps):
    """Features for a list of images.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    images : DataFrame
        Column `path`.
    settings : GenerateLabelsSettings
    staging : str
        Folder for a feature store made of .npy files; its owner removes it.
    steps : Steps

    Returns
    -------
    Features

    Raises
    ------
    InputError
        If there are no features or they cannot be read.
    """
    root, index = settings.feature_root, index_in_key(images, settings)
    example = _example_file(storage, root)
    if is_store(storage, root):
        return open_store(spark, storage, root)
    if not example.endswith(".npy"):
        return keyed_features(read_features(spark, storage, root), index, root, settings.image_root)
    folder = f"{staging}/features"
    with steps("importing features"):
        vectors = _features_of(spark, storage, images, settings)
        keyed = _key_as_path(vectors, settings.image_root)
        rows = images.count()
        store = write_store(storage, keyed, folder, index=index, rows=rows, dimension=_dimension(storage, example))
    if storage.is_folder(root) and not store["rows"]:
        below = example[len(storage.qualified(root)) + 1 :].removesuffix(".npy")
        listed = keys.with_key(images, settings.image_root).select(schemas.KEY).head(1)
        raise InputError(no_match(listed[0][0] if listed else "", below))
    return open_store(spark, storage, folder)


def _features_of(spark, storage, images, settings):
    """Vectors of the listed images out of .npy files."""
    local = _local(storage, settings.feature_root)
    if storage.is_folder(settings.feature_root):
        return tree_features(keys.with_key(images, settings.image_root).select(schemas.KEY), local)
    if settings.rows_list:
        return matrix_features(_rows_list(spark, storage, settings.rows_list), "--rows-list", local)
    return matrix_features(images, "--image-list-file", local)


def import_features(spark, storage, settings, folder):
    """Write features of any form as a feature store.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    settings : ImportFeaturesSettings
    folder : str
        Folder to create.

    Returns
    -------
    dict
        The description of the store.

    Raises
    ------
    InputError
        If there are no features or they cannot be read.
    """
    source, roots = settings.source, (settings.source, settings.image_root)
    example = _example_file(storage, source)
    if not example.endswith(".npy"):
        features = keyed_features(read_features(spark, storage, source), settings.id_key_index, *roots).table
        vectors = features.select(F.col(schemas.KEY).alias(schemas.PATH), schemas.FEATURE, schemas.PROBLEM)
        rows, dimension = vectors.count(), vector_length(vectors)
    else:
        dimension, local = _dimension(storage, example), _local(storage, source)
        if storage.is_folder(source):
            found = tree_keys(spark, local)
            rows, vectors = found.count(), tree_features(found, local)
        elif settings.rows_list:
            found = _rows_list(spark, storage, settings.rows_list)
            rows, vectors = found.count(), matrix_features(found, "--rows-list", local)
            vectors = _key_as_path(vectors, settings.image_root)
        else:
            raise InputError(
                f"--rows-list is missing: {source} is one matrix; give the list of its rows, a path a line"
            )
    return write_store(storage, vectors, folder, index=settings.id_key_index, rows=rows, dimension=dimension)


def _key_as_path(vectors, *roots):
    return keys.with_key(vectors, *roots).drop(schemas.PATH).withColumnRenamed(schemas.KEY, schemas.PATH)


def _rows_list(spark, storage, path):
    paths = read_paths(spark, storage, path)
    check_encoding(paths, f"--rows-list {path}")
    return paths


def _dimension(storage, example):
    """Length of the vectors, as far as one file tells it."""
    try:
        shape = open_matrix(storage.local(example)).shape
    except (InputError, OSError, ValueError):
        return 1
    return shape[-1]


def _example_file(storage, path):
    """One feature file, whose extension tells the form of all."""
    if not storage.exists(path):
        raise InputError(f"{path}: no such file or folder; give a Parquet data set or .npy files")
    example = storage.first_file(path, _SUFFIXES) if storage.is_folder(path) else storage.qualified(path)
    if example is None or not example.endswith(_SUFFIXES):
        raise InputError(f"{path}: no .parquet and no .npy file there; give the folder of the features")
    return example


def _local(storage, path):
    local = storage.local(path)
    if local is None:
        raise InputError(
            f"{path}: .npy files must lie where every worker can open them by path, such as a mounted disk; "
            "copy them there, or turn them into Parquet with jobs/import_features.py"
        )
    return local
