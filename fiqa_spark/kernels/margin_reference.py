"""Everything that margins take from a sample of the data, so that other images can be measured by it later."""

from typing import NamedTuple

import numpy as np

from fiqa_spark.kernels.prior import Prior, fitted_prior, prior_margins
from fiqa_spark.kernels.settled_margins import initial_margins, residual_sums, settled_margins

_MOST_MATES_THAT_COUNT = 10
_FEWEST_IMAGES_FOR_SIGMA = 4


class MarginReference(NamedTuple):
    """What is learned from a sample."""

    lo: float
    """Margin of label 0: the 1st percentile where all mates count alike."""
    hi: float
    """Margin of label 100: the 99th percentile."""
    prior: Prior
    """What an image's own feature tells."""
    sigma: float
    """Standard deviation of the similarity with a mate of weight 1."""


def learned_reference(
    embeddings: np.ndarray,
    sizes: np.ndarray,
    strangers: np.ndarray,
    norms: np.ndarray,
    folds: np.ndarray,
    *,
    kappa: float,
) -> MarginReference:
    """Learn from a sample of whole groups of mates.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings, group by group.
    sizes : ndarray of int, shape (g,)
        Number of images of each group, at least 2 and n in all; all pairs of a group are in memory at once.
    strangers, norms : ndarray of float, shape (n,)
        As for `settled_margins` and `fitted_prior`.
    folds : ndarray of int, shape (n,)
        As for `fitted_prior`.
    kappa : float
        Weight of the prior beside those of the mates.

    Returns
    -------
    MarginReference
        Without a group of four or more, `sigma` is the prior's `tau`: smaller ones fit their mates too closely to tell.

    Raises
    ------
    ValueError
        If the margins have no spread, or the images are of one fold.
    """
    mates = np.repeat(sizes, sizes) - 1
    groups = (embeddings, sizes, strangers)
    lo, hi = np.percentile(initial_margins(*groups), (1, 99)).tolist()
    if not lo < hi:
        raise ValueError(f"{len(embeddings)} margins have no spread: 1st and 99th percentile are {lo} and {hi}")
    bounds = {"lo": lo, "hi": hi}
    options = {**bounds, "max_mates": len(embeddings)}
    targets, _ = settled_margins(*groups, np.zeros(len(embeddings)), kappa=0, **options)
    prior = fitted_prior(embeddings, norms, targets, np.minimum(mates, _MOST_MATES_THAT_COUNT), folds)
    priors = prior_margins(embeddings, norms, folds, prior)
    margins, _ = settled_margins(*groups, priors, kappa=kappa, **options)
    squares, weights = residual_sums(*groups, margins, fewest_images=_FEWEST_IMAGES_FOR_SIGMA, **bounds)
    return MarginReference(lo, hi, prior, (squares / weights) ** 0.5 if weights else prior.tau)
