"""Opening of features in any form; .npy files become Parquet vectors on the way, so that they are read once."""

from pyspark.sql import functions as F

from fiqa_spark import keys, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.features import as_store, keyed_features, read_features
from fiqa_spark.image_list import read_paths
from fiqa_spark.matching import no_match
from fiqa_spark.npy_features import matrix_features, tree_features, tree_keys
from fiqa_spark.storage import literal

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
        Folder for Parquet vectors made of .npy files; its owner removes it.
    steps : Steps

    Returns
    -------
    DataFrame
        `path` and `feature`.

    Raises
    ------
    InputError
        If there are no features or they cannot be read.
    """
    root = settings.feature_root
    example = _example_file(storage, root)
    if not example.endswith(".npy"):
        return read_features(spark, storage, root)
    folder = f"{staging}/features"
    with steps("importing features"):
        write_store(_features_of(spark, storage, images, settings), folder)
    features = spark.read.schema(schemas.FEATURE_STORE).parquet(literal(folder))
    if storage.is_folder(root) and not features.head(1):
        below = example[len(storage.qualified(root)) + 1 :].removesuffix(".npy")
        listed = images.select(keys.key(F.col(schemas.PATH), settings.image_root)).head(1)
        raise InputError(no_match(listed[0][0] if listed else "", below))
    return features


def _features_of(spark, storage, images, settings):
    """Vectors of the listed images out of .npy files."""
    local = _local(storage, settings.feature_root)
    if storage.is_folder(settings.feature_root):
        return tree_features(
            images.select(keys.key(F.col(schemas.PATH), settings.image_root).alias(schemas.KEY)), local
        )
    if settings.rows_list:
        return matrix_features(read_paths(spark, storage, settings.rows_list), "--rows-list", local)
    return matrix_features(images, "--image-list-file", local)


def open_store(spark, storage, settings):
    """Features of any form, in the form of the feature store.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    settings : ImportFeaturesSettings

    Returns
    -------
    DataFrame
        With the schema `schemas.FEATURE_STORE`.

    Raises
    ------
    InputError
        If there are no features or they cannot be read.
    """
    source = settings.source
    if not _example_file(storage, source).endswith(".npy"):
        return as_store(keyed_features(read_features(spark, storage, source), source, settings.image_root))
    local = _local(storage, source)
    if storage.is_folder(source):
        return tree_features(tree_keys(spark, local), local)
    if not settings.rows_list:
        raise InputError(f"--rows-list is missing: {source} is one matrix; give the list of its rows, a path a line")
    found = matrix_features(read_paths(spark, storage, settings.rows_list), "--rows-list", local)
    return found.withColumn(schemas.PATH, keys.key(F.col(schemas.PATH), settings.image_root))


def write_store(features, folder):
    """Write features; their digits are random, so neither compression nor a dictionary would save anything.

    Parameters
    ----------
    features : DataFrame
        With the schema `schemas.FEATURE_STORE`.
    folder : str
        Folder to create.
    """
    plain = features.write.option("compression", "none").option(f"parquet.enable.dictionary#{schemas.FEATURE}", "false")
    plain.parquet(folder)


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
