"""The header of a CSV file, however its columns are separated, quoted and written."""

import csv
import re
from collections.abc import Iterable
from typing import NamedTuple

from fiqa_spark.errors import InputError

_SEPARATORS = ("\t", ";", ",", "|")
_PATH_NAMES = frozenset(
    (
        *("path", "paths", "file", "files", "filename", "filenames", "filepath", "filepaths", "fullpath"),
        *("image", "images", "img", "imagename", "imgname", "imagefile", "imagefilename", "imageid"),
        *("imagepath", "imgpath", "relativepath", "relpath", "absolutepath", "abspath"),
    )
)


class Header(NamedTuple):
    """What the first line of a CSV file says."""

    line: str
    """The line itself, without blanks around it."""
    separator: str
    """``\\t``, ``;``, ``,`` or ``|``."""
    names: tuple[str, ...]
    """Names of the columns as they are written, without blanks around them."""

    def position(self, name: str, path: str) -> int | None:
        """Number of the column with this name, whether in capitals or not, or None if there is none.

        Raises
        ------
        InputError
            About the file, if several columns have this name, and none or several have it exactly.
        """
        exact = [number for number, found in enumerate(self.names) if found == name]
        alike = exact or [number for number, found in enumerate(self.names) if normal(found) == normal(name)]
        if len(alike) > 1:
            shown = " and ".join(repr(self.names[number]) for number in alike)
            raise InputError(f"columns {shown} have one name", path=path, remedy="keep the right one")
        return alike[0] if alike else None

    @property
    def of_path(self) -> tuple[int, ...]:
        """Numbers of the columns whose names say that they hold paths of images."""
        return tuple(number for number, name in enumerate(self.names) if normal(name) in _PATH_NAMES)


def normal(name: str) -> str:
    """Name of a column in small letters, without blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", name).casefold()


def header_in(line: str, names: Iterable[str] = _PATH_NAMES) -> Header | None:
    """The header in a line that names a column; None if no cell of the line is one of the names.

    Parameters
    ----------
    line : str
        Without blanks around it.
    names : iterable of str
        As they may be written; default: those of columns with paths of images.
    """
    wanted = set(map(normal, names))
    found = [Header(line, separator, _cells(line, separator)) for separator in _SEPARATORS]
    headers = [header for header in found if wanted & set(map(normal, header.names))]
    # What separates most is the separator: the others occur in a name at most.
    return max(headers, key=lambda header: len(header.names), default=None)


def cells_of(line: str, header: Header) -> tuple[str, ...]:
    """Cells of a line below a header."""
    return _cells(line, header.separator)


def _cells(line: str, separator: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return ()
    named = [cell.strip() for cell in cells]
    # Some programs end every line with a separator.
    while len(named) > 1 and not named[-1]:
        named.pop()
    return tuple(named)
