"""The feature store: Parquet with an identity a row, in buckets by identity key, to be joined where they lie."""

import json
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.bucket_files import bucket_files
from fiqa_spark.inputs.bucket_writing import write_buckets
from fiqa_spark.inputs.features import Features, Layout, SeenFeatures, StoredFeatures
from fiqa_spark.inputs.identity_rows import VALUE_TYPES, identity_rows
from fiqa_spark.inputs.placed_vectors import PlacedVectors
from fiqa_spark.inputs.stored_vectors import image_rows
from fiqa_spark.inputs.vectors import partitions_for
from fiqa_spark.runtime.storage import Storage, literal

# Spark, pandas and DuckDB leave files alone whose names begin with an underscore.
DESCRIPTION_FILE = "_feature_store.json"
_FORMAT_VERSION = 3
_SCRATCH = "_packs"
# Few enough that a worker may meet some such rows at once, enough that what a row costs is nothing.
_IMAGES_OF_A_ROW = 1024
# Versions with a row an image, which is Parquet like any other.
_ROWS_OF_IMAGES = (1, 2)
_IMAGE_ORDER = (schemas.IDENTITY_KEY, schemas.KEY_HASH, schemas.PATH)
_SORTED_BY = (schemas.IDENTITY_KEY, schemas.PIECE)
# Read as a whole: what is small is gone again before Java's collector moves it to its old generation.
_ROW_GROUP_BYTES = 8 << 20
# By default Parquet measures a row group after a hundred rows, which may be a megabyte each here.
_ROWS_UNTIL_MEASURED = 8
# Tables are written and read at a path as it is; Spark would take it for a pattern, which `literal` cannot mend in a
# place that is written to.
_PLAIN_PATHS = "__globPaths__"
_IMPORT_AGAIN = "import the features again"
_PIECE_BITS, _ROW_BYTES, _PRECISION = "piece_bits", "row_bytes", "precision"


class _Description(NamedTuple):
    """What the description file tells those who open a store."""

    buckets: int
    files: int
    id_key_index: int
    row_bytes: int
    precision: str
    dimension: int | None
    piece_bits: dict[int, int]


def write_store(
    storage: Storage, vectors: DataFrame, folder: str, *, index: int, rows: int, dimension: int, precision: str
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
    precision : {'float32', 'int16'}
        Type of the values that vectors are kept in.

    Returns
    -------
    dict
        The description of the store.
    """
    buckets = partitions_for(rows, dimension)
    path = F.col(schemas.PATH)
    keyed = vectors.withColumns(
        {schemas.IDENTITY_KEY: keys.identity_key(path, index), schemas.KEY_HASH: F.xxhash64(path)}
    )
    in_order = keyed.repartition(buckets, schemas.IDENTITY_KEY).sortWithinPartitions(*_IMAGE_ORDER)
    table = _new_table_name()
    options = {
        "path": folder,
        _PLAIN_PATHS: "false",
        "compression": "none",
        f"parquet.enable.dictionary#{schemas.FEATURES}": "false",
        "parquet.block.size": str(_ROW_GROUP_BYTES),
        "parquet.page.size.row.check.min": str(_ROWS_UNTIL_MEASURED),
    }
    writer = identity_rows(in_order, precision, _IMAGES_OF_A_ROW).write.options(**options)
    # Spark knows no partitions behind Python, but what is in one stays there: each writes one file.
    writer.bucketBy(buckets, schemas.IDENTITY_KEY).sortBy(*_SORTED_BY).format("parquet").saveAsTable(table)
    vectors.sparkSession.sql(f"DROP TABLE {table}")
    facts = _what_was_written(vectors.sparkSession, folder, precision)
    return _described(storage, folder, facts, buckets, _count_files(storage, folder), index, precision)


def write_store_of_places(
    storage: Storage, placed: PlacedVectors, folder: str, local_folder: str, *, index: int, precision: str
) -> dict[str, Any]:
    """As `write_store`, of vectors that workers read and write by themselves.

    Parameters
    ----------
    local_folder : str
        The folder as workers see it.
    """
    storage.make_folder(f"{folder}/{_SCRATCH}")
    buckets = partitions_for(placed.rows, placed.dimension)
    written = write_buckets(
        placed,
        local_folder,
        f"{local_folder}/{_SCRATCH}",
        index=index,
        buckets=buckets,
        precision=precision,
        images_of_row=_IMAGES_OF_A_ROW,
        group_bytes=_ROW_GROUP_BYTES,
        umask=storage.umask(),
    )
    storage.delete(f"{folder}/{_SCRATCH}")
    storage.write_text(f"{folder}/_SUCCESS", "")
    counts: Counter[int] = Counter()
    for bucket in written:
        counts.update(bucket.lengths)
    bits = {key: bits for bucket in written for key, bits in bucket.piece_bits.items()}
    facts = _facts(counts, max((bucket.row_bytes for bucket in written), default=0), bits)
    return _described(storage, folder, facts, buckets, len(written), index, precision)


def _described(
    storage: Storage, folder: str, facts: dict[str, Any], buckets: int, files: int, index: int, precision: str
) -> dict[str, Any]:
    """The description of a store, written into it."""
    description = {
        "format_version": _FORMAT_VERSION,
        **facts,
        "buckets": buckets,
        "files": files,
        "id_key_index": index,
        _PRECISION: precision,
    }
    storage.write_text(f"{folder}/{DESCRIPTION_FILE}", json.dumps(description, indent=2) + "\n")
    return description


def _facts(counts: Mapping[int, int], row_bytes: int, piece_bits: Mapping[int, int]) -> dict[str, Any]:
    """What the rows of a store have in common, out of the number of vectors of each length."""
    return {
        "dimension": max((length for length in counts if length), key=lambda length: counts[length], default=None),
        "rows": sum(counts.values()),
        "lengths": sorted(map(list, counts.items())),
        _ROW_BYTES: row_bytes,
        # JSON has no whole numbers as keys.
        _PIECE_BITS: sorted(map(list, piece_bits.items())),
    }


def _what_was_written(spark: SparkSession, folder: str, precision: str) -> dict[str, Any]:
    """What the rows of a store have in common."""
    rows = spark.read.schema(schemas.FEATURE_STORE).parquet(literal(folder))
    images, of_bytes = F.size(schemas.KEYS), F.octet_length(schemas.FEATURES)
    equal = (of_bytes / images / VALUE_TYPES[precision].itemsize).cast("int")
    by_length = rows.groupBy(F.when(F.col(schemas.LENGTHS).isNull(), equal).alias("length"))
    found = by_length.agg(F.sum(images).alias("images"), F.max(of_bytes).alias("row_bytes")).collect()
    counts = {row.length: row.images for row in found}
    if None in counts:
        lengths = rows.select(F.explode(schemas.LENGTHS).alias("length")).groupBy("length").count().collect()
        del counts[None]
        for row in lengths:
            counts[row.length] = counts.get(row.length, 0) + row["count"]
    large = rows.where(F.col(schemas.PIECE_BITS) > 0).select(schemas.IDENTITY_KEY, schemas.PIECE_BITS).distinct()
    return _facts(counts, max((row.row_bytes for row in found), default=0), dict(map(tuple, large.collect())))


def is_store(storage: Storage, folder: str) -> bool:
    """Whether a folder is a feature store."""
    return storage.is_folder(folder) and storage.exists(_description_path(folder))


def has_rows_of_images(storage: Storage, folder: str) -> bool:
    """Whether a store is of an earlier version, with a row an image."""
    return _content(storage, folder)[0] in _ROWS_OF_IMAGES


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
    columns = ", ".join(f"{item.name} {item.dataType.simpleString()}" for item in schemas.FEATURE_STORE)
    table, location = _new_table_name(), storage.qualified(folder).replace("\\", "\\\\").replace("'", "\\'")
    spark.sql(
        f"CREATE TABLE {table} ({columns}) USING parquet OPTIONS ({_PLAIN_PATHS} 'false') "
        f"CLUSTERED BY ({schemas.IDENTITY_KEY}) SORTED BY ({', '.join(_SORTED_BY)}) INTO {description.buckets} BUCKETS "
        f"LOCATION '{location}'"
    )
    rows = spark.table(table)
    layout = Layout(
        description.buckets,
        description.precision,
        description.dimension,
        description.piece_bits,
        description.row_bytes,
    )
    files = bucket_files(storage, folder, description.precision)
    return Features(
        image_rows(rows, description.precision),
        description.id_key_index,
        StoredFeatures(rows, layout),
        SeenFeatures(files, layout) if files else None,
    )


def _content(storage: Storage, folder: str) -> tuple[int, dict[str, Any]]:
    """Format version and all that the description file tells; InputError if the version cannot be read."""
    path = _description_path(folder)
    try:
        content = json.loads(storage.read_text(path))
        version = content["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(error, path) from None
    readable = (*_ROWS_OF_IMAGES, _FORMAT_VERSION)
    if not isinstance(version, int) or version not in readable:
        text = f"format version {version!r}, not one of {', '.join(map(str, readable))}"
        raise InputError(text, path=path, remedy=_IMPORT_AGAIN)
    return version, content


def _read_description(storage: Storage, folder: str) -> _Description:
    """What the description file tells, checked against the files."""
    _, content = _content(storage, folder)
    try:
        numbers = {name: int(content[name]) for name in ("buckets", "files", "id_key_index", _ROW_BYTES)}
        pieces = {int(key): int(bits) for key, bits in content[_PIECE_BITS]}
        dimension = None if content["dimension"] is None else int(content["dimension"])
        if content[_PRECISION] not in VALUE_TYPES:
            raise ValueError(f"precision {content[_PRECISION]!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(error, _description_path(folder)) from None
    description = _Description(**numbers, precision=content[_PRECISION], dimension=dimension, piece_bits=pieces)
    files = _count_files(storage, folder)
    if files != description.files:
        text = f"{files} of the {description.files} files of the store"
        raise InputError(text, path=folder, remedy=_IMPORT_AGAIN)
    return description


def _damaged(error: Exception, path: str) -> InputError:
    return InputError(f"not the description of a feature store ({error})", path=path, remedy=_IMPORT_AGAIN)


def _description_path(folder: str) -> str:
    return f"{folder.rstrip('/')}/{DESCRIPTION_FILE}"


def _count_files(storage: Storage, folder: str) -> int:
    """Number of Parquet files in a store."""
    return sum(name.startswith("part-") for name, *_ in storage.entries(folder))


def _new_table_name() -> str:
    return f"fiqa_features_{uuid.uuid4().hex}"
