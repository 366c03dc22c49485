"""Curves and areas of all label sets over the same pairs, with bootstrap intervals over identities."""

from typing import NamedTuple

import numpy as np

from fiqa_spark.evaluation.findings import Area, Comparison, Curve, Similarities
from fiqa_spark.kernels.edc import (
    are_errors,
    best_area,
    coarser_levels,
    curve_of_levels,
    error_versus_discard,
    partial_area,
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


def starts_of(settings):
    """What curves are asked for: (error, start, at), see `findings.Comparison`."""
    for error in settings.error:
        if not _is_recomputed(settings):
            yield from ((error, "error", at) for at in settings.starting_error)
        if error == "fnmr":
            yield from ((error, "fmr", at) for at in settings.at_fmr)


def compare(pairs, names, settings):
    """Compare label sets.

    Parameters
    ----------
    pairs : ComparedPairs
        With the pairs of either kind that the curves need.
    names : list of str
        Names of the label sets, in the order of ``pairs.qualities``.
    settings : EvaluationSettings

    Returns
    -------
    tuple of Comparison
    """
    found = []
    for error in settings.error:
        starts = [start for start in starts_of(settings) if start[0] == error]
        found += _compare(pairs, names, starts, settings) if starts else []
    return tuple(found)


def _compare(pairs, names, starts, settings):
    """Comparisons by one error, which share the pairs and their resamples."""
    of_kind = np.ones(len(pairs.mated), bool) if _is_recomputed(settings) else pairs.mated == (starts[0][0] == "fnmr")
    chosen = _Chosen(
        pairs.similarities[of_kind],
        pairs.mated[of_kind],
        tuple(owners[of_kind] for owners in pairs.owners),
        tuple(quality_levels(qualities[of_kind]) for qualities in pairs.qualities),
    )
    thresholds = [_threshold(pairs, start) for start in starts]
    draw = _recomputed if _is_recomputed(settings) else _fixed
    curves, estimates, resampled = draw(chosen, starts, thresholds, settings)
    comparisons = []
    for number, (error, start, at) in enumerate(starts):
        starting_error = float(curves[number][0][1][0])
        spread = resampled[:, number] - estimates[number]
        areas = _areas(curves[number], spread, settings.discard_limit, _best(starting_error, settings))
        found = tuple(Curve(name, *points, own) for name, points, own in zip(names, curves[number], areas, strict=True))
        count = len(chosen.similarities)
        comparisons.append(Comparison(error, start, at, thresholds[number], starting_error, count, found))
    return comparisons


class _Chosen(NamedTuple):
    """The pairs that an error is about, and the levels of their quality in each label set."""

    similarities: np.ndarray
    mated: np.ndarray
    owners: tuple
    levels: tuple


def _is_recomputed(settings):
    return settings.convention == "recomputed"


def _threshold(pairs, start):
    error, from_what, at = start
    of_mated = from_what == "error" and error == "fnmr"
    similarities = pairs.similarities[pairs.mated == of_mated]
    return starting_threshold(similarities, at, error="fnmr" if of_mated else "fmr")


def _fixed(chosen, starts, thresholds, settings):
    """Curves by start and set; their areas as resamples estimate them; and areas of resamples.

    Resampled curves have coarser levels where there are very many; what that does to an area it does to the estimate
    from all pairs as well, so that the spread around it is right.
    """
    errors = [
        np.flatnonzero(are_errors(chosen.similarities, threshold, error=error))
        for (error, *_), threshold in zip(starts, thresholds, strict=True)
    ]
    curves = [[error_versus_discard(levels, _mask(own, levels)) for levels in chosen.levels] for own in errors]
    coarse = [coarser_levels(levels, _RESAMPLED_LEVELS) for levels in chosen.levels]

    def areas_of(weights):
        areas = np.zeros((len(errors), len(coarse), len(settings.discard_limit)))
        for place, levels in enumerate(coarse):
            count = int(levels.max()) + 1
            pairs = np.bincount(levels, weights, count)
            for number, own in enumerate(errors):
                points = curve_of_levels(pairs, np.bincount(levels[own], weights[own], count))
                areas[number, place] = [partial_area(*points, limit) for limit in settings.discard_limit]
        return areas

    estimates = areas_of(np.ones(len(chosen.mated)))
    return curves, estimates, np.array([areas_of(weights) for weights in _resamples(chosen, settings.seed)])


def _mask(places, like):
    mask = np.zeros(len(like), bool)
    mask[places] = True
    return mask


def _recomputed(chosen, starts, thresholds, settings):
    """What `_fixed` gives, with the threshold taken anew at every step."""

    def curves_of(weights):
        return [
            [
                recomputed_error_versus_discard(levels, chosen.similarities, chosen.mated, at, weights)
                for levels in chosen.levels
            ]
            for _, _, at in starts
        ]

    def areas_of(curves):
        return np.array(
            [[[partial_area(*points, limit) for limit in settings.discard_limit] for points in own] for own in curves]
        )

    curves = curves_of(None)
    resampled = np.array([areas_of(curves_of(weights)) for weights in _resamples(chosen, settings.seed)])
    return curves, areas_of(curves), resampled


def _resamples(chosen, seed):
    """Weights of the pairs for each resample: identities drawn with replacement as often as there are identities."""
    identities, owners = np.unique(np.concatenate(chosen.owners), return_inverse=True)
    owners_a, owners_b = np.split(owners.reshape(-1), 2)
    needed = [kind for kind in (chosen.mated, ~chosen.mated) if kind.any()]
    random = np.random.default_rng(seed & (2**64 - 1))
    count, made = len(identities), 0
    while made < RESAMPLES:
        counts = np.bincount(random.integers(count, size=count), minlength=count).astype(np.float64)
        weights = resampled_weights(owners_a, owners_b, counts)
        # Of few identities a draw may hold no pair of a kind at all.
        if all(weights[kind].any() for kind in needed):
            made += 1
            yield weights


def _best(starting_error, settings):
    """Theoretical best up to each limit; None where there is none."""
    if _is_recomputed(settings):
        return [None] * len(settings.discard_limit)
    return [best_area(starting_error, limit) for limit in settings.discard_limit]


def _areas(curves, spread, limits, best):
    """Areas of each set's curve; `spread`, shape (resamples, sets, limits), is how those of resamples differ."""
    for place, points in enumerate(curves):
        found = []
        for number, limit in enumerate(limits):
            value, first = (partial_area(*each, limit) for each in (points, curves[0]))
            low, high = (value + np.percentile(spread[:, place, number], INTERVAL)).tolist()
            of_difference = spread[:, place, number] - spread[:, 0, number]
            less, more = (value - first + np.percentile(of_difference, INTERVAL)).tolist()
            over_best = None if best[number] is None else value - best[number]
            found.append(Area(limit, value, over_best, low, high, value - first, less, more))
        yield tuple(found)


def similarity_histograms(pairs):
    """Histograms of the similarities of mated and non-mated pairs over the same bins.

    Parameters
    ----------
    pairs : ComparedPairs

    Returns
    -------
    Similarities
    """
    edges = np.histogram_bin_edges(pairs.similarities, _BINS)
    mated, non_mated = (np.histogram(pairs.similarities[pairs.mated == kind], edges)[0] for kind in (True, False))
    return Similarities(edges, mated, non_mated)
