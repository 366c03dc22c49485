"""The small second pass: distances of the rounds to labels from 0 to 100."""

from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.matching.status_counts import ImageCounts, count_columns, counts_in, listed_statuses
from fiqa_spark.methods.updates import TakenOver

# Distances of float32 similarities that should be equal differ by so much.
_NO_SPREAD = 1e-6


class KnownRanges(NamedTuple):
    """What the distances of other images have in common, those of a reference; as in `DistanceRanges`."""

    round_min: tuple[float, ...]
    round_max: tuple[float, ...]
    mean_min: float
    mean_max: float

    @classmethod
    def of(cls, numbers: dict[str, Any]) -> "KnownRanges":
        """Those of numbers from `numbers_of`."""
        return cls(tuple(numbers["round_min"]), tuple(numbers["round_max"]), numbers["mean_min"], numbers["mean_max"])


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


def distance_ranges(distances: DataFrame, rounds: int) -> DistanceRanges:
    """Counts by status and the range of the distances in every round.

    Parameters
    ----------
    distances : DataFrame
        With the schema `schemas.distances`.
    rounds : int
        Number of distances an image.

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
    ).collect()
    counts = counts_in(ranges)
    labelled = _labelled(counts)
    for number, (low, high) in enumerate(zip(ranges.low, ranges.high, strict=True)):
        if high - low <= _NO_SPREAD:
            raise InputError(
                f"round {number + 1} of {rounds}: all {labelled} distances are {low:.6g}, and labels need a spread",
                remedy="check that the features differ and that more than two images can be labelled",
            )
    return DistanceRanges(
        tuple(ranges.low), tuple(ranges.high), ranges.mean_low, ranges.mean_high, counts, ranges.intra_truncated, 0
    )


def _labelled(counts: ImageCounts) -> int:
    """Number of images with a label; NothingUsableError if there is none."""
    if not counts.statuses[schemas.OK]:
        raise NothingUsableError(
            f"no image can be labelled, of {listed_statuses(counts)}",
            remedy="check `id_key_index`, `min_images` and the features",
        )
    return counts.statuses[schemas.OK]


def labels_within(distances: DataFrame, known: KnownRanges, normalize: str) -> DataFrame:
    """Labels by the ranges of other distances.

    Parameters
    ----------
    distances : DataFrame
        With the schema `schemas.distances`.

    Returns
    -------
    DataFrame
        The columns of `schemas.LABELS`, those that are counted, `identity_key`, and `beyond_range`: whether a distance
        lies beyond the range of its round, at which it is cut.
    """
    rounds = enumerate(zip(known.round_min, known.round_max, strict=True))
    beyond = [
        (F.col(schemas.round_distance(number)) < low - _NO_SPREAD)
        | (F.col(schemas.round_distance(number)) > high + _NO_SPREAD)
        for number, (low, high) in rounds
    ]
    labels = scale_labels(distances, known, normalize, cut=True)
    # It looks over nulls, and takes two columns at least.
    labels = labels.withColumn(schemas.BEYOND_RANGE, F.greatest(F.lit(False), F.lit(False), *beyond))
    return labels.drop(*map(schemas.round_distance, range(len(beyond))))


def was_beyond(known: KnownRanges) -> Column:
    """Of labels by these ranges: whether a distance lay beyond the range of its round.

    Its label is 0 or 100 then, and the mean of the distances is another than the one that the labels tell.
    """
    of_round, rounds = F.col(schemas.ROUND_LABELS), len(known.round_min)
    told = [
        F.lit(low) + of_round[number].cast("double") * F.lit((high - low) / 100)
        for number, (low, high) in enumerate(zip(known.round_min, known.round_max, strict=True))
    ]
    differs = F.abs(_sum(told) - F.col(schemas.DISTANCE) * rounds) > _NO_SPREAD
    at_an_end = (F.array_min(of_round) <= 0) | (F.array_max(of_round) >= 100)
    return F.coalesce(at_an_end & differs, F.lit(False))


def ranges_of_labels(labels: DataFrame, known: KnownRanges, taken: TakenOver | None = None) -> DistanceRanges:
    """Counts by status of labels from `labels_within`, with the ranges that they come from.

    Parameters
    ----------
    taken : TakenOver, optional
        Other labels by these ranges, in which `beyond_range` was counted.

    Raises
    ------
    NothingUsableError
        If no image is labelled.
    """
    [totals] = labels.agg(
        *count_columns(),
        F.sum(schemas.INTRA_TRUNCATED).alias("intra_truncated"),
        F.count_if(F.col(schemas.BEYOND_RANGE)).alias("cut"),
    ).collect()
    ranges = DistanceRanges(*known, counts_in(totals), totals.intra_truncated or 0, totals.cut)
    if taken:
        truncated, cut = ranges.intra_truncated + taken.truncated, ranges.cut + taken.counted[schemas.BEYOND_RANGE]
        ranges = DistanceRanges(*known, taken.added_to(ranges.counts), truncated, cut)
    _labelled(ranges.counts)
    return ranges


def scale_labels(
    distances: DataFrame, ranges: DistanceRanges | KnownRanges, normalize: str, *, cut: bool = False
) -> DataFrame:
    """Labels out of distances.

    Parameters
    ----------
    distances : DataFrame
        With the schema `schemas.distances`.
    ranges : DistanceRanges or KnownRanges
        Of these distances, or others.
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
