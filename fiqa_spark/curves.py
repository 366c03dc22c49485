"""Curves and areas of all label sets over the same pairs, with bootstrap intervals over identities."""

import numpy as np

from fiqa_spark.findings import Area, Comparison, Curve, Similarities
from fiqa_spark.kernels.discards import (
    are_errors,
    best_area,
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


def starts_of(settings):
    """What curves are asked for: (error, start, at), see `findings.Comparison`."""
    recomputed = settings.convention == "recomputed"
    for error in settings.error:
        if not recomputed:
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
    recomputed = settings.convention == "recomputed"
    kind = np.ones(len(pairs.mated), bool) if recomputed else pairs.mated == (starts[0][0] == "fnmr")
    thresholds = [_threshold(pairs, start) for start in starts]
    curves = [
        _curve_function(pairs, kind, start, threshold, recomputed)
        for start, threshold in zip(starts, thresholds, strict=True)
    ]
    levels = [quality_levels(qualities[kind]) for qualities in pairs.qualities]
    points = [[curve(level) for level in levels] for curve in curves]
    resampled = _resampled_areas(pairs, kind, curves, levels, settings)
    comparisons = []
    for number, (error, start, at) in enumerate(starts):
        starting_error = float(points[number][0][1][0])
        found = [
            Curve(
                name,
                *points[number][place],
                _areas(points[number], place, resampled[number], settings, None if recomputed else starting_error),
            )
            for place, name in enumerate(names)
        ]
        comparisons.append(
            Comparison(error, start, at, thresholds[number], starting_error, int(kind.sum()), tuple(found))
        )
    return comparisons


def _threshold(pairs, start):
    error, from_what, at = start
    of_mated = from_what == "error" and error == "fnmr"
    similarities = pairs.similarities[pairs.mated == of_mated]
    return starting_threshold(similarities, at, error="fnmr" if of_mated else "fmr")


def _curve_function(pairs, kind, start, threshold, recomputed):
    """From levels of quality, and weights where pairs are resampled, to a curve."""
    similarities = pairs.similarities[kind]
    if recomputed:
        mated = pairs.mated[kind]
        return lambda levels, weights=None: recomputed_error_versus_discard(
            levels, similarities, mated, start[2], weights
        )
    errors = are_errors(similarities, threshold, error=start[0])
    return lambda levels, weights=None: error_versus_discard(levels, errors, weights)


def _resampled_areas(pairs, kind, curves, levels, settings):
    """Areas over resampled identities, shape (curves, resamples, sets, limits)."""
    identities, owners = np.unique(np.concatenate([owners[kind] for owners in pairs.owners]), return_inverse=True)
    owners_a, owners_b = np.split(owners.reshape(-1), 2)
    mated = pairs.mated[kind]
    needed = [each for each in (mated, ~mated) if each.any()]
    random = np.random.default_rng(settings.seed & (2**64 - 1))
    areas = np.zeros((len(curves), RESAMPLES, len(levels), len(settings.discard_limit)))
    for number in range(RESAMPLES):
        weights = _drawn_weights(random, len(identities), owners_a, owners_b, needed)
        for place, curve in enumerate(curves):
            for labels, level in enumerate(levels):
                points = curve(level, weights)
                areas[place, number, labels] = [partial_area(*points, limit) for limit in settings.discard_limit]
    return areas


def _drawn_weights(random, identities, owners_a, owners_b, needed):
    """Weights of the pairs for identities drawn with replacement; drawn again where a kind of pairs is not in them."""
    while True:
        counts = np.bincount(random.integers(identities, size=identities), minlength=identities)
        weights = resampled_weights(owners_a, owners_b, counts)
        if all(weights[kind].any() for kind in needed):
            return weights


def _areas(points, place, resampled, settings, starting_error):
    """Areas of a curve; those of the first curve are what its differences are taken from."""
    found = []
    for number, limit in enumerate(settings.discard_limit):
        value, first = (partial_area(*points[which], limit) for which in (place, 0))
        low, high = np.percentile(resampled[:, place, number], INTERVAL).tolist()
        less, more = np.percentile(resampled[:, place, number] - resampled[:, 0, number], INTERVAL).tolist()
        over_best = None if starting_error is None else value - best_area(starting_error, limit)
        found.append(Area(limit, value, over_best, low, high, value - first, less, more))
    return tuple(found)


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
