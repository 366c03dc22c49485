"""Groups of images that a CSV file tells, by path or by identity."""

from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.csv_tables import read_csv
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.csv_headers import Header, header_in
from fiqa_spark.inputs.list_forms import path_column
from fiqa_spark.inputs.text_files import first_lines
from fiqa_spark.runtime.storage import Storage

GROUPS_AT_MOST = 100
"""Groups of a file; with more, the column most likely holds something else."""
_GROUP, _WITHOUT, _EXAMPLE = "group", "without", "example"
# Beside the group of the highest number, so that an image with two of them is seen.
_LOWEST = f"lowest_{schemas.GROUP}"
_FORM = f"a CSV file with the columns {schemas.PATH} or {schemas.IDENTITY}, and {_GROUP}"
_MOST_SHOWN = 100


class ImageGroups(NamedTuple):
    """Groups of a file."""

    path: str
    """The file."""
    names: tuple[str, ...]
    """In ascending order; the number of a group is its place here."""
    column: str
    """What images meet their groups by: ``"key"`` or ``"identity"``."""
    table: DataFrame
    """That column, each value once, `group_number` and `lowest_group_number`, which differ if the file tells two."""
    example: str
    """One of the values."""


def read_groups(spark: SparkSession, storage: Storage, settings: EvaluationSettings) -> ImageGroups:
    """Groups of a CSV file, in one look at its lines.

    Parameters
    ----------
    storage : Storage
        Where the file lies.
    settings : EvaluationSettings
        `groups`, the file: a column `path`, by the names that it has in lists too, or `identity`, and a column
        `group`; `image_root`.

    Raises
    ------
    InputError
        If there is no such file, a column is missing or one too many, a line lacks a value, or there are more groups
        than `GROUPS_AT_MOST`.
    """
    path = settings.groups
    if not storage.exists(path) or storage.is_folder(path):
        raise InputError("no such file", path=path, remedy=f"give {_FORM}")
    storage.check_no_pipe(path)
    name, columns = _columns_of(storage, path)
    table = read_csv(spark, storage, path, *columns, setting="groups")
    rows = table.select(*[keys.trimmed(F.col(column)).alias(column) for column in (name, _GROUP)])
    rows = rows.withColumn(_WITHOUT, F.coalesce(F.col(name) == "", F.lit(True)))
    column = name
    if name == schemas.PATH:
        rows, column = keys.with_key(rows, settings.image_root), schemas.KEY
    names, example = _names_of(rows, name, column, path)
    # PySpark 3.5 knows `array_position` of a constant only.
    number = F.call_function("array_position", F.array(*map(F.lit, names)), F.col(_GROUP)) - 1
    numbered = rows.select(column, number.cast("int").alias(schemas.GROUP))
    once = numbered.groupBy(column).agg(F.max(schemas.GROUP).alias(schemas.GROUP), F.min(schemas.GROUP).alias(_LOWEST))
    return ImageGroups(path, names, column, once, example)


def _columns_of(storage: Storage, path: str) -> tuple[str, tuple[Header, dict[str, int]]]:
    """Whether ``path`` or ``identity`` tells whose group it is; the header of the file, and numbers of its columns."""
    lines = first_lines(storage, path)
    header = (header_in(lines[0], (_GROUP, schemas.IDENTITY)) or header_in(lines[0])) if lines else None
    if header is None:
        shown = f"the first line is {lines[0][:_MOST_SHOWN]!r}" if lines else "it is empty"
        remedy = f"begin it with the line {schemas.PATH},{_GROUP} or {schemas.IDENTITY},{_GROUP}"
        raise InputError(f"no column {_GROUP!r}; {shown}", path=path, remedy=remedy)
    group, identity = header.position(_GROUP, path), header.position(schemas.IDENTITY, path)
    has = f"it has {', '.join(header.names)}"[:_MOST_SHOWN]
    if group is None:
        raise InputError(
            f"no column {_GROUP!r}; {has}", path=path, remedy=f"name the one that holds the groups {_GROUP!r}"
        )
    if identity is None and not header.of_path:
        text = f"no column {schemas.PATH!r} or {schemas.IDENTITY!r}; {has}"
        raise InputError(text, path=path, remedy="give one of the two names to the one that tells whose group it is")
    if identity is None:
        return schemas.PATH, (header, {schemas.PATH: path_column(header, lines[1:], path), _GROUP: group})
    if header.of_path:
        both = f"columns {header.names[header.of_path[0]]!r} and {header.names[identity]!r}"
        text = f"{both} both tell whose group it is, and which one counts cannot be told"
        raise InputError(text, path=path, remedy="leave one of them out")
    return schemas.IDENTITY, (header, {schemas.IDENTITY: identity, _GROUP: group})


def _names_of(rows: DataFrame, name: str, column: str, path: str) -> tuple[tuple[str, ...], str]:
    """Names of the groups in ascending order, and a value of the column that images meet them by."""
    shown = F.min(F.when(~F.col(_WITHOUT), F.col(name)))
    facts = (F.count_if(_WITHOUT).alias(_WITHOUT), shown.alias(name), F.min(column).alias(_EXAMPLE))
    found = rows.groupBy(_GROUP).agg(*facts).orderBy(_GROUP).limit(GROUPS_AT_MOST + 1).collect()
    if not found:
        raise InputError("no line below the header", path=path, remedy=f"write a line {name},{_GROUP} for each {name}")
    for row in found:
        if not row[_GROUP]:
            text = f"{name} {row[name]!r} has no group" if row[name] else f"a line has neither {name} nor group"
            raise InputError(text, path=path, remedy="write one, or leave the line out")
        if row[_WITHOUT]:
            text = f"a line of the group {row[_GROUP][:_MOST_SHOWN]!r} has no {name}"
            raise InputError(text, path=path, remedy="write one, or leave the line out")
    if len(found) > GROUPS_AT_MOST:
        values = ", ".join(repr(row[_GROUP][:_MOST_SHOWN]) for row in found[:3])
        raise InputError(
            f"the column {_GROUP!r} has more than {GROUPS_AT_MOST} values, such as {values}",
            path=path,
            remedy="most likely it is the wrong column: give one of few values",
        )
    return tuple(row[_GROUP] for row in found), min(row[_EXAMPLE] for row in found)


def with_groups(images: DataFrame, groups: ImageGroups) -> DataFrame:
    """Images with the number of their group, for `check_groups`.

    Parameters
    ----------
    images : DataFrame
        `key`, each once, and `identity`.
    """
    return images.join(groups.table, groups.column, "left")


def check_groups(images: DataFrame, groups: ImageGroups) -> DataFrame:
    """The same images, once it is sure that each has one group at most, and some have one.

    Parameters
    ----------
    images : DataFrame
        From `with_groups`.

    Raises
    ------
    InputError
        About the file of the groups.
    """
    number, lowest, value = (F.col(name) for name in (schemas.GROUP, _LOWEST, groups.column))
    two = F.min(F.when(number != lowest, F.struct(value, lowest, number)))
    [(grouped, contradiction, example)] = images.agg(F.count(number), two, F.min(value)).collect()
    if contradiction:
        of_two, *numbers = contradiction
        shown = " and ".join(repr(groups.names[place]) for place in numbers)
        raise InputError(f"the {groups.column} {of_two!r} has the groups {shown}", path=groups.path, remedy="keep one")
    if not grouped:
        raise _no_image(groups, example)
    return images.drop(_LOWEST)


def _no_image(groups: ImageGroups, example: str | None) -> InputError:
    """The error of a file that tells the group of no labelled image."""
    column = groups.column
    text = f"names no labelled image ({column} in the file {groups.example!r}, of a labelled image {example!r})"
    if example is None:
        text = f"names identities such as {groups.example!r}, and no labelled image has one"
    by_key = "set `image_root` so that the keys below it agree, or give the groups of the labelled images"
    by_identity = "set `id_key_index`, write identities as the labels have them, or give groups by path"
    return InputError(text, path=groups.path, remedy=by_key if column == schemas.KEY else by_identity)
