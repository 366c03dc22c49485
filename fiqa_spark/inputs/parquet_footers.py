"""What the footers of Parquet files tell: columns and their types, compression, encodings; no data is read."""

import logging
import os
import stat
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.feature_files import PARQUET, FoundFiles
from fiqa_spark.runtime.storage import Storage

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_TAIL_BYTES = 1 << 16
# Of more files a sample is looked at; all, if that is of several forms.
_LOCAL_FILES, _STORED_FILES = 1000, 64
_THREADS = 16
# By the name that Spark has for it; what differs by more than the name is not told apart.
_PRIMITIVES = {"FLOAT": "float", "DOUBLE": "double", "BOOLEAN": "boolean", "INT96": "timestamp"}
_TEXTS = ("STRING", "ENUM", "JSON")
_log = logging.getLogger("fiqa_spark")
_ML_VECTOR = {"type", "size", "indices", "values"}


class UnknownFooterError(Exception):
    """Raised when a footer is there, but Arrow cannot read it; Spark may."""


class StoredColumn(NamedTuple):
    """A column of a file."""

    name: str
    type: str
    """As Spark names it; `array<float16>`, `uuid` and others are none of Spark's."""
    codecs: frozenset[str]
    encodings: frozenset[str]


class Footer(NamedTuple):
    """What one file says of itself."""

    file: str
    """Name, a path below the folder that was looked at."""
    names: tuple[str, ...]
    """Names of all columns."""
    columns: tuple[StoredColumn, ...]
    """Those that were asked for, however their names are written."""
    rows: int
    row_groups: int


def read_footers(found: FoundFiles, asked: Collection[str], *, of_all: bool = False) -> list[Footer]:
    """Footers of Parquet files that are not empty: of all, or of an even sample of many.

    Parameters
    ----------
    found : FoundFiles
    asked : collection of str
        Columns to tell of, whatever the case of their letters.
    of_all : bool
        Whether to read those of all files, however many they are.

    Raises
    ------
    InputError
        If a file is truncated, encrypted, or a pipe.
    UnknownFooterError
    """
    at_most = _STORED_FILES if found.local_root is None else _LOCAL_FILES
    names = found.parquet if of_all else _even_sample(found.parquet, at_most)
    folded = {name.casefold() for name in asked}

    def read(name: str) -> Footer | None:
        metadata = _metadata(found, name)
        return None if metadata is None else _footer(metadata, name, folded)

    if found.local_root is not None:
        footers = list(map(read, names))
    else:
        with ThreadPoolExecutor(_THREADS) as threads:
            footers = list(threads.map(read, names))
    empty = [name for name, footer in zip(names, footers, strict=True) if footer is None]
    if empty:
        _log.warning("%d of the Parquet files of %s hold nothing at all, such as %s", len(empty), found.path, empty[0])
    return [footer for footer in footers if footer is not None]


def column_names(storage: Storage, file: str) -> list[str]:
    """Names of the columns of one file; InputError if it cannot be read."""
    found = FoundFiles(storage, file, (PARQUET,))
    try:
        return [name for footer in read_footers(found, ()) for name in footer.names]
    except UnknownFooterError:
        raise _damaged(found.root) from None


def _even_sample(names: Sequence[str], at_most: int) -> Sequence[str]:
    if len(names) <= at_most:
        return names
    return [names[place] for place in np.linspace(0, len(names) - 1, at_most).astype(int)]


def _metadata(found: FoundFiles, name: str) -> Any:
    """The footer of a file; None for an empty file, which holds no rows for Spark either."""
    path, local = found.qualified(name), found.local(name)
    try:
        if local is not None:
            status = os.stat(local)
            if not stat.S_ISREG(status.st_mode):
                raise InputError("is a pipe or a device", path=path, remedy="write what it gives to a file first")
            return pq.read_metadata(local) if status.st_size else None
        tail = _stored_tail(found.storage, path)
        return pq.read_metadata(pa.BufferReader(_MAGIC + tail)) if tail else None
    except PermissionError:
        remedy = "give the user of this job the right to it, or choose another place"
        raise InputError("permission denied", path=path, remedy=remedy) from None
    except FileNotFoundError:
        raise InputError("is gone or leads nowhere", path=path, remedy="remove it or bring it back") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(found.storage, path, str(error)) from None


def _stored_tail(storage: Storage, path: str) -> bytes:
    """The footer of a file with its length and magic number."""
    tail = storage.tail(path, _TAIL_BYTES)
    length = int.from_bytes(tail[-8:-4], "little") + 8
    return tail[-length:] if length <= len(tail) else storage.tail(path, length)


def _unreadable(storage: Storage, path: str, reason: str) -> InputError | UnknownFooterError:
    end = storage.tail(path, len(_MAGIC))
    if "LogicalType that is not recognized" in reason:
        return InputError(
            f"has a column of a type that pyarrow {pa.__version__} does not know, such as float16",
            path=path,
            remedy="write the column as another type, vectors as array<float>, or install a newer pyarrow",
        )
    if end == _ENCRYPTED:
        return InputError("is encrypted", path=path, remedy="write it without encryption")
    if end == _MAGIC:
        return UnknownFooterError(path)
    return _damaged(path)


def _damaged(path: str) -> InputError:
    """As Spark's own failure is told."""
    return InputError("cannot be read, it is truncated or damaged", path=path, remedy="write it again")


def _footer(metadata: Any, file: str, folded: Collection[str]) -> Footer:
    schema = metadata.schema
    leaves: dict[str, list[int]] = defaultdict(list)
    for index in range(metadata.num_columns):
        leaves[schema.column(index).path.split(".", 1)[0]].append(index)
    columns = []
    for name, indices in leaves.items():
        if name.casefold() in folded:
            chunks = [metadata.row_group(0).column(index) for index in indices] if metadata.num_row_groups else []
            codecs = frozenset(chunk.compression for chunk in chunks)
            encodings = frozenset(encoding for chunk in chunks for encoding in chunk.encodings)
            columns.append(StoredColumn(name, _type_of([schema.column(index) for index in indices]), codecs, encodings))
    return Footer(file, tuple(leaves), tuple(columns), metadata.num_rows, metadata.num_row_groups)


def _type_of(leaves: Sequence[Any]) -> str:
    """Type of a column, from the columns of values that it is stored as."""
    paths = {leaf.path for leaf in leaves}
    if len(paths) < len(leaves):
        return "there twice"
    if len(leaves) > 1:
        return "vector" if {path.split(".")[1] for path in paths} == _ML_VECTOR else "struct or map"
    [leaf] = leaves
    depth = leaf.path.count(".")
    if leaf.max_repetition_level == 0:
        return _primitive(leaf) if depth == 0 else "struct or map"
    # A list holds its values one or two levels down, or is a repeated value itself.
    return f"array<{_primitive(leaf)}>" if leaf.max_repetition_level == 1 and depth <= 2 else "array of arrays"


def _primitive(leaf: Any) -> str:
    physical, logical, converted = leaf.physical_type, leaf.logical_type.type, leaf.converted_type
    if physical in _PRIMITIVES:
        return _PRIMITIVES[physical]
    if logical == "DECIMAL":
        return f"decimal({leaf.precision},{leaf.scale})"
    if logical in ("DATE", "TIME", "TIMESTAMP", "UUID", "FLOAT16"):
        return logical.lower()
    if physical == "BYTE_ARRAY":
        return "string" if logical in _TEXTS or converted == "UTF8" else "binary"
    if physical == "FIXED_LEN_BYTE_ARRAY":
        return "fixed binary"
    return {"UINT_64": "decimal(20,0)", "UINT_32": "bigint"}.get(converted, "int" if physical == "INT32" else "bigint")
