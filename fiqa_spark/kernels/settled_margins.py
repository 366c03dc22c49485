"""Margins that settle together: mates vote with the square of what they are worth themselves.

So neither a spoiled image nor one under a wrong identity has much of a say. Four times all images of a group get their
values at once from those of the last time. Of a large group the first images settle, and the others come once.
"""

from typing import NamedTuple

import numpy as np

from fiqa_spark.kernels.margin import mate_weights
from fiqa_spark.kernels.mates import (
    MatedSums,
    groups_of_one_size,
    mated_sums,
    of_groups,
    similarities_of_pairs,
    weights_of_others,
)

_TIMES = 4


class SettledMates(NamedTuple):
    """What the first images of a large group tell its other images."""

    margins: np.ndarray
    """Margins of these images among themselves, float64, shape (c,)."""
    weights_of_others: np.ndarray
    """Summed weights of the mates of each by these margins, float64, shape (c,)."""
    weighted_sum: np.ndarray
    """Sum of their embeddings, each times the weight that the margins come from, float32, shape (dimension,)."""
    weight: float
    """Sum of these weights."""
    last_weight: float
    """Sum of the weights by the margins."""


def initial_margins(embeddings: np.ndarray, sizes: np.ndarray, strangers: np.ndarray) -> np.ndarray:
    """Margins in which all mates count alike: mean similarity with the mates, less that with strangers.

    Parameters
    ----------
    embeddings, strangers
        As for `settled_margins`.
    sizes : ndarray of int, shape (g,)
        Number of images of each group, at least 2.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher is better.
    """
    margins = np.empty(len(embeddings))
    for rows in groups_of_one_size(sizes, embeddings.shape[1]):
        margins[rows] = _initial(mated_sums(of_groups(embeddings, rows)), strangers[rows])
    return margins


def settled_margins(
    embeddings: np.ndarray,
    sizes: np.ndarray,
    strangers: np.ndarray,
    priors: np.ndarray,
    *,
    lo: float,
    hi: float,
    kappa: float,
    max_mates: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Margins of the images of whole groups; with no weight for the prior, those that the prior is fitted to.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings, group by group, and in each in hash order.
    sizes : ndarray of int, shape (g,)
        Number of images of each group, an identity or a half of one, at least 1 and n in all.
    strangers : ndarray of float64, shape (n,)
        From `stranger_similarities`.
    priors : ndarray of float, shape (n,)
        What the image's own feature tells; the margin of an image without mates.
    lo, hi : float
        As for `mate_weights`.
    kappa : float
        Weight of the prior beside those of the mates, at least 0.
    max_mates : int
        Images of a group that may be mates, its first ones, at least 1.

    Returns
    -------
    margins : ndarray of float64, shape (n,)
        ``q_i``, higher is better.
    weights : ndarray of float64, shape (n,)
        Summed weights of the mates by these margins; 0 without mates.
    """
    margins, weights = np.empty(len(embeddings)), np.empty(len(embeddings))
    options = {"lo": lo, "hi": hi, "kappa": kappa}
    for rows in groups_of_one_size(sizes, embeddings.shape[1]):
        if rows.shape[1] <= max_mates:
            sums = mated_sums(of_groups(embeddings, rows))
            margins[rows], _ = _settled(sums, strangers[rows], priors[rows], **options)
            weights[rows] = weights_of_others(mate_weights(margins[rows], lo=lo, hi=hi))
            continue
        ranks = np.minimum(np.arange(rows.shape[1]), max_mates)
        for one in (slice(first, last + 1) for first, last in rows[:, [0, -1]].tolist()):
            group, u, prior = embeddings[one], strangers[one], priors[one]
            mates = settled_mates(group[:max_mates], u[:max_mates], prior[:max_mates], **options)
            margins[one], weights[one] = margins_of_some(group, ranks, u, prior, mates, kappa=kappa)
    return margins, weights


def settled_mates(
    embeddings: np.ndarray, strangers: np.ndarray, priors: np.ndarray, *, lo: float, hi: float, kappa: float
) -> SettledMates:
    """Let the first images of a large group settle their margins among themselves.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (c, dimension)
        Unit embeddings of the first images of the group in hash order, c >= 1.
    strangers, priors : ndarray of float64, shape (c,)
        As for `settled_margins`.
    lo, hi, kappa : float
        As for `settled_margins`.
    """
    sums = mated_sums(embeddings[None])
    (margins,), (weights,) = _settled(sums, strangers[None], priors[None], lo=lo, hi=hi, kappa=kappa)
    last_weights = mate_weights(margins, lo=lo, hi=hi)
    return SettledMates(
        margins,
        weights_of_others(last_weights[None])[0],
        weights.astype(np.float32) @ embeddings,
        float(weights.sum()),
        float(last_weights.sum()),
    )


def margins_of_some(
    embeddings: np.ndarray,
    ranks: np.ndarray,
    strangers: np.ndarray,
    priors: np.ndarray,
    mates: SettledMates,
    *,
    kappa: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Margins of some images of a large group, wherever the others are.

    An image that is no mate is computed once, from the same weights that the margins of the mates come from at last. So
    a mate would get its own margin again, were its part left out of the sums.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings of images of the group, in any order.
    ranks : ndarray of int, shape (n,)
        Position of each image among the c mates; `c` for one that is not among them.
    strangers, priors : ndarray of float64, shape (n,)
        As for `settled_margins`.
    mates : SettledMates
        From `settled_mates`.
    kappa : float
        As for `settled_mates`.

    Returns
    -------
    margins, weights : ndarray of float64, shape (n,)
        As those of `settled_margins`.
    """
    are_mates = ranks < len(mates.margins)
    margins = embeddings @ mates.weighted_sum - mates.weight * strangers + kappa * priors
    margins /= mates.weight + kappa
    weights = np.full(len(embeddings), mates.last_weight)
    margins[are_mates] = mates.margins[ranks[are_mates]]
    weights[are_mates] = mates.weights_of_others[ranks[are_mates]]
    return margins, weights


def residual_sums(
    embeddings: np.ndarray,
    sizes: np.ndarray,
    strangers: np.ndarray,
    margins: np.ndarray,
    *,
    lo: float,
    hi: float,
    fewest_images: int,
) -> tuple[float, float]:
    """How far similarities with mates lie from what the margins say, to be pooled over all groups.

    Parameters
    ----------
    embeddings, sizes, strangers, lo, hi
        As for `settled_margins`; all pairs of a group are in memory at once.
    margins : ndarray of float64, shape (n,)
        From `settled_margins`.
    fewest_images : int
        Smaller groups do not count.

    Returns
    -------
    squares, weights : float
        Sums over every image i and its mates j of ``w(q_j) (s_ij - u_i - q_i)^2`` and of ``w(q_j)``.
    """
    squares = weights_in_all = 0.0
    for rows in groups_of_one_size(sizes, embeddings.shape[1]):
        if rows.shape[1] < fewest_images:
            continue
        residuals = similarities_of_pairs(of_groups(embeddings, rows))
        residuals -= (strangers[rows] + margins[rows]).astype(np.float32)[:, :, None]
        each = np.arange(rows.shape[1])
        residuals[:, each, each] = 0
        weights = mate_weights(margins[rows], lo=lo, hi=hi)
        squares += float((np.einsum("gij,gij->gj", residuals, residuals) * weights).sum())
        weights_in_all += float(weights_of_others(weights).sum())
    return squares, weights_in_all


def _settled(
    mated_sums: MatedSums, strangers: np.ndarray, priors: np.ndarray, *, lo: float, hi: float, kappa: float
) -> tuple[np.ndarray, np.ndarray]:
    """Margins of groups of one size, and the weights of the mates that they come from; all of shape (g, s)."""
    if strangers.shape[1] == 1:
        return priors, mate_weights(priors, lo=lo, hi=hi)
    margins, weighted_priors = _initial(mated_sums, strangers), kappa * priors
    for _ in range(_TIMES):
        weights = mate_weights(margins, lo=lo, hi=hi)
        of_others = weights_of_others(weights)
        margins = (mated_sums(weights) - of_others * strangers + weighted_priors) / (of_others + kappa)
    return margins, weights


def _initial(mated_sums: MatedSums, strangers: np.ndarray) -> np.ndarray:
    """Margins of groups of one size of at least 2, shape (g, s), in which all mates count alike."""
    return mated_sums(np.ones(strangers.shape)) / (strangers.shape[1] - 1) - strangers
