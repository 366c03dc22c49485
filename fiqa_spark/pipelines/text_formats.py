"""Labels or recognizability scores as lines of text, in the form that a consumer reads."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.keys import ON_WINDOWS_PATTERN
from fiqa_spark.methods.results import Kind

_MOST = 100
_AS_IT_IS = {"escape": '"', "ignoreLeadingWhiteSpace": "false", "ignoreTrailingWhiteSpace": "false"}


def scored(table: DataFrame, kind: Kind) -> DataFrame:
    """A result with `score`, its quality on the scale of 0 to 100; null where there is none."""
    return table.withColumn(schemas.SCORE, F.col(kind.quality) * kind.to_percent)


def under_root(labels: DataFrame, image_root: str) -> DataFrame:
    """Labels whose relative paths are put under a root; absolute ones stay."""
    if not image_root:
        return labels
    path = F.col(schemas.PATH)
    absolute = F.concat(F.lit(image_root.rstrip("/") + "/"), path)
    return labels.withColumn(schemas.PATH, F.when(_is_absolute(path), path).otherwise(absolute))


def _is_absolute(path: Column) -> Column:
    return path.startswith("/") | path.rlike(ON_WINDOWS_PATTERN)


def check_paths(labels: DataFrame, *, absolute: bool) -> None:
    """Refuse paths that a reader who splits lines at white space would misread.

    Parameters
    ----------
    labels : DataFrame
        Column `path`.
    absolute : bool
        Whether the reader needs absolute paths.

    Raises
    ------
    InputError
        If a path holds white space, or is relative where it must not be.
    """
    path = F.col(schemas.PATH)
    # \h and \v are what Python calls white space, the ideographic space included.
    spaced = F.min(F.when(path.rlike(r"[\h\v\x{85}\x1c-\x1f]"), path))
    relative = F.min(F.when(~_is_absolute(path), path))
    [examples] = labels.agg(spaced.alias("spaced"), relative.alias("relative")).collect()
    if examples.spaced is not None:
        raise InputError(
            f"path {examples.spaced!r} has white space, at which its readers split the line",
            setting="format",
            remedy="rename the image, or export csv or jsonl",
        )
    if absolute and examples.relative is not None:
        raise InputError(f"path {examples.relative!r} is not absolute", setting="format", remedy="set `image_root`")


def check_scale(labels: DataFrame) -> None:
    """Raise InputError if a score is above 100, the most that its readers know."""
    above = labels.where(F.col(schemas.SCORE) > _MOST).select(schemas.PATH, schemas.SCORE).head(1)
    if above:
        path, score = above[0]
        raise InputError(
            f"path {path!r} has the score {score:.2f}, and its readers know 0 to {_MOST}",
            setting="format",
            remedy="score again without `no_clip`, or export csv or jsonl",
        )


def tface_lines(labels: DataFrame) -> DataFrame:
    """``path<TAB>score`` for the training script of TFace quality; images without a score are left out."""
    return _lines(labels.where(F.col(schemas.SCORE).isNotNull()), F.col(schemas.SCORE), "\t")


def seed_files(labels: DataFrame, rounds: int) -> dict[str, DataFrame]:
    """File name to ``path score`` lines: ``labels.txt``, and ``score_<k>.txt`` for round k from 0."""
    labelled = labels.where(F.col(schemas.SCORE).isNotNull())
    files = {"labels.txt": _lines(labelled, F.col(schemas.SCORE), " ")}
    for number in range(rounds):
        files[f"score_{number}.txt"] = _lines(labelled, F.col(schemas.ROUND_LABELS)[number], " ")
    return files


def csv_header(labels: DataFrame) -> str:
    """First line of a CSV file: the names of its columns, which are all but `score` and `round_labels`."""
    return ",".join(_columns(labels, schemas.SCORE, schemas.ROUND_LABELS))


def csv_lines(labels: DataFrame) -> DataFrame:
    """Lines of a CSV file without its header; every image, an empty label or ERS where there is none."""
    columns = _columns(labels, schemas.SCORE, schemas.ROUND_LABELS)
    return labels.select(F.to_csv(F.struct(*columns), _AS_IT_IS).alias("value"))


def json_lines(labels: DataFrame) -> DataFrame:
    """One JSON object an image, with all columns but `score`; null where there is no label or ERS."""
    columns = _columns(labels, schemas.SCORE)
    return labels.select(F.to_json(F.struct(*columns), {"ignoreNullFields": "false"}).alias("value"))


def _columns(labels: DataFrame, *without: str) -> list[str]:
    return [name for name in labels.columns if name not in without]


def _lines(labels: DataFrame, score: Column, separator: str) -> DataFrame:
    return labels.select(F.format_string(f"%s{separator}%.6f", schemas.PATH, score.cast("double")).alias("value"))
