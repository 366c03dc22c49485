"""The feature store: Parquet vectors in buckets by identity key, sorted inside, to be joined where they lie."""

import json
import uuid
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.parquet_features import Features
from fiqa_spark.inputs.vectors import partitions_for, with_binary_vectors
from fiqa_spark.runtime.storage import Storage, literal

# Spark, pandas and DuckDB leave files alone whose names begin with an underscore.
DESCRIPTION_FILE = "_feature_store.json"
_FORMAT_VERSION = 2
# How each version that can be read names the column that the buckets follow.
_BUCKET_COLUMNS = {1: "cluster", _FORMAT_VERSION: schemas.IDENTITY_KEY}
_SORTED_BY = (schemas.IDENTITY_KEY, schemas.KEY_HASH, schemas.PATH)
# Read as a whole: what is small is gone again before Java's collector moves it to its old generation.
_ROW_GROUP_BYTES = 8 << 20
# Tables are written and read at a path as it is; Spark would take it for a pattern, which `literal` cannot mend in a
# place that is written to.
_PLAIN_PATHS = "__globPaths__"
_IMPORT_AGAIN = "import the features again"


class _Description(NamedTuple):
    """What the description file tells those who open a store."""

    format_version: int
    buckets: int
    files: int
    id_key_index: int


def write_store(
    storage: Storage, vectors: DataFrame, folder: str, *, index: int, rows: int, dimension: int
) -> dict[str, Any]:
    """Write vectors as a feature store.

    Their digits are random, so that neither compression nor a dictionary would save anything.

    Parameters
    ----------
    vectors : DataFrame
        `path` (the key), `feature` (binary or array<float>), `problem`.
    folder : str
        Folder to create.
    index : int
        Part of the key by which vectors are put together, see `keys.identity_key`.
    rows, dimension : int
        About how many vectors of which length there are, from which the number of buckets follows.

    Returns
    -------
    dict
        The description of the store.
    """
    buckets = partitions_for(rows, dimension)
    path = F.col(schemas.PATH)
    keyed = vectors.withColumns(
        {schemas.IDENTITY_KEY: keys.identity_key(path, index), schemas.KEY_HASH: F.xxhash64(path)}
    ).select(*schemas.FEATURE_STORE.names)
    table = _new_table_name()
    by_identity = with_binary_vectors(keyed.repartition(buckets, schemas.IDENTITY_KEY))
    options = {
        "path": folder,
        _PLAIN_PATHS: "false",
        "compression": "none",
        f"parquet.enable.dictionary#{schemas.FEATURE}": "false",
        "parquet.block.size": str(_ROW_GROUP_BYTES),
    }
    writer = by_identity.write.options(**options).bucketBy(buckets, schemas.IDENTITY_KEY).sortBy(*_SORTED_BY)
    writer.format("parquet").saveAsTable(table)
    vectors.sparkSession.sql(f"DROP TABLE {table}")
    written = vectors.sparkSession.read.schema(schemas.FEATURE_STORE).parquet(literal(folder))
    lengths = written.groupBy((F.octet_length(schemas.FEATURE) / 4).cast("int").alias("length")).count()
    counts = {row.length: row["count"] for row in lengths.collect()}
    description = {
        "format_version": _FORMAT_VERSION,
        "dimension": max((length for length in counts if length), key=lambda length: counts[length], default=None),
        "rows": sum(counts.values()),
        "buckets": buckets,
        "files": _count_files(storage, folder),
        "id_key_index": index,
    }
    storage.write_text(f"{folder}/{DESCRIPTION_FILE}", json.dumps(description, indent=2) + "\n")
    return description


def is_store(storage: Storage, folder: str) -> bool:
    """Whether a folder is a feature store."""
    return storage.is_folder(folder) and storage.exists(_description_path(folder))


def open_store(spark: SparkSession, storage: Storage, folder: str) -> Features:
    """Features in a store, in their buckets.

    Parameters
    ----------
    spark : SparkSession
        Its catalog must be its own, since a table for the buckets is made there.

    Raises
    ------
    InputError
        If the store is of a version that cannot be read, damaged, or lacks files.
    """
    description = _read_description(storage, folder)
    bucket_column = _BUCKET_COLUMNS[description.format_version]
    names = {schemas.IDENTITY_KEY: bucket_column}
    columns = ", ".join(
        f"{names.get(item.name, item.name)} {item.dataType.simpleString()}" for item in schemas.FEATURE_STORE
    )
    sorted_by = ", ".join(names.get(name, name) for name in _SORTED_BY)
    table, location = _new_table_name(), storage.qualified(folder).replace("\\", "\\\\").replace("'", "\\'")
    spark.sql(
        f"CREATE TABLE {table} ({columns}) USING parquet OPTIONS ({_PLAIN_PATHS} 'false') "
        f"CLUSTERED BY ({bucket_column}) SORTED BY ({sorted_by}) INTO {description.buckets} BUCKETS "
        f"LOCATION '{location}'"
    )
    # Spark follows the new names back to the buckets, so that vectors stay where they lie.
    vectors = spark.table(table).withColumnsRenamed({bucket_column: schemas.IDENTITY_KEY, schemas.PATH: schemas.KEY})
    return Features(vectors, description.id_key_index, description.buckets)


def _read_description(storage: Storage, folder: str) -> _Description:
    """What the description file tells, checked against the files."""
    path = _description_path(folder)
    try:
        content = json.loads(storage.read_text(path))
        version = content["format_version"]
        numbers = {name: int(content[name]) for name in ("buckets", "files", "id_key_index")}
    except (ValueError, KeyError, TypeError) as error:
        text = f"not the description of a feature store ({error})"
        raise InputError(text, path=path, remedy=_IMPORT_AGAIN) from None
    if not isinstance(version, int) or version not in _BUCKET_COLUMNS:
        readable = " or ".join(map(str, _BUCKET_COLUMNS))
        raise InputError(f"format version {version!r}, not {readable}", path=path, remedy=_IMPORT_AGAIN)
    description = _Description(version, **numbers)
    files = _count_files(storage, folder)
    if files != description.files:
        text = f"{files} of the {description.files} files of the store"
        raise InputError(text, path=folder, remedy=_IMPORT_AGAIN)
    return description


def _description_path(folder: str) -> str:
    return f"{folder.rstrip('/')}/{DESCRIPTION_FILE}"


def _count_files(storage: Storage, folder: str) -> int:
    """Number of Parquet files in a store."""
    return sum(name.startswith("part-") for name, *_ in storage.entries(folder))


def _new_table_name() -> str:
    return f"fiqa_features_{uuid.uuid4().hex}"
