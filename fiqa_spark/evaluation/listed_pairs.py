"""Pairs that a CSV file lists, with what is known of their images."""

from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.label_sets import has_every_label, read_csv
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs import keys
from fiqa_spark.runtime.storage import Storage

_COLUMNS = (schemas.PATH_A, schemas.PATH_B, schemas.SAME)
_SAME = {"1": True, "true": True, "0": False, "false": False}


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
    table = read_csv(spark, storage, path, setting="pairs_file")
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise InputError(f"no column {missing[0]!r}; it has {', '.join(table.columns)}", path=path)
    text = F.lower(F.trim(schemas.SAME))
    meaning = F.coalesce(*[F.when(text == word, F.lit(value)) for word, value in _SAME.items()])
    pairs = table.select(schemas.PATH_A, schemas.PATH_B, meaning.alias(schemas.SAME), text.alias("text"))
    unclear = F.col(schemas.SAME).isNull() | F.col(schemas.PATH_A).isNull() | F.col(schemas.PATH_B).isNull()
    odd = pairs.where(unclear).head(1)
    if odd:
        path_a, path_b, _, same = odd[0]
        raise InputError(
            f"pair {path_a!r}, {path_b!r} has 'same' {same!r}",
            path=path,
            remedy="write two paths, and 1 for mated or 0 for non-mated",
        )
    return pairs.drop("text")


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
        set.
    left_out : dict
        Reason to number of pairs that are left out.

    Raises
    ------
    InputError
        If no pair is left.
    """
    labelled = has_every_label(qualities)
    image = F.struct(*columns)
    for side, path in (("a", schemas.PATH_A), ("b", schemas.PATH_B)):
        known = images.table.select(schemas.KEY, image.alias(side), labelled.alias(f"labelled_{side}"))
        keyed = keys.with_key(pairs.withColumn(schemas.PATH, F.col(path)), settings.image_root).drop(schemas.PATH)
        pairs = keyed.join(known, schemas.KEY, "left").withColumnRenamed(schemas.KEY, f"key_{side}")
    reason = (
        F.when(F.col(schemas.KEY_A) == F.col(schemas.KEY_B), F.lit("image_with_itself"))
        .when(F.col("labelled_a").isNull() | F.col("labelled_b").isNull(), F.lit("in_no_label_set"))
        .when(~(F.col("labelled_a") & F.col("labelled_b")), F.lit("without_label_in_every_set"))
    )
    pairs = pairs.withColumn("reason", reason).persist(StorageLevel.MEMORY_AND_DISK)
    counts: dict[Any, int] = dict(pairs.groupBy("reason").count().collect())
    if not counts.get(None):
        raise _none_left(pairs, counts, images, settings.pairs_file)
    known = pairs.where(F.col("reason").isNull()).select(schemas.SAME, "a", "b")
    return known, {reason: counts[reason] for reason in sorted(filter(None, counts))}


def _none_left(pairs: DataFrame, counts: dict[Any, int], images: LabelledImages, path: str) -> InputError:
    """The error of a file none of whose pairs can be compared; `counts` are those of the reasons."""
    example = pairs.select(schemas.KEY_A).head(1)
    if not example:
        return InputError("no pair in the file", path=path, remedy="write a line a pair below the header")
    shown = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    labelled = images.table.select(schemas.KEY).head(1)
    return InputError(
        f"no pair is left to compare ({shown}; key of the first pair {example[0][0]!r}, of a labelled image "
        f"{labelled[0][0]!r})",
        path=path,
        remedy="set `image_root` so that the keys below it agree, or label the images of the pairs",
    )
