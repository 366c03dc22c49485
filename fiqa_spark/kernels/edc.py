"""Error-versus-discard characteristic (EDC): how errors of comparisons fall as the pairs of lowest quality leave.

The comparisons are mated pairs where the error is FNMR, non-mated pairs where it is FMR. The quality of a pair is the
lower one of its two images'; pairs of equal quality are left out together.
"""

from collections.abc import Iterator, Sequence

import numpy as np

STEPS = 20
"""Discards at which the recomputed convention looks: every 5 %."""


def pair_similarities(embeddings_a: np.ndarray, embeddings_b: np.ndarray) -> np.ndarray:
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


def starting_threshold(similarities: np.ndarray, starting_error: float, *, error: str) -> float:
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


def are_errors(similarities: np.ndarray, threshold: float, *, error: str) -> np.ndarray:
    """Which comparisons err: mated pairs below the threshold, non-mated pairs at or above it.

    Parameters
    ----------
    similarities : ndarray of float64, shape (n,)
    threshold : float
        Similarity from which a pair counts as mated.
    error : {'fnmr', 'fmr'}

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    return similarities < threshold if error == "fnmr" else similarities >= threshold


def quality_levels(qualities: np.ndarray) -> np.ndarray:
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


def coarser_levels(levels: np.ndarray, at_most: int) -> np.ndarray:
    """Neighbouring levels put together to hold about equally many pairs; as they are where there are not more.

    Parameters
    ----------
    levels : ndarray of intp, shape (n,)
        From `quality_levels`.
    at_most : int
        Number of levels.

    Returns
    -------
    ndarray of intp, shape (n,)
        From 0 to `at_most` - 1, perhaps with gaps.
    """
    ends = np.cumsum(np.bincount(levels))
    return levels if len(ends) <= at_most else ((ends - 1) * at_most // ends[-1])[levels]


def error_versus_discard(
    levels: np.ndarray, errors: Sequence[np.ndarray], weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Error among the pairs that are left, after each level of quality has gone.

    Parameters
    ----------
    levels : ndarray of intp, shape (n,)
        From `quality_levels`.
    errors : sequence of ndarray
        For each operating point the pairs that err: whether each does, from `are_errors`, or the places of those that
        do, which is quicker.
    weights : ndarray of int or of float64 that holds whole numbers, shape (n,), optional
        How often each pair counts; default: once.

    Returns
    -------
    discards : ndarray of float64, shape (number of levels + 1,)
        Fraction of the pairs that have gone, ascending from 0 to 1.
    error_rates : ndarray of float64, shape (operating points, number of levels + 1)
        Errors left over pairs left; the point (1, 0) closes each curve.
    """
    count = int(levels.max()) + 1
    # Sums of whole numbers, so that the order of the pairs changes not a bit.
    left = _from_each_on(np.bincount(levels, weights, count))
    error_rates = np.zeros((len(errors), count + 1))
    for rates, wrong in zip(error_rates, errors, strict=True):
        errors_left = _from_each_on(np.bincount(levels[wrong], None if weights is None else weights[wrong], count))
        np.divide(errors_left, left, out=rates[:-1], where=left > 0)
    return np.append((left[0] - left) / left[0], 1.0), error_rates


def _from_each_on(values: np.ndarray) -> np.ndarray:
    """Sum of each value and all after it."""
    return np.cumsum(values[::-1])[::-1]


def recomputed_error_versus_discard(
    levels: np.ndarray,
    similarities: np.ndarray,
    mated: np.ndarray,
    fmrs: Sequence[float],
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """FNMR at fixed FMRs, the thresholds taken anew from the pairs that are left at every 5 % of discards.

    SDD-FIQA (arXiv 2103.05977), MagFace (arXiv 2103.06627) and CR-FIQA (arXiv 2112.06592) show such curves. Mated and
    non-mated pairs are discarded together, by whole levels and no more than the step allows.

    Parameters
    ----------
    levels : ndarray of intp, shape (n,)
        From `quality_levels`, of all pairs.
    similarities : ndarray of float64, shape (n,)
    mated : ndarray of bool, shape (n,)
    fmrs : sequence of float
        For each operating point the share of the non-mated pairs left that are at or above the threshold.
    weights : ndarray of int or of float64 that holds whole numbers, shape (n,), optional
        How often each pair counts; default: once.

    Returns
    -------
    discards : ndarray of float64, shape (points,)
    error_rates : ndarray of float64, shape (operating points, points)
        As from `error_versus_discard`, at most `STEPS` + 1 points. Steps that leave no mated or no non-mated pair are
        not taken.
    """
    weights = np.ones(len(levels), np.int64) if weights is None else weights
    order = np.argsort(similarities[~mated], kind="stable")
    impostors, impostor_levels, impostor_weights = (values[~mated][order] for values in (similarities, levels, weights))
    mates, mate_levels, mate_weights = (values[mated] for values in (similarities, levels, weights))
    discards, error_rates = [], []
    for discard, first_level in _steps(levels, weights):
        impostors_left = impostor_weights * (impostor_levels >= first_level)
        mates_left = mate_weights * (mate_levels >= first_level)
        if not impostors_left.any() or not mates_left.any():
            break
        thresholds = _weighted_quantiles(impostors, impostors_left, [1 - fmr for fmr in fmrs])
        discards.append(discard)
        error_rates.append([mates_left[mates < threshold].sum() / mates_left.sum() for threshold in thresholds])
    error_rates.append([0.0] * len(fmrs))
    return np.array([*discards, 1.0]), np.ascontiguousarray(np.transpose(error_rates))


def _steps(levels: np.ndarray, weights: np.ndarray) -> Iterator[tuple[float, int]]:
    """Fraction discarded and lowest level left of each step that discards more than the one before."""
    ends = np.cumsum(np.bincount(levels, weights)).astype(np.int64)
    before = -1.0
    for step in range(STEPS):
        first_level = int(np.searchsorted(ends, step * ends[-1] // STEPS, side="right"))
        discard = ends[first_level - 1] / ends[-1] if first_level else 0.0
        if discard > before:
            yield discard, first_level
        before = discard


def _weighted_quantiles(ascending: np.ndarray, weights: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Quantiles of values of which each occurs as often as its weight says, as `numpy.quantile` gives them."""
    ends = np.cumsum(weights)
    quantiles = []
    for share in shares:
        place = share * (ends[-1] - 1)
        low = int(np.floor(place))
        below, above = ascending[np.searchsorted(ends, (low, min(low + 1, ends[-1] - 1)), side="right")]
        quantiles.append(below + (above - below) * (place - low))
    return quantiles


def partial_auc(discards: np.ndarray, error_rates: np.ndarray, limit: float) -> float:
    """Area under the step curve, each error holding until the next discard: pAUC, lower is better.

    Parameters
    ----------
    discards, error_rates : ndarray of float64, shape (points,)
        A curve from `error_versus_discard`.
    limit : float
        Discard up to which the area counts, in (0, 1].
    """
    return float(np.diff(np.minimum(discards, limit)) @ error_rates[:-1])


def best_partial_auc(starting_error: float, limit: float) -> float:
    """Area if every discard took an error away, ``E0 - x``: the theoretical best of `partial_auc`.

    Parameters
    ----------
    starting_error : float
        Error before any discard, as counted.
    limit : float
        Discard up to which the area counts, in (0, 1].
    """
    return (starting_error**2 - max(starting_error - limit, 0.0) ** 2) / 2


def resampled_weights(identities_a: np.ndarray, identities_b: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """How often each pair occurs where each identity occurs so often: the weights of a bootstrap over identities.

    Parameters
    ----------
    identities_a, identities_b : ndarray of int, shape (n,)
        Number of the identity of either image.
    counts : ndarray of int, shape (identities,)
        How often each identity was drawn.

    Returns
    -------
    ndarray of int, shape (n,)
        The count of the identity; of two identities the product, as each copy of one meets each copy of the other.
    """
    own = counts[identities_a]
    return np.where(identities_a == identities_b, own, own * counts[identities_b])
