"""The small second pass: distances of the rounds to labels from 0 to 100."""

from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.matching.status_counts import ImageCounts, count_columns, counts_in, listed_statuses

# Distances of float32 similarities that should be equal differ by so much.
_NO_SPREAD = 1e-6


class DistanceRanges(NamedTuple):
    """What the distances of all labelled images have in common."""

    round_min: tuple[float, ...]
    """Smallest distance of each round."""
    round_max: tuple[float, ...]
    """Largest distance of each round."""
    mean_min: float
    """Smallest distance averaged over the rounds."""
    mean_max: float
    """Largest distance averaged over the rounds."""
    counts: ImageCounts
    intra_truncated: int
    """Number of images that the exact estimator compared with a part of their identity only."""
    cut: int = 0
    """Number of images with a distance beyond the range, which comes from elsewhere then."""


def numbers_of(ranges: DistanceRanges) -> dict[str, Any]:
    """The ranges by name, JSON-ready."""
    return {
        "round_min": list(ranges.round_min),
        "round_max": list(ranges.round_max),
        "mean_min": ranges.mean_min,
        "mean_max": ranges.mean_max,
    }


def distance_ranges(distances: DataFrame, rounds: int, known: dict[str, Any] | None = None) -> DistanceRanges:
    """Counts by status and the range of the distances in every round.

    Parameters
    ----------
    distances : DataFrame
        With the schema `schemas.distances`.
    rounds : int
        Number of distances an image.
    known : dict, optional
        Ranges that count rather than those of these distances, as from `numbers_of`.

    Raises
    ------
    NothingUsableError
        If no image is labelled.
    InputError
        If all distances of a round are equal.
    """
    mean = F.col(schemas.DISTANCE)
    of_rounds = [F.col(schemas.round_distance(number)) for number in range(rounds)]
    [ranges] = distances.agg(
        F.array(*map(F.min, of_rounds)).alias("low"),
        F.array(*map(F.max, of_rounds)).alias("high"),
        F.min(mean).alias("mean_low"),
        F.max(mean).alias("mean_high"),
        *count_columns(),
        F.sum(schemas.INTRA_TRUNCATED).alias("intra_truncated"),
        _count_beyond(of_rounds, known).alias("cut"),
    ).collect()
    counts = counts_in(ranges)
    labelled = counts.statuses[schemas.OK]
    if not labelled:
        raise NothingUsableError(
            f"no image can be labelled, of {listed_statuses(counts)}",
            remedy="check `id_key_index`, `min_images` and the features",
        )
    if known:
        of_all = (tuple(known["round_min"]), tuple(known["round_max"]), known["mean_min"], known["mean_max"])
        return DistanceRanges(*of_all, counts, ranges.intra_truncated, ranges.cut)
    for number, (low, high) in enumerate(zip(ranges.low, ranges.high, strict=True)):
        if high - low <= _NO_SPREAD:
            raise InputError(
                f"round {number + 1} of {rounds}: all {labelled} distances are {low:.6g}, and labels need a spread",
                remedy="check that the features differ and that more than two images can be labelled",
            )
    return DistanceRanges(
        tuple(ranges.low), tuple(ranges.high), ranges.mean_low, ranges.mean_high, counts, ranges.intra_truncated, 0
    )


def _count_beyond(of_rounds: list[Column], known: dict[str, Any] | None) -> Column:
    """How many images have a distance beyond a range that comes from elsewhere."""
    if not known:
        return F.lit(0)
    ranges = zip(of_rounds, known["round_min"], known["round_max"], strict=True)
    beyond = [(each < low - _NO_SPREAD) | (each > high + _NO_SPREAD) for each, low, high in ranges]
    return F.count_if(F.greatest(F.lit(False), F.lit(False), *beyond))


def scale_labels(distances: DataFrame, ranges: DistanceRanges, normalize: str, *, cut: bool = False) -> DataFrame:
    """Labels out of distances.

    Parameters
    ----------
    distances : DataFrame
        With the schema `schemas.distances`.
    ranges : DistanceRanges
        Of these distances.
    normalize : {'per-round', 'final'}
        Scale every round to 0..100 and average, or average the distances and scale once.
    cut : bool
        Whether distances may lie beyond the ranges, at which they are cut then.

    Returns
    -------
    DataFrame
        The columns of `schemas.LABELS` beside those of `distances`. `label` and the values of `round_labels` are in
        [0, 100], higher is better (arXiv 2103.05977, eq. 7 and 8).

    Raises
    ------
    InputError
        If the distances are averaged first and their means are all equal.
    """
    if normalize == "final" and ranges.mean_max - ranges.mean_min <= _NO_SPREAD:
        raise InputError(f"all mean distances are {ranges.mean_min:.6g}", setting="normalize", remedy="use per-round")
    scaled = [
        (F.col(schemas.round_distance(number)).cast("double") - F.lit(float(low)))
        / F.lit(float(high) - float(low))
        * 100
        for number, (low, high) in enumerate(zip(ranges.round_min, ranges.round_max, strict=True))
    ]
    final = (F.col(schemas.DISTANCE) - F.lit(ranges.mean_min)) / F.lit(ranges.mean_max - ranges.mean_min) * 100
    if cut:
        scaled, final = [_cut(each) for each in scaled], _cut(final)
    label = _sum(scaled) / len(scaled) if normalize == "per-round" else final
    round_labels = F.when(label.isNotNull(), F.array(*[each.cast("float") for each in scaled]))
    return distances.withColumn(schemas.LABEL, label).withColumn(schemas.ROUND_LABELS, round_labels)


def _cut(label: Column) -> Column:
    # The smallest of a null and a number would be the number.
    return F.when(label.isNotNull(), F.greatest(F.lit(0.0), F.least(F.lit(100.0), label)))


def _sum(columns: list[Column]) -> Column:
    """Sum of columns, in pairs, so that a thousand of them do not make a tree a thousand deep."""
    while len(columns) > 1:
        pairs = [left + right for left, right in zip(columns[::2], columns[1::2], strict=False)]
        columns = pairs + columns[len(pairs) * 2 :]
    return columns[0]
