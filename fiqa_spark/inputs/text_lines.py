"""Lines of a text file as a DataFrame, and the paths that they list."""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.keys import BLANK_PATTERN
from fiqa_spark.inputs.list_forms import ONE_FORM, ListForm
from fiqa_spark.runtime.storage import Storage, literal

LINE = "value"
"""Column of `lines_of`."""
# What stands before a line of another form than the first lines, where else its path stands. No path holds it.
_ODD = "\0"
_MOST_SHOWN = 80
_NOT_BLANK = f"[^{BLANK_PATTERN[1:]}"
# A path up to the first TAB behind blanks.
_BARE = rf"^{BLANK_PATTERN}*([^\t]*[^\t{BLANK_PATTERN[1:]})"


def lines_of(spark: SparkSession, storage: Storage, path: str) -> DataFrame:
    """Lines of a text file, or of those in a folder, as they are."""
    return spark.read.option("lineSep", "\n").text(literal(storage.qualified(path)))


def listed_paths(lines: DataFrame, form: ListForm) -> DataFrame:
    """Paths that lines list.

    Parameters
    ----------
    lines : DataFrame
        From `lines_of`.
    form : ListForm
        How they are read.

    Returns
    -------
    DataFrame
        `path`, without blanks around it and with '/' between its parts, and `identity` where the form has it. A line of
        another form has a `path` that `is_unusable`; blank lines are left out.
    """
    line, path = F.col(LINE), _field(form, form.path_group)
    if form.has_backslashes:
        path = F.translate(path, "\\", "/")
    else:
        # A few among others, as their keys have it.
        path = F.when(F.contains(path, F.lit("\\")), keys.with_slashes(path)).otherwise(path)
    # What is not UTF-8 stays as it is, to be told.
    found = F.when(~is_utf8(LINE), line)
    if form.pattern is not None or form.has_quotes:
        odd = F.concat(F.lit(f"{_ODD}{form.told}{_ODD}"), line)
        found = found.when(path == "", odd)
    elif not form.has_backslashes:
        others = F.contains(line, F.lit("\t")) | F.contains(line, F.lit("\\"))
        found = F.when(keys.is_bare(line) & ~others, line).when(~is_utf8(LINE), line)
    columns = [found.otherwise(path).alias(schemas.PATH)]
    if form.identity_group is not None:
        columns.append(_field(form, form.identity_group).alias(schemas.IDENTITY))
    lines = lines.where((line >= "!") & (line < "\x7f") | line.rlike(_NOT_BLANK))
    if form.header is not None:
        lines = lines.where(keys.trimmed(line) != form.header)
    return lines.select(*columns)


def _field(form: ListForm, group: int) -> Column:
    """What a group of the pattern holds in a line, without blanks and quotes around it; empty if the line is odd."""
    pattern = _BARE if form.pattern is None else f"^{BLANK_PATTERN}*(?:{form.pattern[1:-1]}){BLANK_PATTERN}*$"
    field = keys.trimmed(F.regexp_extract(LINE, pattern, group))
    return keys.trimmed(unquoted(field)) if form.has_quotes else field


def unquoted(field: Column) -> Column:
    """As `list_forms.unquoted`."""
    inside = field.substr(F.lit(2), F.length(field) - 2)
    without = field
    for mark in ('"', "'"):
        is_quoted = F.startswith(field, F.lit(mark)) & F.endswith(field, F.lit(mark)) & (F.octet_length(field) > 1)
        without = F.when(is_quoted, F.replace(inside, F.lit(mark * 2), F.lit(mark))).otherwise(without)
    return without


def is_utf8(column: str) -> Column:
    """True where the bytes of a column of text are UTF-8; decoding replaces what is not."""
    if hasattr(F, "is_valid_utf8"):
        return F.is_valid_utf8(column)
    raw = F.col(column).cast("binary")
    return F.encode(F.decode(raw, "UTF-8"), "UTF-8") == raw


def is_unusable(column: str) -> Column:
    """True where a path of `listed_paths` is not UTF-8, or stands for a line of another form than the first lines."""
    return ~is_utf8(column) | F.startswith(F.col(column), F.lit(_ODD))


def unusable(listed: str, **blame: str | None) -> InputError:
    """The error of a path that `is_unusable`; `blame` holds the setting or the path of the list."""
    if not listed.startswith(_ODD):
        return _not_utf8(listed, **blame)
    told, _, line = listed[1:].partition(_ODD)
    text = f"line {line[:_MOST_SHOWN]!r} does not fit the first lines, {told or 'a path each'}"
    return InputError(text, remedy=ONE_FORM, **blame)


def check_listed(paths: DataFrame, *, setting: str | None = None, path: str | None = None) -> None:
    """Raise InputError if one of the paths of a list `is_unusable`; `setting` and `path` tell which list it is."""
    found = paths.where(is_unusable(schemas.PATH)).select(schemas.PATH).head(1)
    if found:
        raise unusable(found[0][0], setting=setting, path=path)


def check_encoding(lines: DataFrame, *, setting: str, path: str) -> None:
    """Raise InputError if one of the lines of a file is not UTF-8; `setting` and `path` tell which file it is."""
    unreadable = lines.where(~is_utf8(LINE)).select(LINE).head(1)
    if unreadable:
        raise _not_utf8(unreadable[0][0], setting=setting, path=path)


def _not_utf8(text: str, **blame: str | None) -> InputError:
    return InputError(f"not UTF-8, seen {text[:_MOST_SHOWN]!r}", remedy="convert it, for example with iconv", **blame)
