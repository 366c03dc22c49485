"""Opening of features in any form, by a table of readers; .npy files become a feature store first, to be read once."""

import logging
from contextlib import nullcontext
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.element_types import check_first_are_float32
from fiqa_spark.inputs.feature_files import PARQUET, FoundFiles
from fiqa_spark.inputs.feature_store import (
    has_rows_of_images,
    is_store,
    open_store,
    write_store,
    write_store_of_places,
)
from fiqa_spark.inputs.features import Features, ScatteredFeatures, length_of_first
from fiqa_spark.inputs.image_list import index_in_key
from fiqa_spark.inputs.nearest_keys import no_match
from fiqa_spark.inputs.npy_readers import LOCAL_TREE, MATRIX, STORED_TREE
from fiqa_spark.inputs.parquet_columns import read_feature_places
from fiqa_spark.inputs.parquet_features import keyed_features, read_features
from fiqa_spark.inputs.placed_vectors import FILE, ROW_OF_FILE, PlacedVectors
from fiqa_spark.inputs.reader import Reader, Source, Vectors, Wanted
from fiqa_spark.inputs.settings import FLOAT32, FeatureSettings, ImportSettings
from fiqa_spark.inputs.text_lines import check_listed
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_for_small_files
from fiqa_spark.runtime.storage import Storage

_log = logging.getLogger("fiqa_spark")

# Fewer bytes of vectors Spark has joined before workers have put them together.
_SCATTERED_BYTES = 64 << 20

_EARLIER_STORE = "%s is of an earlier version, with a row an image; import it again to have it read in less time"


def _is_store(source: Source) -> bool:
    """Whether a source has an identity a row."""
    if not is_store(source.storage, source.path):
        return False
    if has_rows_of_images(source.storage, source.path):
        _log.warning(_EARLIER_STORE, source.path)
        return False
    return True


def _stored_features(source: Source) -> Features:
    return open_store(source.spark, source.storage, source.path)


def _stored_vectors(source: Source, wanted: Wanted | None) -> Vectors:
    return _vectors_of(_stored_features(source))


def _parquet_features(source: Source) -> Features:
    table, have_raw_paths = read_features(source.spark, source.found)
    if have_raw_paths:
        check_listed(table, path=source.path)
    # Those of an earlier store are float32, whatever they were made of.
    feature_type = FLOAT32 if is_store(source.storage, source.path) else source.feature_type
    if feature_type == FLOAT32:
        check_first_are_float32(table, path=source.path)
    return keyed_features(table, source.id_key_index, source.path, source.image_root, feature_type=feature_type)


def _parquet_places(source: Source) -> PlacedVectors | None:
    """None where Spark has to read the vectors."""
    found = read_feature_places(source.spark, source.found)
    if found is None:
        return None
    if found.have_raw_paths:
        check_listed(found.table, path=source.path)
    keyed = keys.with_key(found.table, source.path, source.image_root)
    # The key as of `keyed_features`, which is never null.
    key = F.coalesce(schemas.KEY, F.lit("")).alias(schemas.PATH)
    return PlacedVectors(keyed.select(key, FILE, ROW_OF_FILE), found.column, found.rows, found.dimension)


def _parquet_vectors(source: Source, wanted: Wanted | None) -> Vectors:
    return _vectors_of(_parquet_features(source))


def _vectors_of(features: Features) -> Vectors:
    """All vectors, to be written as a feature store."""
    vectors = features.table.select(F.col(schemas.KEY).alias(schemas.PATH), schemas.FEATURE, schemas.PROBLEM)
    return Vectors(vectors, vectors.count(), length_of_first(vectors))


READERS = (
    Reader(PARQUET, _is_store, _stored_vectors, _stored_features),
    Reader(PARQUET, lambda source: True, _parquet_vectors, _parquet_features, _parquet_places),
    LOCAL_TREE,
    STORED_TREE,
    MATRIX,
)
"""The forms of features, in the order in which they are tried."""


def open_features(
    spark: SparkSession,
    storage: Storage,
    images: DataFrame,
    settings: FeatureSettings,
    staging: str,
    steps: Steps,
    *,
    beside: DataFrame | None = None,
    are_rows: bool = True,
) -> Features:
    """Features for a list of images.

    Parameters
    ----------
    images : DataFrame
        Column `path`.
    staging : str
        Folder for a feature store made of .npy files; its owner removes it.
    beside : DataFrame, optional
        Column `path`: images whose features are wanted beside those of the list.
    are_rows : bool
        Whether a matrix has the rows of `images` where ``settings.rows_list`` does not name them.

    Raises
    ------
    InputError
        If there are no features or they cannot be read.
    """
    source = _source(spark, storage, settings.feature_root, settings, index_in_key(images, settings))
    reader = _reader_of(source)
    folder = f"{staging}/features"
    if reader.features:
        return _with_places(reader.features(source), reader, source, folder)
    with steps("importing features"):
        store = _import(reader, source, folder, FLOAT32, Wanted(images, beside, are_rows))
    if not store["rows"]:
        _refuse_unmatched(images, source)
    features = open_store(spark, storage, folder)
    return features._replace(stored=features.stored and features.stored._replace(of_this_run=True))


def _with_places(features: Features, reader: Reader, source: Source, folder: str) -> Features:
    """Features where they lie, and what workers need to put them together, if they can."""
    local_folder = source.storage.seen_by_workers(folder)
    placed = reader.placed(source) if reader.placed and local_folder else None
    if not (placed and local_folder) or 4 * placed.rows * placed.dimension < _SCATTERED_BYTES:
        return features
    return features._replace(scattered=ScatteredFeatures(placed, folder, local_folder))


def import_features(spark: SparkSession, storage: Storage, settings: ImportSettings, folder: str) -> dict[str, Any]:
    """Write features of any form as a feature store.

    Parameters
    ----------
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
    source = _source(spark, storage, settings.source, settings, settings.id_key_index)
    return _import(_reader_of(source), source, folder, settings.precision)


def _import(
    reader: Reader, source: Source, folder: str, precision: str, wanted: Wanted | None = None
) -> dict[str, Any]:
    """Write features as a store, and return its description."""
    local, placed = source.storage.seen_by_workers(folder), reader.placed(source) if reader.placed else None
    if local and placed:
        return write_store_of_places(
            source.storage, placed, folder, local, index=source.id_key_index, precision=precision
        )
    # For lists too: rows are numbered by the pieces in which a list is read, the same until they are written.
    with nullcontext() if reader.features else planned_for_small_files(source.spark):
        vectors, rows, dimension = reader.vectors(source, wanted)
        told = {"index": source.id_key_index, "rows": rows, "dimension": dimension}
        return write_store(source.storage, vectors, folder, precision=precision, **told)


def _source(
    spark: SparkSession, storage: Storage, path: str, settings: FeatureSettings | ImportSettings, index: int
) -> Source:
    """Features on disk; InputError if there are none of any form, or of several."""
    if not storage.exists(path):
        raise InputError("no such file or folder", path=path, remedy="give a Parquet data set or .npy files")
    storage.check_no_pipe(path)
    found = FoundFiles(storage, path, tuple(dict.fromkeys(reader.suffix for reader in READERS)))
    if not found.forms:
        raise InputError(found.none_of(), path=path, remedy="give the folder of the features")
    found.check_one_form()
    found.tell_what_is_not_read()
    of_settings = settings.image_root, settings.rows_list, settings.feature_type
    return Source(spark, storage, path, found, found.example, index, *of_settings)


def _reader_of(source: Source) -> Reader:
    form = source.found.forms[0]
    return next(reader for reader in READERS if reader.suffix == form and reader.recognises(source))


def _refuse_unmatched(images: DataFrame, source: Source) -> None:
    """Raise InputError for images of which none has a file; that a list is empty is told elsewhere."""
    listed = keys.with_key(images, source.image_root).select(schemas.KEY).head(1)
    if listed:
        example = source.spark.createDataFrame([(source.example_key,)], f"{schemas.PATH} string")
        raise no_match(listed[0][0], keys.with_key(example).head(1)[0][schemas.KEY])
