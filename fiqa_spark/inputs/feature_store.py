"""The feature store: Parquet vectors in buckets by cluster, sorted inside, to be joined where they lie."""

import json
import uuid

from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.parquet_features import Features
from fiqa_spark.inputs.vectors import partitions_for, with_binary_vectors
from fiqa_spark.runtime.storage import literal

# Spark, pandas and DuckDB leave files alone whose names begin with an underscore.
DESCRIPTION_FILE = "_feature_store.json"
_FORMAT_VERSION = 1
# Read as a whole: what is small is gone again before Java's collector moves it to its old generation.
_ROW_GROUP_BYTES = 8 << 20
_SORTED_BY = (schemas.IDENTITY_KEY, schemas.KEY_HASH, schemas.PATH)


def write_store(storage, vectors, folder, *, index, rows, dimension):
    """Write vectors as a feature store.

    Their digits are random, so that neither compression nor a dictionary would save anything.

    Parameters
    ----------
    storage : Storage
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
    clustered = vectors.withColumns(
        {schemas.IDENTITY_KEY: keys.identity_key(path, index), schemas.KEY_HASH: F.xxhash64(path)}
    ).select(*schemas.FEATURE_STORE.names)
    table = _new_name()
    placed = with_binary_vectors(clustered.repartition(buckets, schemas.IDENTITY_KEY))
    options = {
        "path": folder,
        "compression": "none",
        f"parquet.enable.dictionary#{schemas.FEATURE}": "false",
        "parquet.block.size": str(_ROW_GROUP_BYTES),
    }
    writer = placed.write.options(**options).bucketBy(buckets, schemas.IDENTITY_KEY).sortBy(*_SORTED_BY)
    writer.format("parquet").saveAsTable(table)
    vectors.sparkSession.sql(f"DROP TABLE {table}")
    written = vectors.sparkSession.read.schema(schemas.FEATURE_STORE).parquet(literal(folder))
    lengths = written.groupBy((F.octet_length(schemas.FEATURE) / 4).cast("int").alias("length")).count()
    counts = {row.length: row["count"] for row in lengths.collect()}
    description = {
        "format_version": _FORMAT_VERSION,
        "dimension": max((length for length in counts if length), key=counts.get, default=None),
        "rows": sum(counts.values()),
        "buckets": buckets,
        "files": len(_files(storage, folder)),
        "id_key_index": index,
    }
    storage.write_text(f"{folder}/{DESCRIPTION_FILE}", json.dumps(description, indent=2) + "\n")
    return description


def is_store(storage, folder):
    """Whether a folder is a feature store."""
    return storage.is_folder(folder) and storage.exists(f"{folder.rstrip('/')}/{DESCRIPTION_FILE}")


def open_store(spark, storage, folder):
    """Features in a store, in their buckets.

    Parameters
    ----------
    spark : SparkSession
        Its catalog must be its own, since a table for the buckets is made there.
    storage : Storage
    folder : str

    Returns
    -------
    Features

    Raises
    ------
    InputError
        If the store is of another version, damaged, or lacks files.
    """
    description = _description(storage, folder)
    table, place = _new_name(), storage.qualified(folder).replace("\\", "\\\\").replace("'", "\\'")
    columns = ", ".join(f"{item.name} {item.dataType.simpleString()}" for item in schemas.FEATURE_STORE)
    spark.sql(
        f"CREATE TABLE {table} ({columns}) USING parquet CLUSTERED BY ({schemas.IDENTITY_KEY}) "
        f"SORTED BY ({', '.join(_SORTED_BY)}) INTO {description['buckets']} BUCKETS LOCATION '{place}'"
    )
    vectors = spark.table(table).withColumnRenamed(schemas.PATH, schemas.KEY)
    return Features(vectors, description["id_key_index"], description["buckets"])


def _description(storage, folder):
    """The checked content of the JSON file."""
    where = f"{folder.rstrip('/')}/{DESCRIPTION_FILE}"
    try:
        description = json.loads(storage.read_text(where))
        version = description["format_version"]
        numbers = {name: int(description[name]) for name in ("buckets", "files", "id_key_index")}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{where}: not the description of a feature store ({error}); import the features again"
        ) from None
    if version != _FORMAT_VERSION:
        raise InputError(f"{where}: format version {version!r}, not {_FORMAT_VERSION}; import the features again")
    found = len(_files(storage, folder))
    if found != numbers["files"]:
        raise InputError(f"{folder}: {found} of the {numbers['files']} files of the store; import the features again")
    return numbers


def _files(storage, folder):
    return [name for name, *_ in storage.entries(folder) if name.startswith("part-")]


def _new_name():
    return f"fiqa_features_{uuid.uuid4().hex}"
