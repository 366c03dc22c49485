"""Error-versus-discard characteristic (EDC): how errors of comparisons fall as the pairs of lowest quality leave.

The comparisons are mated pairs where the error is FNMR, non-mated pairs where it is FMR. The quality of a pair is the
lower one of its two images'; pairs of equal quality are left out together.
"""

import numpy as np

STEPS = 20
"""Discards at which the recomputed convention looks: every 5 %."""


def pair_similarities(embeddings_a, embeddings_b):
    """Similarity of each pair, its own two rows alone deciding it, to the last bit.

    Parameters
    ----------
    embeddings_a, embeddings_b : ndarray of float32, shape (n, dimension)
        Unit embeddings; row i of both is pair i.

    Returns
    -------
    ndarray of float64, shape (n,)
        Cosine similarities, in [-1, 1] but for rounding.
    """
    # A matrix product would sum up in an order that depends on the number of rows.
    return np.einsum("ij,ij->i", embeddings_a, embeddings_b, dtype=np.float64)


def starting_threshold(similarities, starting_error, *, error):
    """Comparison threshold at which an error begins, before anything is discarded.

    Parameters
    ----------
    similarities : ndarray of float64, shape (n,)
        Of mated pairs for FNMR, of non-mated pairs for FMR.
    starting_error : float
        In (0, 1).
    error : {'fnmr', 'fmr'}

    Returns
    -------
    float
        The quantile, between two similarities where it falls there.
    """
    return float(np.quantile(similarities, starting_error if error == "fnmr" else 1 - starting_error))


def are_errors(similarities, threshold, *, error):
    """Which comparisons err: mated pairs below the threshold, non-mated pairs at or above it.

    Parameters
    ----------
    similarities : ndarray of float64, shape (n,)
    threshold : float
    error : {'fnmr', 'fmr'}

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    return similarities < threshold if error == "fnmr" else similarities >= threshold


def quality_levels(qualities):
    """Place of each pair's quality among the distinct qualities, ascending: pairs of a level are discarded together.

    Parameters
    ----------
    qualities : ndarray of float64, shape (n,)
        Higher is better; only their order counts.

    Returns
    -------
    ndarray of intp, shape (n,)
        From 0, without gaps.
    """
    return np.unique(qualities, return_inverse=True)[1].reshape(-1)


def coarser_levels(levels, at_most):
    """Neighbouring levels put together to hold about equally many pairs; as they are where there are not more.

    Parameters
    ----------
    levels : ndarray of intp, shape (n,)
        From `quality_levels`.
    at_most : int

    Returns
    -------
    ndarray of intp, shape (n,)
        From 0 to `at_most` - 1, perhaps with gaps.
    """
    ends = np.cumsum(np.bincount(levels))
    return levels if len(ends) <= at_most else ((ends - 1) * at_most // ends[-1])[levels]


def error_versus_discard(levels, errors, weights=None):
    """Error among the pairs that are left, after each level of quality has gone.

    Parameters
    ----------
    levels : ndarray of intp, shape (n,)
        From `quality_levels`.
    errors : ndarray of bool, shape (n,)
        From `are_errors`.
    weights : ndarray of int, shape (n,), optional
        How often each pair counts; default: once.

    Returns
    -------
    discards : ndarray of float64, shape (number of levels + 1,)
        Fraction of the pairs that have gone, ascending from 0 to 1.
    error_rates : ndarray of float64, shape (number of levels + 1,)
        Errors left over pairs left; the point (1, 0) closes the curve.
    """
    count = int(levels.max()) + 1
    wrong = np.bincount(levels[errors], None if weights is None else weights[errors], count)
    return curve_of_levels(np.bincount(levels, weights, count), wrong)


def curve_of_levels(pairs, errors):
    """Error among the pairs that are left, out of the sums of each level.

    Parameters
    ----------
    pairs, errors : ndarray of int or float64 that holds whole numbers, shape (levels,)
        Number of pairs of each level of quality, ascending, and how many of them are errors.

    Returns
    -------
    discards, error_rates : ndarray of float64, shape (levels + 1,)
        As from `error_versus_discard`.
    """
    # Sums of whole numbers, so that the order of the pairs changes not a bit.
    left, wrong = _from_each_on(pairs), _from_each_on(errors)
    rates = np.divide(wrong, left, out=np.zeros(len(left)), where=left > 0)
    return np.append((left[0] - left) / left[0], 1.0), np.append(rates, 0.0)


def _from_each_on(values):
    """Sum of each value and all after it."""
    return np.cumsum(values[::-1])[::-1]


def recomputed_error_versus_discard(levels, similarities, mated, fmr, weights=None):
    """FNMR at a fixed FMR, the threshold taken anew from the pairs that are left at every 5 % of discards.

    SDD-FIQA (arXiv 2103.05977), MagFace (arXiv 2103.06627) and CR-FIQA (arXiv 2112.06592) show such curves. Mated and
    non-mated pairs are discarded together, by whole levels and no more than the step allows.

    Parameters
    ----------
    levels : ndarray of intp, shape (n,)
        From `quality_levels`, of all pairs.
    similarities : ndarray of float64, shape (n,)
    mated : ndarray of bool, shape (n,)
    fmr : float
        Share of the non-mated pairs left that are at or above the threshold.
    weights : ndarray of int, shape (n,), optional
        How often each pair counts; default: once.

    Returns
    -------
    discards, error_rates : ndarray of float64, shape (points,)
        As from `error_versus_discard`, at most `STEPS` + 1 points. Steps that leave no mated or no non-mated pair are
        not taken.
    """
    weights = np.ones(len(levels), np.int64) if weights is None else weights
    ends = np.cumsum(np.bincount(levels, weights)).astype(np.int64)
    order = np.argsort(similarities[~mated], kind="stable")
    strangers, stranger_levels = similarities[~mated][order], levels[~mated][order]
    stranger_weights, mates, mate_levels = weights[~mated][order], similarities[mated], levels[mated]
    discards, rates = [], []
    for step in range(STEPS):
        gone = int(np.searchsorted(ends, step * ends[-1] // STEPS, side="right"))
        discarded = ends[gone - 1] / ends[-1] if gone else 0.0
        left, mates_left = stranger_weights * (stranger_levels >= gone), weights[mated] * (mate_levels >= gone)
        if not left.any() or not mates_left.any():
            break
        if discards and discarded == discards[-1]:
            continue
        threshold = _weighted_quantile(strangers, left, 1 - fmr)
        discards.append(discarded)
        rates.append(mates_left[mates < threshold].sum() / mates_left.sum())
    return np.array([*discards, 1.0]), np.array([*rates, 0.0])


def _weighted_quantile(ascending, weights, share):
    """Quantile of values of which each occurs as often as its weight says, as `numpy.quantile` gives it."""
    ends = np.cumsum(weights)
    place = share * (ends[-1] - 1)
    low = int(np.floor(place))
    below, above = ascending[np.searchsorted(ends, (low, min(low + 1, ends[-1] - 1)), side="right")]
    return below + (above - below) * (place - low)


def partial_area(discards, error_rates, limit):
    """Area under the step curve, each error holding until the next discard: pAUC, lower is better.

    Parameters
    ----------
    discards, error_rates : ndarray of float64, shape (points,)
        From `error_versus_discard`.
    limit : float
        Discard up to which the area counts, in (0, 1].

    Returns
    -------
    float
    """
    return float(np.diff(np.minimum(discards, limit)) @ error_rates[:-1])


def best_area(starting_error, limit):
    """Area if every discard took an error away, ``E0 - x``: the theoretical best of `partial_area`.

    Parameters
    ----------
    starting_error : float
        Error before any discard, as counted.
    limit : float

    Returns
    -------
    float
    """
    return (starting_error**2 - max(starting_error - limit, 0.0) ** 2) / 2


def resampled_weights(owners_a, owners_b, counts):
    """How often each pair occurs where each identity occurs so often: the weights of a bootstrap over identities.

    Parameters
    ----------
    owners_a, owners_b : ndarray of int, shape (n,)
        Number of the identity of either image.
    counts : ndarray of int, shape (identities,)
        How often each identity was drawn.

    Returns
    -------
    ndarray of int, shape (n,)
        The count of the identity; of two identities the product, as each copy of one meets each copy of the other.
    """
    return np.where(owners_a == owners_b, counts[owners_a], counts[owners_a] * counts[owners_b])
