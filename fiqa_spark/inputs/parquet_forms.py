"""Which Parquet files are read together: those whose needed columns have the same names and types."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.feature_files import FoundFiles
from fiqa_spark.inputs.parquet_by_arrow import can_decompress
from fiqa_spark.inputs.parquet_footers import Footer, StoredColumn, read_footers

TEXTS = ("string", "binary", "fixed binary")
LISTS = ("array<float>", "array<double>", "array<float16>")
VECTORS = (*LISTS, "vector", "binary", "fixed binary")
IDENTITIES = (*TEXTS, "int", "bigint", "boolean", "float", "double", "date", "decimal")
"""Types as `StoredColumn` has them, whatever their precision."""
_NAMES_SHOWN = 20
# What Spark's reader lacks.
_CODECS = frozenset({"BROTLI", "LZO", "UNKNOWN"})
_ENCODINGS = frozenset({"BYTE_STREAM_SPLIT", "UNKNOWN"})
_OF_NO_ROWS = {schemas.PATH: "string", schemas.FEATURE: "array<float>", schemas.IDENTITY: "string"}
_REMEDIES = {
    schemas.PATH: "write the paths of the images into it, as text",
    schemas.FEATURE: "use array<float>, array<double>, an ML vector or float32 binary",
    schemas.IDENTITY: "write it as text or as whole numbers",
}


class AskedColumn(NamedTuple):
    """A column of a form."""

    asked: str
    """What it is called here."""
    name: str
    """What the files call it."""
    type: str
    """As `StoredColumn` has it."""


class Form(NamedTuple):
    """What is the same for all files that are read together."""

    columns: tuple[AskedColumn, ...]
    by_arrow: bool
    """Whether Spark's own reader cannot take them."""

    def type_of(self, asked: str) -> str | None:
        """Type of a column, None if there is none."""
        return next((column.type for column in self.columns if column.asked == asked), None)


class Wanted(NamedTuple):
    """What is asked of files."""

    types: Mapping[str, Collection[str]]
    """Name of a column to the types that it may have."""
    optional: str | None = None
    """A column that need not be there."""
    of_spark_alone: bool = False
    """Whether Arrow must not read the files."""


class FilesByForm(NamedTuple):
    """Files by their form."""

    footers: dict[Form, list[Footer]]
    """Of the files of each form; of a sample of them, if they are many and of one form."""
    are_alike: bool
    """Whether all files can be read in one go."""


def files_by_form(found: FoundFiles, wanted: Wanted) -> FilesByForm:
    """Parquet files by what is read together.

    Raises
    ------
    InputError
        If a file is damaged, lacks a column or holds another type in it, or nothing can read its compression.
    UnknownFooterError
    """
    footers = read_footers(found, wanted.types)
    forms = _by_form(found, footers, wanted)
    are_alike = _are_alike(forms, footers)
    are_all = found.is_whole and len(footers) == len(found.parquet)
    # Spark finds files itself, if all are alike; Arrow is told of every one.
    if not are_all and (not are_alike or any(form.by_arrow for form in forms)):
        found.look_at_all()
        footers = read_footers(found, wanted.types, of_all=True)
        forms = _by_form(found, footers, wanted)
        are_alike = _are_alike(forms, footers)
    if not forms:
        columns = tuple(AskedColumn(name, name, _OF_NO_ROWS[name]) for name in wanted.types)
        forms = {Form(columns, False): []}
    return FilesByForm(forms, are_alike)


def _are_alike(forms: dict[Form, list[Footer]], footers: list[Footer]) -> bool:
    """Whether files are of one form, those without rows too, which Spark would look at as well."""
    types = {_types(footer) for footer in footers if footer.rows}
    return len(forms) == 1 and all(_types(footer) in types for footer in footers)


def _types(footer: Footer) -> tuple[tuple[str, str], ...]:
    return tuple((column.name, column.type) for column in footer.columns)


def _by_form(found: FoundFiles, footers: Iterable[Footer], wanted: Wanted) -> dict[Form, list[Footer]]:
    forms: dict[Form, list[Footer]] = defaultdict(list)
    for footer in footers:
        if footer.rows:
            forms[_form(found, footer, wanted)].append(footer)
    return forms


def _form(found: FoundFiles, footer: Footer, wanted: Wanted) -> Form:
    """Form of one file; InputError if it has not what is wanted, or nothing can read it."""
    path = found.qualified(footer.file)
    columns = {name: column for name in wanted.types if (column := _column(footer, name, path)) is not None}
    missing = [name for name in wanted.types if name not in columns and name != wanted.optional]
    if missing:
        raise no_columns(missing, footer.names, path=found.path if len(found.parquet) == 1 else path)
    for name, column in columns.items():
        if column.type.partition("(")[0] not in wanted.types[name]:
            raise InputError(f"{column.name!r} is {column.type}", path=path, remedy=_REMEDIES[name])
    lacking = [reason for column in columns.values() for reason in _not_of_spark(column)]
    is_of_spark_alone = wanted.of_spark_alone or any(column.type == "vector" for column in columns.values())
    for reason, remedy, codec in lacking:
        if found.local_root is None or is_of_spark_alone or not can_decompress(codec):
            raise InputError(f"{reason}, which Spark cannot read", path=path, remedy=remedy)
    return Form(tuple(AskedColumn(name, column.name, column.type) for name, column in columns.items()), bool(lacking))


def _column(footer: Footer, name: str, path: str) -> StoredColumn | None:
    """The column of a name, or the only one whose name differs by the case of letters alone; None if there is none."""
    alike = [column for column in footer.columns if column.name.casefold() == name]
    exact = [column for column in alike if column.name == name]
    if not exact and len(alike) > 1:
        shown = " and ".join(repr(column.name) for column in alike)
        raise InputError(f"no column {name!r}, but {shown}", path=path, remedy=f"name one of them {name!r}")
    return next(iter(exact or alike), None)


def _not_of_spark(column: StoredColumn) -> list[tuple[str, str, str]]:
    """What Spark cannot read of a column: in words, the way out, and the codec, if it is that."""
    name = repr(column.name)
    half = [(f"{name} is {column.type}", "write it as array<float>", "")] if column.type == "array<float16>" else []
    return [
        *half,
        *(
            (f"{name} is compressed by {codec}", "write it with snappy or zstd", codec)
            for codec in sorted(column.codecs & _CODECS)
        ),
        *(
            (f"{name} is encoded as {encoding}", "write it without that encoding", "")
            for encoding in sorted(column.encodings & _ENCODINGS)
        ),
    ]


def no_columns(missing: Sequence[str], names: Sequence[str], **blame: str) -> InputError:
    """The error of columns that are missing, with those that are there."""
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return InputError(f"no column {' and no column '.join(map(repr, missing))}; it has {shown}{more}", **blame)
