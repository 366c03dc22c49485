"""FNMR of mated pairs that knows of clusters: its intervals, after nested cuts, and the label that keeps a target.

Pairs of one identity err together, so they tell less than as many pairs of different identities. The design effect
says how many times less: pairs over effect are independent ones that tell as much (Korn and Graubard 1998).
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

FEW_ERRING = 30
"""Where fewer identities than these have an error, the design effect is not taken from their errors alone."""
ASSUMED_CORRELATION = 0.2
"""Intraclass correlation that the errors of an identity are taken to have before any is seen."""
# Share of the pairs that is left where the search begins beside the strictest cut.
_BEGIN_SHARE = 0.7
# Identities with an error that say as much as the assumption.
_ASSUMPTION_WEIGHS = 5


class NestedPairs(NamedTuple):
    """Mated pairs made ready for nested cuts: what no threshold, error or target changes."""

    labels: np.ndarray
    """Cuts, ascending, float64, shape (cuts,); a pair is left where its lower label is at least that."""
    order: np.ndarray
    """Pairs identity by identity, in each from the highest lower label down, int64, shape (n,)."""
    cuts_kept: np.ndarray
    """Number of cuts that leave each pair of `order`, int64, shape (n,)."""
    ranks: np.ndarray
    """Place of each pair of `order` in its identity, from 1, int64, shape (n,)."""


class NestedRates(NamedTuple):
    """Errors among the pairs that each cut leaves; one element a cut, ascending."""

    labels: np.ndarray
    """As in `NestedPairs`."""
    pairs: np.ndarray
    """Pairs left, int64, shape (cuts,)."""
    errors: np.ndarray
    """Errors among them, int64, shape (cuts,)."""
    effects: np.ndarray
    """Design effects for intervals, at least 1, float64, shape (cuts,)."""
    cautious_effects: np.ndarray
    """Design effects for promises, at least those for intervals, float64, shape (cuts,)."""
    company: np.ndarray
    """Pairs left of the identity of an average pair, float64, shape (cuts,); 1 where no pair is left."""


class _Sums(NamedTuple):
    """Sums over identities, of their numbers of pairs n and of errors e."""

    identities: np.ndarray
    erring: np.ndarray
    n: np.ndarray
    e: np.ndarray
    nn: np.ndarray
    ne: np.ndarray
    ee: np.ndarray


def design_effect(errors_by_identity: np.ndarray, pairs_by_identity: np.ndarray) -> float:
    """How many times the variance of the FNMR is that of as many independent pairs.

    Parameters
    ----------
    errors_by_identity, pairs_by_identity : ndarray of float64, shape (identities,)
        Numbers of mated pairs that err, and of all. Identities without a pair change nothing.

    Returns
    -------
    float
        At least 1. It is 1 too where it cannot be told: no error, errors only, or fewer than two identities. From
        few identities with errors it comes out too low; `nested_rates` allows for that.

    References
    ----------
    Korn and Graubard, Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data, Survey Methodology 24 (1998); the variance is that of a ratio of totals of clusters.
    """
    n, e = (np.asarray(counts, np.float64) for counts in (pairs_by_identity, errors_by_identity))
    sums = (n > 0).sum(), (e > 0).sum(), n.sum(), e.sum(), n @ n, n @ e, e @ e
    return float(_own_effects(_Sums(*(np.asarray(value, np.float64) for value in sums))))


def _own_effects(sums: _Sums) -> np.ndarray:
    """Design effects out of the pairs' own errors, 1 where those do not tell."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = sums.e / sums.n
        spread = sums.ee - 2 * rate * sums.ne + rate**2 * sums.nn
        effects = sums.identities / (sums.identities - 1) * spread / (sums.n * rate * (1 - rate))
    told = (sums.identities > 1) & (sums.e > 0) & (sums.e < sums.n)
    return np.maximum(np.where(told, effects, 1.0), 1.0)


def score_interval(
    errors: ArrayLike, pairs: ArrayLike, effects: ArrayLike, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided interval of an FNMR: Wilson's score interval with continuity correction of the effective pairs.

    Parameters
    ----------
    errors, pairs : array_like, shape (...)
        Numbers of pairs that err, and of all.
    effects : array_like, shape (...)
        Design effects, at least 1.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : ndarray of float64, shape (...)
        In [0, 1]; 0 and 1 where there is no pair.

    References
    ----------
    Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), method 4,
    in place of the exact interval in that of Korn and Graubard (1998).
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    high = _upper(errors, pairs, effects, z)
    return 1 - _upper(np.subtract(pairs, errors), pairs, effects, z), high


def upper_bound(errors: ArrayLike, pairs: ArrayLike, effects: ArrayLike, *, confidence: float = 0.95) -> np.ndarray:
    """One-sided bound that the FNMR does not exceed with such a confidence; otherwise as `score_interval`."""
    return _upper(errors, pairs, effects, NormalDist().inv_cdf(confidence))


def _upper(errors: ArrayLike, pairs: ArrayLike, effects: ArrayLike, z: float) -> np.ndarray:
    """Upper end of Wilson's score interval with continuity correction at z standard deviations, 1 of no pair."""
    n = np.maximum(np.divide(pairs, effects), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.divide(errors, pairs)
        root = np.sqrt(np.maximum(z**2 + 2 - 1 / n + 4 * rate * (n * (1 - rate) - 1), 0))
        high = (2 * n * rate + z**2 + 1 + z * root) / (2 * (n + z**2))
    # The correction moves the rate by half a pair; it is 1 then where no more is without error.
    return np.where(n * (1 - rate) > 0.5, np.minimum(high, 1.0), 1.0)


def nested_pairs(lower: np.ndarray, identities: np.ndarray, labels: np.ndarray) -> NestedPairs:
    """Mated pairs sorted once, for `nested_rates` of any errors.

    Parameters
    ----------
    lower : ndarray of float64, shape (n,)
        Lower label of each pair, or another quality of it; no NaN.
    identities : ndarray of int, shape (n,)
        Number of the identity of each pair, at least 0.
    labels : ndarray of float64, shape (cuts,)
        Cuts, ascending; the first is the loosest.
    """
    cuts_kept = np.searchsorted(labels, lower, side="right")
    steps = len(labels) + 1
    # In one key of both: two sorts would take twice as long.
    order = np.argsort(identities.astype(np.int64) * steps + (steps - 1 - cuts_kept))
    identities = identities[order]
    places = np.arange(len(order))
    starts_one = np.append(True, identities[1:] != identities[:-1])[: len(order)]
    ranks = places - np.maximum.accumulate(np.where(starts_one, places, 0)) + 1
    return NestedPairs(np.asarray(labels, np.float64), order, cuts_kept[order], ranks)


def nested_rates(nested: NestedPairs, errors: np.ndarray) -> NestedRates:
    """Pairs, errors and design effects after each cut.

    Few identities with errors make the design effect too small; one error alone makes it 1. The cautious one is at
    least what the intraclass correlation of all pairs makes of the pairs left. Intervals take it where fewer than
    `FEW_ERRING` identities err, and else the cut's own; promises take it always, since a search over cuts finds those
    whose own effect came out small.

    Parameters
    ----------
    nested : NestedPairs
    errors : ndarray of bool, shape (n,)
        Whether each pair errs, in the order in which the pairs were given to `nested_pairs`.

    Returns
    -------
    NestedRates
        Every cut has its own design effect, none is taken from another one beside it.
    """
    sums = _sums_left(nested, errors)
    company = np.divide(sums.nn, sums.n, out=np.ones(len(sums.n)), where=sums.n > 0)
    own = _own_effects(sums)
    # Element 0: all pairs, and so the most errors to tell it from.
    correlation = _correlation(own[0], company[0], sums.erring[0])
    cautious = np.maximum(own, 1 + correlation * (company - 1))
    effects = np.where(sums.erring < FEW_ERRING, cautious, own)
    pairs, wrong = (counts[1:].astype(np.int64) for counts in (sums.n, sums.e))
    return NestedRates(nested.labels, pairs, wrong, effects[1:], cautious[1:], company[1:])


def _correlation(effect: float, company: float, erring: float) -> float:
    """Intraclass correlation of a design effect, drawn to the assumed one the more the fewer identities err."""
    own = (effect - 1) / (company - 1) if company > 1 else 0.0
    return (erring * own + _ASSUMPTION_WEIGHS * ASSUMED_CORRELATION) / (erring + _ASSUMPTION_WEIGHS)


def _sums_left(nested: NestedPairs, errors: np.ndarray) -> _Sums:
    """Sums over the identities of the pairs that are left: element 0 is of all pairs, k + 1 of cut k."""
    # Within an identity the strictest cut has the first pairs, so a sum of squares grows by what each pair adds to it.
    n, e = nested.ranks, errors[nested.order].astype(np.int64)
    errors_before = np.append(0, np.cumsum(e))
    errors_so_far = errors_before[1:] - errors_before[np.arange(len(n)) - n + 1]
    added = _Sums(
        identities=n == 1,
        erring=e * (errors_so_far == 1),
        n=np.ones(len(n)),
        e=e,
        nn=2 * n - 1,
        ne=errors_so_far + e * (n - 1),
        ee=e * (2 * errors_so_far - 1),
    )
    steps = len(nested.labels) + 1
    return _Sums(*(np.cumsum(np.bincount(nested.cuts_kept, values, steps)[::-1])[::-1] for values in added))


def least_label_for(rates: NestedRates, target: float, *, confidence: float = 0.95) -> tuple[float | None, int]:
    """The least label from which the FNMR among the pairs left is at most a target, with such a confidence.

    The cuts are tested from a strict one to the loosest, and the first that fails ends it: each test may then use the
    whole error probability, and the label that comes out is wrong no more often than one test is. Few pairs, or a
    wrong identity among the best images, may fail the strictest cut although looser ones would pass; so there is a
    second cut to begin from, and the two share the error probability. What few pairs cannot show stays unseen: a
    handful of identities all of whose pairs err, and of which this sample may have none.

    Parameters
    ----------
    rates : NestedRates
        After cuts that were fixed without a look at any error, such as quantiles of the labels of all images.
    target : float
        FNMR, in (0, 1).
    confidence : float
        In (0, 1).

    Returns
    -------
    label : float or None
        None where the target cannot be reached.
    pairs : int
        Pairs left there; where it cannot be reached, of the loosest cut.

    References
    ----------
    Maurer, Hothorn and Lehmacher (1995), fixed-sequence testing; Angelopoulos et al., Learn then Test
    (arXiv 2110.01052), section 2.2.
    """
    begins = _begins(rates, target)
    shared = 1 - (1 - confidence) / len(begins)
    passes = upper_bound(rates.errors, rates.pairs, rates.cautious_effects, confidence=shared) <= target
    # How far each row of passed tests reaches down, beyond its begin where that fails itself.
    reached = [begin + 1 - int(np.argmin(np.append(passes[begin::-1], False))) for begin in begins]
    found = [cut for begin, cut in zip(begins, reached, strict=True) if cut <= begin]
    if not found:
        return None, int(rates.pairs[0])
    return float(rates.labels[min(found)]), int(rates.pairs[min(found)])


def _begins(rates: NestedRates, target: float) -> list[int]:
    """The cuts that are tested first, from the numbers of pairs alone, each once."""
    with_many_pairs = int(np.flatnonzero(rates.pairs >= _BEGIN_SHARE * rates.pairs[0])[-1])
    return sorted({_strictest_tested(rates, target), with_many_pairs})


def _strictest_tested(rates: NestedRates, target: float) -> int:
    """The cut that is tested first, from the numbers of pairs alone: the strictest that leaves enough of them."""
    # Enough: 20 / target independent pairs pass in most draws at half of the target, where a fifth of these would need
    # a row without one error and end the search by bad luck. Of few pairs half, lest the good labels be never tested
    # alone, but not less than the 4 / target that pass without an error. A look at the errors for this, or for the
    # effect, would be a test too many; so pairs count as if their errors were correlated as assumed.
    independent = rates.pairs / (1 + ASSUMED_CORRELATION * (rates.company - 1))
    enough = min(20 / target, max(4 / target, independent[0] / 2))
    return int(np.max(np.flatnonzero(independent >= enough), initial=0))
