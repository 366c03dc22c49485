"""Tables that keep an account of the Parquet files that count: read as files, deleted rows would come back."""

import os
import posixpath
import re
from collections.abc import Iterator
from enum import Enum

from fiqa_spark.errors import InputError
from fiqa_spark.runtime.storage import Storage

# A partition of a table lies below it, and Iceberg's files in a folder `data`.
_LEVELS_ABOVE = 2
# Above a folder that was given, only what Iceberg itself would name so.
_ICEBERG_METADATA = re.compile(r"(v\d+|\d+-[0-9a-f-]+)\b.*\.metadata\.json(\.gz)?$")


class TableFormat(Enum):
    """A form of tables, by its name and by what marks the folder of one."""

    DELTA = ("a Delta table", "_delta_log")
    HUDI = ("a Hudi table", ".hoodie")
    ICEBERG = ("an Iceberg table", "metadata")

    def error(self, path: str, relation: str = "is", table: str | None = None) -> InputError:
        """The error of a path that is such a table, or has another relation to one, `table`."""
        name, mark = self.value
        place = f"{name} (it has {mark})" if table is None else f"{name}, {table} (it has {mark})"
        return InputError(
            f"{relation} {place}, whose files hold deleted rows too",
            path=path,
            remedy="read it by its own reader in a notebook and hand the DataFrame to `fiqa_spark.generate_labels`, or "
            "write its rows as plain Parquet",
        )


def table_marked_by(below: str, name: str, is_folder: bool) -> TableFormat | None:
    """The format of a table that an entry of a folder tells of, or None.

    Parameters
    ----------
    below : str
        Folder of the entry, empty or with '/' at its end.
    name : str
    is_folder : bool
    """
    if is_folder and name == "_delta_log":
        return TableFormat.DELTA
    if name == ".hoodie" or name == ".hoodie_partition_metadata":
        return TableFormat.HUDI
    if name.endswith((".metadata.json", ".metadata.json.gz")) and posixpath.basename(below.rstrip("/")) == "metadata":
        return TableFormat.ICEBERG
    return None


def check_no_table_above(storage: Storage, path: str) -> None:
    """Raise InputError if a folder is a table, or a file or folder lies in one, at most two levels below partitions."""
    local = storage.local(path)
    given = storage.qualified(path)
    for start in dict.fromkeys((given, given if local is None else f"file:{os.path.realpath(local)}")):
        for folder in _folders_above(start if storage.is_folder(path) else posixpath.dirname(start)):
            for table in TableFormat:
                if _is_marked(storage, folder, table):
                    raise table.error(path) if folder == given else table.error(path, "lies in", folder)


def _folders_above(folder: str) -> Iterator[str]:
    """A folder and those above it in which it may be part of a table."""
    levels = _LEVELS_ABOVE + 1
    while levels and folder and not folder.endswith(":"):
        yield folder
        folder, name = posixpath.split(folder)
        levels -= "=" not in name


def _is_marked(storage: Storage, folder: str, table: TableFormat) -> bool:
    mark = f"{folder}/{table.value[1]}"
    if table is not TableFormat.ICEBERG:
        return storage.exists(mark)
    return storage.is_folder(mark) and any(_ICEBERG_METADATA.match(name) for name, *_ in storage.listing(mark))
