"""Opening of features in any form; .npy files become a feature store on the way, so that they are read once."""

from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.feature_store import is_store, open_store, write_store
from fiqa_spark.inputs.image_list import check_encoding, index_in_key, read_paths
from fiqa_spark.inputs.keys import no_match
from fiqa_spark.inputs.npy_features import matrix_features, stored_files, stored_tree_features, tree_features, tree_keys
from fiqa_spark.inputs.npy_files import declared_shape
from fiqa_spark.inputs.parquet_features import keyed_features, read_features, vector_length
from fiqa_spark.runtime.sql_conf import planned_for_small_files

_SUFFIXES = (".parquet", ".npy")
_HEADER_BYTES = 1 << 12
_ROWS_MISSING = "--rows-list is missing: {} is one matrix; give the list of its rows, a path a line"


def open_features(spark, storage, images, settings, staging, steps, *, beside=None, are_rows=True):
    """Features for a list of images.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    images : DataFrame
        Column `path`.
    settings : GenerateLabelsSettings, ScoreRecognizabilitySettings or EvaluateLabelsSettings
    staging : str
        Folder for a feature store made of .npy files; its owner removes it.
    steps : Steps
    beside : DataFrame, optional
        Column `path`: images whose features are wanted beside those of the list.
    are_rows : bool
        Whether a matrix has the rows of `images` where ``settings.rows_list`` does not name them.

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
    with steps("importing features"), planned_for_small_files(spark):
        rows, vectors = _features_of(spark, storage, images, settings, beside, are_rows)
        keyed = _key_as_path(vectors, settings.image_root)
        store = write_store(storage, keyed, folder, index=index, rows=rows, dimension=_dimension(storage, example))
    if storage.is_folder(root) and not store["rows"]:
        below = example[len(storage.qualified(root)) + 1 :].removesuffix(".npy")
        listed = keys.with_key(images, settings.image_root).select(schemas.KEY).head(1)
        if listed:
            raise no_match(listed[0][0], below)
    return open_store(spark, storage, folder)


def _features_of(spark, storage, images, settings, beside, are_rows):
    """About how many vectors there are in .npy files, and those of the listed images at least."""
    root = settings.feature_root
    if not storage.is_folder(root):
        matrix = _local(storage, root)
        if settings.rows_list:
            rows = _rows_list(spark, storage, settings.rows_list)
            return rows.count(), matrix_features(rows, "--rows-list", matrix)
        if not are_rows:
            raise InputError(_ROWS_MISSING.format(root))
        return images.count(), matrix_features(images, "--image-list-file", matrix)
    local = storage.local(root)
    if local is None:
        files = stored_files(spark, storage, root)
        return files.count(), stored_tree_features(files)
    wanted = images.select(schemas.PATH)
    wanted = wanted if beside is None else wanted.union(beside.select(schemas.PATH))
    return wanted.count(), tree_features(keys.with_key(wanted, settings.image_root).select(schemas.KEY), local)


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
        return write_store(storage, vectors, folder, index=settings.id_key_index, rows=rows, dimension=dimension)
    # Lists too: rows are numbered by the pieces in which a list is read, which must be the same until they are written.
    with planned_for_small_files(spark):
        rows, vectors = _all_features(spark, storage, settings)
        dimension = _dimension(storage, example)
        return write_store(storage, vectors, folder, index=settings.id_key_index, rows=rows, dimension=dimension)


def _all_features(spark, storage, settings):
    """How many vectors there are in .npy files, and all of them."""
    source = settings.source
    if not storage.is_folder(source):
        if not settings.rows_list:
            raise InputError(_ROWS_MISSING.format(source))
        listed = _rows_list(spark, storage, settings.rows_list)
        vectors = matrix_features(listed, "--rows-list", _local(storage, source))
        return listed.count(), _key_as_path(vectors, settings.image_root)
    local = storage.local(source)
    if local is None:
        files = stored_files(spark, storage, source)
        return files.count(), _key_as_path(stored_tree_features(files))
    found = tree_keys(spark, local)
    return found.count(), tree_features(found, local)


def _key_as_path(vectors, *roots):
    return keys.with_key(vectors, *roots).drop(schemas.PATH).withColumnRenamed(schemas.KEY, schemas.PATH)


def _rows_list(spark, storage, path):
    paths = read_paths(spark, storage, path)
    check_encoding(paths, setting="rows_list", path=path)
    return paths


def _dimension(storage, example):
    """Length of the vectors, as far as one file tells it."""
    try:
        shape = declared_shape(storage.head(example, _HEADER_BYTES), example)
    except InputError:
        return 1
    return shape[-1] if shape else 1


def _example_file(storage, path):
    """One feature file, whose extension tells the form of all."""
    if not storage.exists(path):
        raise InputError(f"{path}: no such file or folder; give a Parquet data set or .npy files")
    storage.check_no_pipe(path)
    example = storage.first_file(path, _SUFFIXES) if storage.is_folder(path) else storage.qualified(path)
    if example is None or not example.endswith(_SUFFIXES):
        raise InputError(f"{path}: no .parquet and no .npy file there; give the folder of the features")
    return example


def _local(storage, path):
    local = storage.local(path)
    if local is None:
        raise InputError(
            f"{path}: a .npy matrix must lie where every worker can open it by path, such as a mounted disk; "
            "turn it into a feature store there, with jobs/import_features.py"
        )
    return local
