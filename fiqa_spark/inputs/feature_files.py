"""What lies at a path: files of which form, and what is not read; the same whatever order a disk lists them in."""

import logging
import os
import posixpath
import re
import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.table_formats import check_no_table_above, table_marked_by
from fiqa_spark.runtime import local_folders
from fiqa_spark.runtime.storage import Storage

PARQUET, NPY = ".parquet", ".npy"
# Streams that Spark writes keep a list of the files that count there.
STREAM_LOG = "_spark_metadata"
_ENDINGS = {PARQUET: (".parquet", ".parq", ".pq")}
_FIRST_BYTES = {b"PAR1": PARQUET, b"\x93NUM": NPY}
# Many small files: the first folders tell how all are named. Of local Parquet every file is wanted; elsewhere, where
# every folder takes several calls, Spark lists them once more.
_ENTRIES, _ENTRIES_ELSEWHERE = 100_000, 10_000
# Files of one extension whose first bytes agree tell what the others of that extension are.
_LOOKS = 100
_INNER_EXTENSIONS = 8
_NEVER_FEATURES = frozenset(
    f".{name}"
    for names in (
        "jpg jpeg png bmp webp gif tif tiff heic avif mp4 zip tar npz crc",
        "txt csv tsv json jsonl md html log yaml yml py",
    )
    for name in names.split()
)
_OWN_OF_WRITERS = ("_temporary", "_delta_log", "_change_data", STREAM_LOG)
_log = logging.getLogger("fiqa_spark")


@dataclass
class _Names:
    """Some files: how many, and the first by name."""

    count: int = 0
    first: str | None = None

    def add(self, name: str) -> None:
        self.count += 1
        if self.first is None or name < self.first:
            self.first = name


class FoundFiles:
    """Files at a path, by their form.

    Parameters
    ----------
    storage : Storage
    path : str
        File or folder, as the user wrote it.
    forms : tuple of str
        Extensions that stand for a form.

    Raises
    ------
    InputError
        If a table of Delta, Iceberg or Hudi lies there, whose files do not count as they are, or a folder must not be
        read.
    """

    def __init__(self, storage: Storage, path: str, forms: tuple[str, ...]) -> None:
        self.storage, self.path, self.root = storage, path, storage.qualified(path)
        self.local_root = storage.local(path)
        self.is_folder = storage.is_folder(path)
        self._forms = forms
        self._start()
        if self.is_folder:
            self._look_at_folder(_ENTRIES_ELSEWHERE if self.local_root is None else _ENTRIES)
        else:
            self._look_at_file()
        if PARQUET in self.forms:
            self._check_no_table()

    def _start(self) -> None:
        self.is_whole = True
        """Whether all has been looked at; of a tree of many .npy files only the first folders are."""
        self.is_stream = False
        """Whether Spark wrote the files as a stream, with a list of those that count."""
        self.inner_extensions: set[str] = set()
        """Some that stand before ``.npy``, as in ``0.jpg.npy``."""
        self.parquet: list[str] = []
        """Names of the Parquet files, paths below the root; one empty name if the root is a file."""
        self._has_checksums = self._has_round_trips = False
        self._of_form: dict[str, _Names] = defaultdict(_Names)
        self._hidden: dict[str, _Names] = defaultdict(_Names)
        self._others = _Names()
        self._told_by_bytes: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._table: InputError | None = None

    def look_at_all(self) -> None:
        """Look at the folders that have been left out so far."""
        if not self.is_whole:
            self._start()
            self._look_at_folder(None)

    @property
    def forms(self) -> list[str]:
        """The forms of which there are files, in the order in which they were asked for."""
        return [form for form in self._forms if self._of_form[form].count]

    @property
    def example(self) -> str:
        """Qualified path of a file of the first form."""
        return self.qualified(self._first(self.forms[0]))

    @property
    def pattern(self) -> str | None:
        """Pattern of names that holds for the Parquet files of the folder alone; None if there is none."""
        if self._has_round_trips:
            return None
        # In folders that were left out all of them may occur.
        endings = sorted({_ending(name) for name in self.parquet} | set(() if self.is_whole else _ENDINGS[PARQUET]))
        if "" in endings:
            return None if self._others.count or self._has_checksums else "*"
        return f"*{endings[0]}" if len(endings) == 1 else f"*{{{','.join(endings)}}}"

    def qualified(self, name: str) -> str:
        """Qualified path of a file; InputError if Java could not open it."""
        path = f"{self.root.rstrip('/')}/{name}" if name else self.root
        try:
            path.encode()
        except UnicodeEncodeError:
            raise InputError("the name of a file is not UTF-8", path=_printable(path), remedy="rename it") from None
        return path

    def local(self, name: str) -> str | None:
        """Path of a file as Python's own file functions want it, or None."""
        if self.local_root is None:
            return None
        return os.path.join(self.local_root, name) if name else self.local_root

    def check_one_form(self) -> None:
        """Raise InputError if files of two forms lie there."""
        if len(self.forms) > 1:
            first, second = (f"{form} ({_printable(self._first(form))!r})" for form in self.forms[:2])
            raise InputError(
                f"holds files of two forms, {first} and {second}, and which one is meant cannot be told",
                path=self.path,
                remedy="name the folder or the file of one of them, or move the others away",
            )

    def none_of(self) -> str:
        """In words: that there is no file of any form, and what there is instead."""
        text = f"no {' and no '.join(self._forms)} file there"
        if not self.is_folder or not self._others.count:
            return text
        return f"{text}, but {_counted(self._others.count, 'other')} such as {_printable(self._others.first)!r}"

    def tell_what_is_not_read(self) -> None:
        """Log how many files lie there that are not read, and name one."""
        hidden = self._hidden[PARQUET] if self.forms == [PARQUET] else _Names()
        if self.forms == [NPY] and self.local_root is None:
            hidden = self._hidden[NPY]
        count = self._others.count + hidden.count
        if not count:
            return
        first = min(name for name in (self._others.first, hidden.first) if name is not None)
        number = ("" if self.is_whole else "at least ") + _counted(count, "file")
        verb = "is" if count == 1 else "are"
        _log.warning("%s of %s %s not read, such as %s", number, self.path, verb, _printable(first))

    def _first(self, form: str) -> str:
        return self._of_form[form].first or ""

    def _look_at_file(self) -> None:
        form = _FIRST_BYTES.get(self.storage.head(self.path, 4), _form_of_name(self.root, self._forms))
        if form in self._forms:
            self._of_form[form] = _Names(1, "")
            self.parquet = [""] if form == PARQUET else []

    def _look_at_folder(self, entries: int | None) -> None:
        """Look at so many entries and the rest of a folder once begun, or at all."""
        folder, is_hidden = None, False
        for seen, (below, name, is_folder) in enumerate(self._entries()):
            if below != folder:
                if entries is not None and seen > entries:
                    self.is_whole = not self._may_leave_out()
                    if not self.is_whole:
                        break
                    entries = 2 * seen
                folder, is_hidden = below, any(map(_is_hidden, below.split("/")))
            if is_folder or name.endswith((".json", ".json.gz")) or name[0] == ".":
                self._note_table(below, name, is_folder)
            if not is_folder:
                self._add(below, name, is_hidden or _is_hidden(name))
            elif name == STREAM_LOG and not below:
                self.is_stream = True
        self.parquet.sort()

    def _may_leave_out(self) -> bool:
        """Whether files of one form are found again without their names: by those of images, or by a pattern."""
        if self.forms == [PARQUET]:
            return self.local_root is None and self.pattern is not None
        return self.forms == [NPY]

    def _entries(self) -> Iterator[tuple[str, str, bool]]:
        if self.local_root is None:
            yield from self.storage.walk(self.root, _is_entered)
            return
        yield from local_folders.walk(self.local_root, enters=_is_entered, tell_round_trip=self._note_round_trip)

    def _note_round_trip(self, folder: str) -> None:
        self._has_round_trips = True

    def _note_table(self, below: str, name: str, is_folder: bool) -> None:
        table = table_marked_by(below, name, is_folder)
        if table and self._table is None:
            folder = below.removesuffix("metadata/").rstrip("/")
            self._table = table.error(self.path, "holds", f"{self.root}/{folder}") if folder else table.error(self.path)

    def _check_no_table(self) -> None:
        """Raise InputError if the Parquet files are those of a table, here or further up."""
        if self._table is not None:
            raise self._table
        check_no_table_above(self.storage, self.path)

    def _add(self, below: str, name: str, is_hidden: bool) -> None:
        path, form = below + name, _form_of_name(name, self._forms)
        if is_hidden:
            if form and not name.startswith("."):
                self._hidden[form].add(path)
        elif form or self._is_parquet_inside(path):
            self._of_form[form or PARQUET].add(path)
            if form == NPY:
                if name.count(".") > 1 and len(self.inner_extensions) < _INNER_EXTENSIONS:
                    self.inner_extensions.add(posixpath.splitext(name.removesuffix(NPY))[1])
            elif form in (None, PARQUET):
                self.parquet.append(path)
        elif name.endswith(".crc"):
            self._has_checksums = True
        else:
            self._others.add(path)

    def _is_parquet_inside(self, path: str) -> bool:
        """Whether a file whose name tells nothing is Parquet: by its first bytes, or those of others so named."""
        extension = _extension(path)
        if PARQUET not in self._forms or extension in _NEVER_FEATURES:
            return False
        seen = self._told_by_bytes[extension]
        if sum(seen) >= _LOOKS and 0 in seen:
            return seen[True] > 0
        found = _FIRST_BYTES.get(self._head(path)) == PARQUET
        seen[found] += 1
        return found

    def _head(self, name: str) -> bytes:
        local = self.local(name)
        if local is None:
            return self.storage.head(self.qualified(name), 4)
        try:
            with open(local, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
                return file.read(4) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
        except OSError:
            # A link to nowhere, or what must not be read: it is not read, and told so.
            return b""


def _form_of_name(name: str, forms: tuple[str, ...]) -> str | None:
    for form in forms:
        if name.endswith(_ENDINGS.get(form, form)):
            return form
    return None


def _ending(name: str) -> str:
    return next((ending for ending in _ENDINGS[PARQUET] if name.endswith(ending)), "")


def _extension(path: str) -> str:
    """Extension of a name, the same for all numbers in it."""
    return re.sub(r"\d+", "0", posixpath.splitext(path)[1].lower())


def _is_hidden(name: str) -> bool:
    """As Spark's readers have it."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")


def _is_entered(name: str) -> bool:
    return not name.startswith(".") and name not in _OWN_OF_WRITERS


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _printable(path: str | None) -> str:
    """A path in which bytes that are not UTF-8 are shown as such."""
    return os.fsencode(path or "").decode("utf-8", "backslashreplace")
