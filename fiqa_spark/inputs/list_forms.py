"""The forms in which a text lists images, recognised from its first lines.

A form is recognised where all of these lines fit it and it means one thing; else a line is a path up to its first TAB.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.csv_headers import Header, cells_of, header_in
from fiqa_spark.inputs.keys import BLANK_PATTERN, EXTENSION_PATTERN, ON_WINDOWS_PATTERN

# Regular expressions for Python and Java.
NUMBER_PATTERN = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
QUOTED_PATTERN = r'"[^"\n]*(?:""[^"\n]*)*"'
"""A field in quotation marks, those inside of it doubled."""
WITH_EXTENSION_PATTERN = rf"(?:{QUOTED_PATTERN}|[^\t\n]*{EXTENSION_PATTERN})"
"""A path that ends in the extension of an image, or one in quotation marks."""
_ABSOLUTE = rf"(?:/|[A-Za-z]:[\\/]|[a-z][a-z0-9+.-]*:/)[^\t\n]*{EXTENSION_PATTERN}"
_BLANKS = rf"(?:(?!\t){BLANK_PATTERN})+"
_SEPARATORS = {"TABs": "\t", "commas": ",", "semicolons": ";"}
_LFW_PAIR = r"[^\t]+\t[0-9]+\t(?:[0-9]+|[^\t]+\t[0-9]+)"
_PAIR = rf"[^\t\n]*{EXTENSION_PATTERN}\"?[\s,;]+[^\t\n]*{EXTENSION_PATTERN}\"?[\s,;]+[01]"
_URI = r"[a-z][a-z0-9+.-]+:/"
# No list has so many labels, and no feature has fewer values.
_FEWEST_FEATURE_VALUES = 64
_MOST_SHOWN = 100
ONE_FORM = "write every line in one form"


class ListForm(NamedTuple):
    """How the lines of a list are read."""

    told: str = ""
    """What form it is, for a person; empty for one path a line."""
    pattern: str | None = None
    """Regular expression of a line, for Python and Java; None where the path is what stands before the first TAB."""
    path_group: int = 1
    """Group of the pattern that is the path, perhaps in quotes."""
    identity_group: int | None = None
    """Group of the pattern that is the identity, perhaps in quotes; None where no column is named so."""
    header: str | None = None
    """Line that names the columns."""
    has_quotes: bool = False
    """Whether fields may stand in quotation marks."""
    has_backslashes: bool = False
    """Whether backslashes stand between the parts of a path."""


def recognised(lines: Sequence[str], path: str) -> ListForm:
    r"""The form of a list.

    Parameters
    ----------
    lines : sequence of str
        Its first lines, without blanks around them and without those that are blank.
    path : str
        The file, for messages.

    Raises
    ------
    InputError
        If the lines hold no paths of images or mean more than one thing, or most but not all of them are of one form.

    Examples
    --------
    >>> recognised(["1\t/data/anna/0.jpg\t0"], "train.lst").told
    "insightface's .lst: path in column 2"
    """
    if not lines:
        return ListForm()
    _refuse_other_files(lines, path)
    header = header_of(lines)
    if header:
        form = _below_header(header, lines[1:], path)
    elif _are_blanks_between_names(lines[0]) and _without_header(lines[1:], path).pattern:
        form = _without_header(lines[1:], path)._replace(header=lines[0])
    else:
        form = _without_header(lines, path)
    below = lines[1:] if form.header else lines
    if any(_is_quoted(_field_in(line, form)) for line in below):
        form = form._replace(told=form.told or "quoted paths", has_quotes=True)
    if not _are_of_windows([path_in(line, form) for line in below]):
        return form
    told = f"{form.told}, and Windows' backslashes" if form.told else "paths with Windows' backslashes"
    return form._replace(told=f"{told} as '/'", has_backslashes=True)


def header_of(lines: Sequence[str]) -> Header | None:
    """The header among the first lines of a file, or None if the first of them names no column of paths."""
    header = header_in(lines[0]) if lines else None
    return header if header and _are_names(header.names, lines[1:]) else None


def path_in(line: str, form: ListForm) -> str:
    """Path in a line of a list, or an empty text if the line is of another form."""
    return unquoted(_field_in(line, form))


def _field_in(line: str, form: ListForm) -> str:
    """As `path_in`, perhaps in quotation marks."""
    if form.pattern is None:
        return line.partition("\t")[0].rstrip()
    match = re.search(form.pattern, line)
    return match[form.path_group].strip() if match else ""


def unquoted(text: str) -> str:
    """Text without the quotation marks around it; doubled ones inside are single ones."""
    return text[1:-1].replace(text[0] * 2, text[0]) if _is_quoted(text) else text


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"


def is_path(text: str) -> bool:
    """Whether a text can be nothing but a path: it has folders or the extension of an image."""
    return "/" in text or "\\" in text or re.search(rf"{EXTENSION_PATTERN}\Z", text) is not None


def numbers_at_end(line: str) -> int:
    """How many numbers stand at the end of a line, between blanks or semicolons or else between commas."""
    # A comma between digits may be the decimal mark of one number.
    words = [word.rstrip(",") for word in re.split(r"[\s;]+", line)]
    return _last_numbers(words, rf"{NUMBER_PATTERN}|[-+]?[0-9]+,[0-9]+") or _last_numbers(
        line.split(","), NUMBER_PATTERN
    )


def _last_numbers(words: Sequence[str], pattern: str) -> int:
    return len(list(itertools.takewhile(lambda word: re.fullmatch(pattern, word.strip()), reversed(words))))


def refuse_odd(lines: Sequence[str], fitting: Sequence[bool], told: str, path: str) -> None:
    """Raise InputError about the first of the lines that does not fit where others do, if there is one."""
    if not all(fitting):
        odd = lines[fitting.index(False)][:_MOST_SHOWN]
        raise InputError(f"line {odd!r} does not fit the others, {told}", path=path, remedy=ONE_FORM)


def _without_header(lines: Sequence[str], path: str) -> ListForm:
    """The form of lines that no header names."""
    for form in _forms_like(lines[0]) if lines else ():
        fitting = [is_path(path_in(line, form)) for line in lines]
        if 2 * sum(fitting) >= len(lines):
            refuse_odd(lines, fitting, form.told, path)
            return form
    return ListForm()


def _forms_like(line: str) -> Iterator[ListForm]:
    """Forms that a line without header may have; the line tells how each is called."""
    for name, character in _SEPARATORS.items():
        separator = f" *{character} *"
        number, field = f"{NUMBER_PATTERN}{separator}", rf"(?:{QUOTED_PATTERN}|[^{character}\n]+)"
        not_number = f"(?!{NUMBER_PATTERN}(?:{separator}|\\s*$))"
        pattern = f"^(?:{number})+{not_number}({field})(?:{separator}{NUMBER_PATTERN})*$"
        yield ListForm(_name_of_numbered(line, name), pattern)
    numbered = f"^(?:{NUMBER_PATTERN}{_BLANKS})+({_ABSOLUTE})(?:{_BLANKS}{NUMBER_PATTERN})*$"
    yield ListForm("numbers and a path, separated by blanks", numbered)
    labels = {"blanks": f"{_BLANKS}{NUMBER_PATTERN}", "commas": r"\s*,[^,\n]*", "semicolons": r"\s*;[^;\n]*"}
    for name, label in labels.items():
        pattern = f"^(?![^\\n]*{EXTENSION_PATTERN}\\s*$)({WITH_EXTENSION_PATTERN})(?:{label})+$"
        yield ListForm(f"path and label, separated by {name}: path in column 1", pattern)


def _name_of_numbered(line: str, separators: str) -> str:
    """What a list is called whose lines are a path among numbers."""
    are_numbers = [bool(re.fullmatch(NUMBER_PATTERN, cell.strip())) for cell in line.split(_SEPARATORS[separators])]
    column = are_numbers.index(False) + 1 if False in are_numbers else 0
    if separators == "TABs" and len(are_numbers) > 2:
        if column == 2:
            return "insightface's .lst: path in column 2"
        return "MXNet's .lst: path in the last column"
    return f"numbers and a path, separated by {separators}: path in column {column}"


def _below_header(header: Header, lines: Sequence[str], path: str) -> ListForm:
    """The form of the lines below a header."""
    column = path_column(header, lines, path)
    told = f"CSV with a header: path in column {header.names[column]!r}"
    if len(header.names) == 1:
        return ListForm(told, header=header.line, has_quotes=True)
    identity = header.position("identity", path)
    groups = sorted({column} if identity is None else {column, identity})
    separator = re.escape(header.separator)
    field = rf" *{QUOTED_PATTERN} *|[^{separator}\n]*"
    fields = [f"({field})" if number in groups else f"(?:{field})" for number in range(len(header.names))]
    form = ListForm(
        told,
        f"^{separator.join(fields)}{separator}*$",
        path_group=groups.index(column) + 1,
        identity_group=None if identity is None else groups.index(identity) + 1,
        header=header.line,
        has_quotes=True,
    )
    refuse_odd(lines, [bool(path_in(line, form)) for line in lines], told, path)
    return form


def path_column(header: Header, lines: Sequence[str], path: str) -> int:
    """Number of the column that holds the path of the image; InputError about the file if several may.

    Parameters
    ----------
    header : Header
        From `header_of`.
    lines : sequence of str
        Some of those below it.
    path : str
        The file.
    """
    columns = header.of_path
    if len(columns) > 1:
        rows = [cells_of(line, header) for line in lines]
        with_folder = [
            column for column in columns if all(re.search(r"[\\/]", "".join(row[column : column + 1])) for row in rows)
        ]
        columns = tuple(with_folder) if len(with_folder) == 1 else columns
    if len(columns) > 1:
        shown = " and ".join(repr(header.names[column]) for column in columns)
        raise InputError(f"columns {shown} may be the path of the image", path=path, remedy="keep one of them")
    return columns[0]


def _are_names(names: Sequence[str], below: Sequence[str]) -> bool:
    """Whether the cells of a first line name columns, and are neither paths nor numbers themselves."""
    if any(is_path(name) or re.fullmatch(NUMBER_PATTERN, name) for name in names):
        return False
    return len(names) > 1 or all(is_path(path_in(line, ListForm())) for line in below)


def _are_blanks_between_names(line: str) -> bool:
    """Whether a line may be a header between whose names blanks stand."""
    words = line.split()
    return len(words) > 1 and header_in(words[0]) is not None and _are_names(words, ())


def _are_of_windows(paths: Sequence[str]) -> bool:
    r"""Whether a backslash stands before the name in all paths with folders, or a drive or server before that."""
    with_folder = [path for path in paths if re.search(r"[\\/]", path)]
    return any("\\" in path for path in with_folder) and all(
        re.match(ON_WINDOWS_PATTERN, path) or (path.rfind("\\") > path.rfind("/") and not re.match(rf"/|{_URI}", path))
        for path in with_folder
    )


def _refuse_other_files(lines: Sequence[str], path: str) -> None:
    """Raise InputError for lines that name no images, or two at once."""
    if _is_index(lines):
        raise InputError(
            "is MXNet's .idx, which holds no paths", path=path, remedy="give the .lst that it was made from"
        )
    pairs_of_lfw = lines[1:] if re.fullmatch(r"[0-9]+(\t[0-9]+)?", lines[0]) else ()
    if pairs_of_lfw and all(re.fullmatch(_LFW_PAIR, line) for line in pairs_of_lfw):
        raise InputError("is LFW's list of pairs", path=path, remedy="give the list of images, one path a line")
    numbers = min(map(numbers_at_end, lines))
    if numbers >= _FEWEST_FEATURE_VALUES:
        raise InputError(
            f"line {lines[0][:_MOST_SHOWN]!r} ends in {numbers} numbers, as a list of features does",
            path=path,
            remedy="give the list of images, one path a line",
        )
    if all(re.fullmatch(_PAIR, line) for line in lines):
        raise InputError(
            f"line {lines[0][:_MOST_SHOWN]!r} names two images, as a list of pairs does",
            path=path,
            remedy="give the list of images, one path a line",
        )


def _is_index(lines: Sequence[str]) -> bool:
    """Whether lines are numbers of records and where these begin, in bytes: from 0 on, at multiples of 4."""
    if len(lines) < 2 or not all(re.fullmatch(r"[0-9]+\t[0-9]+", line) for line in lines):
        return False
    places = [int(line.split("\t")[1]) for line in lines]
    rising = all(first < second for first, second in itertools.pairwise(places))
    return rising and places[0] == 0 and not any(place % 4 for place in places)
