"""How a line of text without header tells a path and its score."""

import re
from collections.abc import Sequence

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.keys import BLANK_PATTERN, EXTENSION_PATTERN
from fiqa_spark.inputs.list_forms import NUMBER_PATTERN, WITH_EXTENSION_PATTERN, numbers_at_end

# Regular expressions for Python and Java; their groups are the path, perhaps in quotes, and the score.
_BY_BLANKS = rf"^([^\n]*[^\n\s]){BLANK_PATTERN}+([^\n\s]+)$"
_BY_SEPARATOR = rf"^({WITH_EXTENSION_PATTERN})\s*[,;]\s*([^\n\s]+)$"
SEVERAL_NUMBERS_PATTERN = rf"{EXTENSION_PATTERN}\"?(?:[\s,;]+{NUMBER_PATTERN}){{1,8}}$"
"""What a path ends in if it took a number, or a few, of several that stand behind it."""
# No path ends in so many numbers, whatever its name.
_FEWEST_VALUES = 8
_MOST_SHOWN = 100


def score_pattern(lines: Sequence[str]) -> str:
    """Regular expression, for Python and Java, of a line whose groups are the path and the score."""
    return _BY_SEPARATOR if lines and all(re.search(_BY_SEPARATOR, line) for line in lines) else _BY_BLANKS


def refuse_several_numbers(lines: Sequence[str], path: str) -> None:
    """Raise InputError for lines that hold several numbers each, of which none can be told to be the score.

    Parameters
    ----------
    lines : sequence of str
        The first lines of the file, without blanks around them.
    path : str
        The file.
    """
    counts = [numbers_at_end(line) for line in lines]
    fewest = min(counts, default=0)
    if fewest >= _FEWEST_VALUES:
        raise InputError(
            f"a line holds a path and {fewest} numbers, as MagFace's feat.list does, and no score",
            path=path,
            remedy="write 'path score'; MagFace's score is the length (norm) of the feature",
        )
    if fewest > 1 and all(_is_behind_extension(line, count) for line, count in zip(lines, counts, strict=True)):
        raise InputError(
            f"line {lines[0][:_MOST_SHOWN]!r} holds {fewest} numbers, and which one is the score cannot be told",
            path=path,
            remedy="write 'path score', or CSV with a header",
        )


def _is_behind_extension(line: str, count: int) -> bool:
    """Whether the last numbers of a line, so many, stand behind the extension of an image."""
    return re.search(rf"{EXTENSION_PATTERN}\"?(?:[\s,;]+{NUMBER_PATTERN}){{{count}}}\Z", line) is not None
