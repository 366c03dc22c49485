"""Pairs that a CSV file lists, with what is known of their images."""

from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.csv_tables import read_csv
from fiqa_spark.evaluation.label_sets import has_every_label
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.csv_headers import Header, header_in
from fiqa_spark.inputs.text_files import first_lines
from fiqa_spark.runtime.storage import Storage

_COLUMNS = (schemas.PATH_A, schemas.PATH_B, schemas.SAME)
_SAME = {"1": True, "true": True, "0": False, "false": False}
_FIRST, _LAST, _LINES = "first_line", "last_line", "lines"
_REPEATED = "repeated"
_MOST_SHOWN = 100


def read_listed_pairs(spark: SparkSession, storage: Storage, path: str) -> DataFrame:
    """Pairs of a CSV file.

    Parameters
    ----------
    storage : Storage
        Where the file lies.
    path : str
        CSV with the columns `path_a`, `path_b` and `same`: 1 or true for mated, 0 or false for non-mated.

    Returns
    -------
    DataFrame
        `path_a`, `path_b`, `same` (boolean).

    Raises
    ------
    InputError
        If there is no such file, a column is missing, or a value is none of these.
    """
    if not storage.exists(path) or storage.is_folder(path):
        raise InputError("no such file", path=path, remedy=f"give a CSV file with the columns {', '.join(_COLUMNS)}")
    storage.check_no_pipe(path)
    header = _header(storage, path)
    columns = {name: _number_of(name, header, path) for name in _COLUMNS}
    table = read_csv(spark, storage, path, header, columns, setting="pairs_file")
    text = F.lower(F.trim(schemas.SAME))
    meaning = F.coalesce(*[F.when(text == word, F.lit(value)) for word, value in _SAME.items()])
    paths = [keys.trimmed(F.col(name)).alias(name) for name in (schemas.PATH_A, schemas.PATH_B)]
    pairs = table.select(*paths, meaning.alias(schemas.SAME), text.alias("text"))
    is_path = F.coalesce((F.col(schemas.PATH_A) != "") & (F.col(schemas.PATH_B) != ""), F.lit(False))
    odd = pairs.where(F.col(schemas.SAME).isNull() | ~is_path).head(1)
    if odd:
        path_a, path_b, _, same = odd[0]
        raise InputError(
            f"pair {path_a!r}, {path_b!r} has 'same' {same!r}",
            path=path,
            remedy="write two paths, and 1 for mated or 0 for non-mated",
        )
    return pairs.drop("text")


def _header(storage: Storage, path: str) -> Header:
    """The header of a file of pairs; InputError if its first line is none."""
    lines = first_lines(storage, path)
    header = header_in(lines[0], _COLUMNS) if lines else None
    if header is None:
        shown = f"the first line is {lines[0][:_MOST_SHOWN]!r}" if lines else "it is empty"
        remedy = f"begin it with the line {','.join(_COLUMNS)}"
        raise InputError(f"no column {_COLUMNS[0]!r}; {shown}", path=path, remedy=remedy)
    return header


def _number_of(name: str, header: Header, path: str) -> int:
    number = header.position(name, path)
    if number is None:
        raise InputError(f"no column {name!r}; it has {', '.join(header.names)}", path=path)
    return number


def with_images(
    pairs: DataFrame,
    images: LabelledImages,
    columns: tuple[str, ...],
    qualities: list[str],
    settings: EvaluationSettings,
) -> tuple[DataFrame, dict[str, int]]:
    """Listed pairs with what is known of their images.

    Parameters
    ----------
    pairs : DataFrame
        From `read_listed_pairs`.
    images : LabelledImages
        Those that a pair can be of.
    columns : tuple of str
        Columns of the images that the pairs are wanted with, `key` and the qualities among them.
    qualities : list of str
        Names of the columns with the quality in each set.
    settings : EvaluationSettings
        `image_root`, `pairs_file`.

    Returns
    -------
    known : DataFrame
        `same` and structs `a` and `b` of the columns, kept; only pairs of two different images with a label in every
        set, each once: a pair and its reverse are one.
    left_out : dict
        Reason to number of pairs that are left out; ``repeated`` counts the lines whose pair stood in another one.

    Raises
    ------
    InputError
        If a pair is mated in one line and non-mated in another, or no pair is left.
    """
    labelled = has_every_label(qualities)
    image = F.struct(*columns)
    pairs = _once_each(_with_keys(pairs, settings.image_root))
    for side, key in (("a", schemas.KEY_A), ("b", schemas.KEY_B)):
        known = images.table.select(
            F.col(schemas.KEY).alias(key), image.alias(side), labelled.alias(f"labelled_{side}")
        )
        pairs = pairs.join(known, key, "left")
    reason = (
        F.when(F.col(schemas.KEY_A) == F.col(schemas.KEY_B), F.lit("image_with_itself"))
        .when(F.col("labelled_a").isNull() | F.col("labelled_b").isNull(), F.lit("in_no_label_set"))
        .when(~(F.col("labelled_a") & F.col("labelled_b")), F.lit("without_label_in_every_set"))
    )
    pairs = pairs.withColumn("reason", reason).persist(StorageLevel.MEMORY_AND_DISK)
    _refuse_contradiction(pairs, settings.pairs_file)
    counted = pairs.groupBy("reason").agg(F.count("*"), F.sum(_LINES)).collect()
    counts: dict[Any, int] = {reason: count for reason, count, _ in counted}
    if not counts.get(None):
        raise _none_left(pairs, counts, images, settings.pairs_file)
    known = pairs.where(F.col("reason").isNull()).select(schemas.SAME, "a", "b")
    left_out = {reason: counts[reason] for reason in sorted(filter(None, counts))}
    repeated = sum(lines - count for _, count, lines in counted)
    return known, left_out | ({_REPEATED: repeated} if repeated else {})


def _with_keys(pairs: DataFrame, image_root: str) -> DataFrame:
    """Pairs with `key_a` and `key_b`."""
    for path, key in ((schemas.PATH_A, schemas.KEY_A), (schemas.PATH_B, schemas.KEY_B)):
        keyed = keys.with_key(pairs.withColumn(schemas.PATH, F.col(path)), image_root)
        pairs = keyed.drop(schemas.PATH).withColumnRenamed(schemas.KEY, key)
    return pairs


def _once_each(pairs: DataFrame) -> DataFrame:
    """Pairs as their first line has them, those with the same two keys once; `lines`, `first_line` and `last_line`."""
    of_line = (schemas.SAME, schemas.PATH_A, schemas.PATH_B, schemas.KEY_A, schemas.KEY_B)
    # Non-mated comes before mated, so that a pair that is both has one as its first line and the other as its last.
    line = F.struct(*of_line)
    low, high = (which(schemas.KEY_A, schemas.KEY_B) for which in (F.least, F.greatest))
    once = pairs.groupBy(low.alias("low"), high.alias("high")).agg(
        F.min(line).alias(_FIRST), F.max(line).alias(_LAST), F.count("*").alias(_LINES)
    )
    return once.select(f"{_FIRST}.*", _FIRST, _LAST, _LINES)


def _refuse_contradiction(pairs: DataFrame, path: str) -> None:
    """Raise InputError if a pair is mated in one line and non-mated in another."""
    both = pairs.where(F.col(_FIRST)[schemas.SAME] != F.col(_LAST)[schemas.SAME]).select(_FIRST, _LAST).head(1)
    if both:
        lines = [f"{line[schemas.PATH_A]!r}, {line[schemas.PATH_B]!r} has 'same' {int(line.same)}" for line in both[0]]
        raise InputError(
            f"one pair is non-mated and mated: {lines[0]}, and {lines[1]}", path=path, remedy="keep the right line"
        )


def _none_left(pairs: DataFrame, counts: dict[Any, int], images: LabelledImages, path: str) -> InputError:
    """The error of a file none of whose pairs can be compared; `counts` are those of the reasons."""
    [[example]] = pairs.agg(F.min(schemas.KEY_A)).collect()
    if example is None:
        return InputError("no pair in the file", path=path, remedy="write a line a pair below the header")
    shown = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    labelled = images.table.select(schemas.KEY).head(1)
    return InputError(
        f"no pair is left to compare ({shown}; key of a pair {example!r}, of a labelled image {labelled[0][0]!r})",
        path=path,
        remedy="set `image_root` so that the keys below it agree, or label the images of the pairs",
    )
