"""What the distances of all images have in common: where the scale of labels begins and ends."""

from typing import Any, NamedTuple

import numpy as np

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.kernels.label_scale import NO_SPREAD
from fiqa_spark.matching.packs import PackFacts
from fiqa_spark.matching.status_counts import ImageCounts, counts_in, listed_statuses
from fiqa_spark.methods.updates import TakenOver


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

    @property
    def of_rounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest distance of each round, float64, shape (rounds,)."""
        return np.array(self.round_min), np.array(self.round_max)


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


def distance_ranges(facts: PackFacts) -> DistanceRanges:
    """Counts by status and the range of the distances in every round.

    Parameters
    ----------
    facts : PackFacts
        Of packs from `round_distances`.

    Raises
    ------
    NothingUsableError
        If no image is labelled.
    InputError
        If all distances of a round are equal.
    """
    counts = counts_in(facts.sums)
    labelled = _labelled(counts)
    (*round_min, mean_min), (*round_max, mean_max) = facts.least, facts.most
    for number, (low, high) in enumerate(zip(round_min, round_max, strict=True)):
        if high - low <= NO_SPREAD:
            raise InputError(
                f"round {number + 1} of {len(round_min)}: all {labelled} distances are {low:.6g}, "
                "and labels need a spread",
                remedy="check that the features differ and that more than two images can be labelled",
            )
    truncated = facts.sums[schemas.INTRA_TRUNCATED]
    return DistanceRanges(tuple(round_min), tuple(round_max), mean_min, mean_max, counts, truncated)


def ranges_of_reference(facts: PackFacts, known: KnownRanges, taken: TakenOver | None = None) -> DistanceRanges:
    """Counts by status, with ranges that come from elsewhere.

    Parameters
    ----------
    facts : PackFacts
        Of packs from `round_distances`, which was told of these ranges.
    taken : TakenOver, optional
        Other labels by these ranges, in which `beyond_range` was counted.

    Raises
    ------
    NothingUsableError
        If no image is labelled.
    """
    counts, sums = counts_in(facts.sums), facts.sums
    truncated, cut = sums[schemas.INTRA_TRUNCATED], sums[schemas.BEYOND_RANGE]
    if taken:
        counts, truncated = taken.added_to(counts), truncated + taken.truncated
        cut += taken.counted[schemas.BEYOND_RANGE]
    _labelled(counts)
    return DistanceRanges(*known, counts, truncated, cut)


def _labelled(counts: ImageCounts) -> int:
    """Number of images with a label; NothingUsableError if there is none."""
    if not counts.statuses[schemas.OK]:
        raise NothingUsableError(
            f"no image can be labelled, of {listed_statuses(counts)}",
            remedy="check `id_key_index`, `min_images` and the features",
        )
    return counts.statuses[schemas.OK]
