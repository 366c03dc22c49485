"""The columns of Parquet files that a job needs, and no others: what else they hold need not be readable."""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
)

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.feature_files import PARQUET, FoundFiles
from fiqa_spark.inputs.parquet_by_arrow import read_by_arrow
from fiqa_spark.inputs.parquet_footers import Footer, UnknownFooterError
from fiqa_spark.inputs.parquet_forms import (
    IDENTITIES,
    LISTS,
    TEXTS,
    VECTORS,
    FilesByForm,
    Form,
    Wanted,
    files_by_form,
    no_columns,
)
from fiqa_spark.inputs.placed_vectors import FILE, ROW_OF_FILE, length_of_first_vector
from fiqa_spark.runtime.storage import Storage, literal

_FEATURE_COLUMNS = (schemas.PATH, schemas.FEATURE)
# Where Spark tells of each row in which file it stands.
_FILE = "_metadata.file_path"
_OF_SPARK: dict[str, DataType] = {
    "string": StringType(),
    "binary": BinaryType(),
    "fixed binary": BinaryType(),
    "int": IntegerType(),
    "bigint": LongType(),
    "boolean": BooleanType(),
    "float": FloatType(),
    "double": DoubleType(),
    "date": DateType(),
    "array<float>": ArrayType(FloatType()),
    "array<double>": ArrayType(DoubleType()),
}


class FeatureRows(NamedTuple):
    """Rows of Parquet files of features."""

    table: DataFrame
    """`path` (string) and `feature`: as it is stored, or array<float> where files differ."""
    have_raw_paths: bool
    """Whether paths are stored as bytes, of which nobody has said that they are UTF-8."""


class FeaturePlaces(NamedTuple):
    """Rows of Parquet files of features, without their vectors."""

    table: DataFrame
    """`path` (string), and where the vector stands: `file` (an address) and `row_of_file`."""
    have_raw_paths: bool
    """As of `FeatureRows`."""
    column: str
    """What the files call the column of vectors."""
    rows: int
    """About how many there are."""
    dimension: int
    """Length of the first of them."""


def read_feature_columns(spark: SparkSession, found: FoundFiles) -> FeatureRows:
    """Features in Parquet files, whatever else these hold.

    Raises
    ------
    InputError
        If a file is damaged, lacks a column or holds another type in it, or nothing can read its compression.
    """
    try:
        files = _feature_files(found)
    except UnknownFooterError:
        return FeatureRows(_reader(spark, found, None, found.parquet, are_all=True), False)
    _check_vectors_agree(found, files)
    parts = []
    for form, footers in files.footers.items():
        table = _read(spark, found, form, footers, are_alike=files.are_alike)
        feature = F.col(schemas.FEATURE) if len(files.footers) == 1 else _like_others(form)
        parts.append(table.select(F.col(schemas.PATH).cast("string"), feature.alias(schemas.FEATURE)))
    return FeatureRows(_union(parts), any(form.type_of(schemas.PATH) != "string" for form in files.footers))


def read_feature_places(spark: SparkSession, found: FoundFiles) -> FeaturePlaces | None:
    """Where features stand in local Parquet files, whose vectors Arrow reads as Spark does.

    Returns
    -------
    FeaturePlaces or None
        None where Spark has to read them: files elsewhere, of several forms, or other than lists of float.
    """
    try:
        files = _feature_files(found)
    except UnknownFooterError:
        return None
    [(form, footers), *others] = files.footers.items()
    is_list = form.type_of(schemas.FEATURE) == "array<float>"
    if others or not footers or form.by_arrow or not is_list or found.local_root is None:
        return None
    of_path, of_vector = (next(each for each in form.columns if each.asked == name) for name in _FEATURE_COLUMNS)
    schema = StructType([StructField(of_path.name, _spark_type(of_path.type))])
    names = found.parquet if files.are_alike else [footer.file for footer in footers]
    table = _reader(spark, found, schema, names, are_all=files.are_alike).select(
        _read_column(schemas.PATH, of_path.name).cast("string").alias(schemas.PATH),
        F.col(_FILE).alias(FILE),
        F.col("_metadata.row_index").alias(ROW_OF_FILE),
    )
    rows = sum(footer.rows for footer in footers) * len(names) // len(footers)
    paths = (f"{found.local_root}/{name}" if name else found.local_root for name in names)
    dimension = length_of_first_vector(paths, of_vector.name)
    return FeaturePlaces(table, of_path.type != "string", of_vector.name, rows, dimension)


@functools.lru_cache(maxsize=1)
def _feature_files(found: FoundFiles) -> FilesByForm:
    """Files of features by what is read together, once for rows and places of the same files."""
    return files_by_form(found, Wanted({schemas.PATH: TEXTS, schemas.FEATURE: VECTORS}))


def read_list_columns(spark: SparkSession, storage: Storage, path: str) -> DataFrame | None:
    """A list of images in Parquet; None if there is no Parquet.

    Returns
    -------
    DataFrame
        `path`, and `identity` if there is one, as text; the names of folders may tell it too, ``identity=0042``.

    Raises
    ------
    InputError
        If a file is damaged, has no `path`, or it is no text.
    """
    found = FoundFiles(storage, path, (PARQUET,))
    if not found.forms:
        return None
    found.tell_what_is_not_read()
    in_folders = any(f"/{schemas.IDENTITY}=" in f"/{name}" for name in found.parquet)
    texts = {schemas.PATH: TEXTS} if in_folders else {schemas.PATH: TEXTS, schemas.IDENTITY: IDENTITIES}
    try:
        files = files_by_form(found, Wanted(texts, schemas.IDENTITY, of_spark_alone=in_folders))
    except UnknownFooterError:
        columns = [StructField(name, StringType()) for name in (schemas.PATH, schemas.IDENTITY)]
        schema = StructType(columns) if in_folders else None
        parts = [_reader(spark, found, schema, found.parquet, are_all=True, in_folders=in_folders)]
    else:
        parts = [
            _read(spark, found, form, footers, are_alike=files.are_alike, in_folders=in_folders)
            for form, footers in files.footers.items()
        ]
    if schemas.PATH not in parts[0].columns:
        raise no_columns([schemas.PATH], parts[0].columns, path=path)
    has_identity = any(schemas.IDENTITY in part.columns for part in parts)
    return _union(_as_text(part, has_identity, path) for part in parts)


def _as_text(table: DataFrame, has_identity: bool, path: str) -> DataFrame:
    columns = [F.col(schemas.PATH).cast("string")]
    if has_identity:
        is_there = schemas.IDENTITY in table.columns
        identity = keys.identity_as_text(table, path=path) if is_there else F.lit(None).cast("string")
        columns.append(identity.alias(schemas.IDENTITY))
    return table.select(*columns)


def _check_vectors_agree(found: FoundFiles, files: FilesByForm) -> None:
    """Raise InputError for bytes in one file and lists in another: what bytes mean is told of all files alike."""
    examples: dict[bool, tuple[str | None, str]] = {}
    for form, footers in files.footers.items():
        kind = form.type_of(schemas.FEATURE)
        if footers:
            examples.setdefault(kind in TEXTS, (kind, footers[0].file))
    if len(examples) > 1:
        shown = " and ".join(f"{kind} in {file}" for kind, file in examples.values())
        remedy = "write all files with the same types"
        raise InputError(f"'feature' is {shown}", path=found.path, remedy=remedy)


def _read(
    spark: SparkSession,
    found: FoundFiles,
    form: Form,
    footers: Sequence[Footer],
    *,
    are_alike: bool,
    in_folders: bool = False,
) -> DataFrame:
    """The columns of the files of one form, by the names that they have here."""
    if form.by_arrow:
        pieces = [(found.local(footer.file) or "", group) for footer in footers for group in range(footer.row_groups)]
        return read_by_arrow(spark, pieces, form.columns)
    schema = StructType([StructField(column.name, _spark_type(column.type)) for column in form.columns])
    files = found.parquet if are_alike else [footer.file for footer in footers]
    if not files:
        return spark.createDataFrame([], schema).toDF(*(column.asked for column in form.columns))
    names = [_read_column(column.asked, column.name) for column in form.columns]
    if in_folders:
        # With its type told, Spark does not guess it, and make 42 of 0042.
        schema, names = schema.add(schemas.IDENTITY, StringType()), [*names, F.col(schemas.IDENTITY)]
    return _reader(spark, found, schema, files, are_all=are_alike, in_folders=in_folders).select(*names)


def _read_column(asked: str, name: str) -> Column:
    """A column by the name that it has here; a path must be there, which a file lacks that no sample has shown."""
    column = F.col(name)
    if asked == schemas.PATH:
        column = keys.required_path(column.cast("string"), file=F.col(_FILE))
    return column.alias(asked)


def _reader(
    spark: SparkSession,
    found: FoundFiles,
    schema: StructType | None,
    files: Sequence[str],
    *,
    are_all: bool,
    in_folders: bool = False,
) -> DataFrame:
    """Files read by Spark; all of a folder at once, where a pattern tells them from the others."""
    reader = spark.read if schema is None else spark.read.schema(schema)
    if not found.is_folder:
        return reader.parquet(literal(found.root))
    # Folders below are part of it, whatever their names.
    options = {} if in_folders else {"recursiveFileLookup": "true"}
    pattern = found.pattern if are_all else None
    if pattern is not None:
        return reader.options(**options, pathGlobFilter=pattern).parquet(literal(found.root))
    options = {"basePath": found.root} if in_folders else options
    return reader.options(**options).parquet(*(literal(found.qualified(file)) for file in files))


def _spark_type(kind: str) -> DataType:
    if kind == "vector":
        # Loads a good part of Spark's library for machine learning, which few features need.
        from pyspark.ml.linalg import VectorUDT

        return VectorUDT()
    if kind.startswith("decimal("):
        precision, scale = kind[len("decimal(") : -1].split(",")
        return DecimalType(int(precision), int(scale))
    return _OF_SPARK[kind]


def _like_others(form: Form) -> Column:
    """A feature as a type that all lists and vectors can have; bytes as they are."""
    feature, kind = F.col(schemas.FEATURE), form.type_of(schemas.FEATURE)
    if kind in LISTS:
        return feature.cast("array<float>")
    if kind in TEXTS:
        return feature
    from pyspark.ml.functions import vector_to_array

    return F.when(feature.isNotNull(), vector_to_array(feature, "float32"))


def _union(parts: Iterable[DataFrame]) -> DataFrame:
    first, *others = parts
    for other in others:
        first = first.union(other)
    return first
