"""Curves and areas of all label sets over the same pairs, with bootstrap intervals over identities."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fiqa_spark.evaluation.findings import Comparison, Curve, Interval, OperatingPoint, PartialAuc, Similarities
from fiqa_spark.evaluation.pair_similarities import ComparedPairs
from fiqa_spark.evaluation.settings import EvaluationSettings, pairs_of_fmr
from fiqa_spark.kernels.edc import (
    are_errors,
    best_partial_auc,
    coarser_levels,
    error_versus_discard,
    partial_auc,
    quality_levels,
    recomputed_error_versus_discard,
    resampled_weights,
    starting_threshold,
)

RESAMPLES = 400
INTERVAL = (2.5, 97.5)
"""Percentiles of the resampled areas, in percent."""
_BINS = 120
# More levels of quality make the areas of resamples no surer, but slower.
_RESAMPLED_LEVELS = 10_000

# From the levels and weights of the pairs to the discards, shape (points,), and the error rates, shape (operating
# points, points), of a label set.
_CurvesOf = Callable[[np.ndarray, np.ndarray | None], tuple[np.ndarray, np.ndarray]]


class _SharedPairs(NamedTuple):
    """The pairs that an error is about, which all curves of that error share."""

    similarities: np.ndarray
    mated: np.ndarray
    identities: tuple[np.ndarray, np.ndarray]
    levels: tuple[np.ndarray, ...]
    """Level of the quality of each pair, an array a label set."""


def operating_points(settings: EvaluationSettings) -> Iterator[OperatingPoint]:
    """The operating points that curves are asked for, those of an error together."""
    for error in settings.error:
        if not _is_recomputed(settings):
            yield from (OperatingPoint(error, "error", value) for value in settings.starting_error)
        if error == "fnmr":
            yield from (OperatingPoint(error, "fmr", value) for value in settings.at_fmr)


def is_resolved(point: OperatingPoint, non_mated: int) -> bool:
    """Whether so many non-mated pairs can tell where the threshold of an operating point is."""
    return "fmr" not in (point.error, point.fixed_by) or non_mated >= pairs_of_fmr(point.value)


def compare(pairs: ComparedPairs, names: Sequence[str], settings: EvaluationSettings) -> tuple[Comparison, ...]:
    """Compare label sets at every operating point.

    Parameters
    ----------
    pairs : ComparedPairs
        With the pairs of either kind that the curves need.
    names : sequence of str
        Names of the label sets, in the order of ``pairs.qualities``.
    settings : EvaluationSettings
        What curves and areas are wanted, and the seed of the bootstrap.
    """
    comparisons: list[Comparison] = []
    for error in settings.error:
        points = [point for point in operating_points(settings) if point.error == error]
        comparisons += _compare(pairs, names, points, settings) if points else []
    return tuple(comparisons)


def _compare(
    pairs: ComparedPairs, names: Sequence[str], points: list[OperatingPoint], settings: EvaluationSettings
) -> Iterator[Comparison]:
    """Comparisons by one error, which share the pairs and their resamples."""
    shared = _shared_pairs(pairs, points[0].error, settings)
    thresholds = [_threshold(pairs, point) for point in points]
    curves_of = _curves_of(shared, points, thresholds, settings)
    curves = [curves_of(levels, None) for levels in shared.levels]
    _, error_rates_of_first = curves[0]
    starting_errors = error_rates_of_first[:, 0]
    areas = _areas(curves, settings.discard_limit)
    intervals = _intervals(shared, curves_of, settings, areas, starting_errors)
    non_mated = int((~pairs.mated).sum())
    for number, point in enumerate(points):
        are_sure = is_resolved(point, non_mated)
        own = (
            Curve(
                name,
                discards,
                error_rates[number],
                tuple(
                    _partial_auc(
                        (label_set, number, limit), areas, starting_errors, intervals if are_sure else None, settings
                    )
                    for limit in range(len(settings.discard_limit))
                ),
            )
            for label_set, (name, (discards, error_rates)) in enumerate(zip(names, curves, strict=True))
        )
        yield Comparison(point, thresholds[number], float(starting_errors[number]), len(shared.mated), tuple(own))


def _shared_pairs(pairs: ComparedPairs, error: str, settings: EvaluationSettings) -> _SharedPairs:
    """Mated pairs for FNMR, non-mated ones for FMR; all where thresholds are taken anew."""
    chosen = pairs.mated == (error == "fnmr")
    if _is_recomputed(settings):
        chosen = np.ones(len(pairs.mated), bool)
    identities_a, identities_b = pairs.identities
    return _SharedPairs(
        pairs.similarities[chosen],
        pairs.mated[chosen],
        (identities_a[chosen], identities_b[chosen]),
        tuple(quality_levels(qualities[chosen]) for qualities in pairs.qualities),
    )


def _is_recomputed(settings: EvaluationSettings) -> bool:
    return settings.convention == "recomputed"


def _threshold(pairs: ComparedPairs, point: OperatingPoint) -> float:
    """The threshold of an operating point before any discard."""
    of_mated = point.fixed_by == "error" and point.error == "fnmr"
    similarities = pairs.similarities[pairs.mated == of_mated]
    return starting_threshold(similarities, point.value, error="fnmr" if of_mated else "fmr")


def _curves_of(
    shared: _SharedPairs, points: list[OperatingPoint], thresholds: list[float], settings: EvaluationSettings
) -> _CurvesOf:
    """The function that draws the curves of a label set by the convention that is asked for."""
    if _is_recomputed(settings):
        fmrs = [point.value for point in points]
        return lambda levels, weights: recomputed_error_versus_discard(
            levels, shared.similarities, shared.mated, fmrs, weights
        )
    errors = [
        np.flatnonzero(are_errors(shared.similarities, threshold, error=point.error))
        for point, threshold in zip(points, thresholds, strict=True)
    ]
    return lambda levels, weights: error_versus_discard(levels, errors, weights)


def _areas(curves: list[tuple[np.ndarray, np.ndarray]], limits: Sequence[float]) -> np.ndarray:
    """Areas under the curves of all label sets, shape (label sets, operating points, limits)."""
    return np.array(
        [
            [[partial_auc(discards, rates, limit) for limit in limits] for rates in error_rates]
            for discards, error_rates in curves
        ]
    )


class _Intervals(NamedTuple):
    """Ends of intervals, shape (2, label sets, operating points, limits) each."""

    areas: np.ndarray
    to_first: np.ndarray
    of_chance: np.ndarray


def _intervals(
    shared: _SharedPairs,
    curves_of: _CurvesOf,
    settings: EvaluationSettings,
    areas: np.ndarray,
    starting_errors: np.ndarray,
) -> _Intervals:
    """Intervals of areas out of those of resamples.

    Resamples of a fixed threshold have coarser levels where there are very many; what that does to an area it does to
    the one of all pairs as well, so that the difference is right.
    """
    levels = shared.levels
    if not _is_recomputed(settings):
        levels = tuple(coarser_levels(of_set, _RESAMPLED_LEVELS) for of_set in levels)

    def areas_and_parts(weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        curves = [curves_of(of_set, weights) for of_set in levels]
        found = _areas(curves, settings.discard_limit)
        return found, found / _of_chance(curves[0][1][:, 0], settings)

    whole, whole_parts = areas_and_parts(None)
    resampled = [areas_and_parts(weights) for weights in _resamples(shared, settings.seed)]
    spread = np.array([found for found, _ in resampled]) - whole
    parts = np.array([found for _, found in resampled]) - whole_parts
    return _Intervals(
        areas + np.percentile(spread, INTERVAL, axis=0),
        areas - areas[:1] + np.percentile(spread - spread[:, :1], INTERVAL, axis=0),
        areas / _of_chance(starting_errors, settings) + np.percentile(parts, INTERVAL, axis=0),
    )


def _of_chance(starting_errors: np.ndarray, settings: EvaluationSettings) -> np.ndarray:
    """Areas of labels by chance, shape (operating points, limits); where nothing errs, areas of 0 become 0 by them."""
    areas = np.outer(starting_errors, settings.discard_limit)
    return np.where(areas > 0, areas, 1.0)


def _resamples(shared: _SharedPairs, seed: int) -> Iterator[np.ndarray]:
    """Weights of the pairs for each resample: identities drawn with replacement as often as there are identities."""
    identities, numbers = np.unique(np.concatenate(shared.identities), return_inverse=True)
    numbers_a, numbers_b = np.split(numbers.reshape(-1), 2)
    needed = [kind for kind in (shared.mated, ~shared.mated) if kind.any()]
    random = np.random.default_rng(seed & (2**64 - 1))
    count, made = len(identities), 0
    while made < RESAMPLES:
        counts = np.bincount(random.integers(count, size=count), minlength=count).astype(np.float64)
        weights = resampled_weights(numbers_a, numbers_b, counts)
        # Of few identities a draw may hold no pair of a kind at all.
        if all(weights[kind].any() for kind in needed):
            made += 1
            yield weights


def _partial_auc(
    place: tuple[int, int, int],
    areas: np.ndarray,
    starting_errors: np.ndarray,
    intervals: _Intervals | None,
    settings: EvaluationSettings,
) -> PartialAuc:
    """A pAUC by numbers of label set, operating point and limit."""
    _, point, number = place
    limit, start, value = settings.discard_limit[number], float(starting_errors[point]), float(areas[place])

    def ends(of: np.ndarray) -> Interval:
        return Interval(*(float(end[place]) for end in of))

    return PartialAuc(
        limit,
        value,
        ends(intervals.areas) if intervals else None,
        None if _is_recomputed(settings) else value - best_partial_auc(start, limit),
        value / (start * limit) if start else None,
        ends(intervals.of_chance) if intervals and start else None,
        value - float(areas[0, point, number]),
        ends(intervals.to_first) if intervals else None,
    )


def similarity_histograms(pairs: ComparedPairs) -> Similarities:
    """Histograms of the similarities of mated and non-mated pairs over the same bins."""
    edges = np.histogram_bin_edges(pairs.similarities, _BINS)
    mated, non_mated = (np.histogram(pairs.similarities[pairs.mated == kind], edges)[0] for kind in (True, False))
    return Similarities(edges, mated, non_mated)
