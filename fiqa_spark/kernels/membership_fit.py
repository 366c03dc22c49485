"""How alike two images are, of one person and of two, learned from a sample in which some stand under a wrong name."""

from typing import NamedTuple

import numpy as np

from fiqa_spark.kernels.edc import pair_similarities
from fiqa_spark.kernels.membership import PairModel, memberships, pair_terms
from fiqa_spark.kernels.pair_draws import mated_matches

_MATED_PAIRS = 40
_ROUNDS_BY_SIMILARITY, _ROUNDS_BY_MEMBERSHIP = 6, 4
# A pair is thought to be of one person so many times as often as of two.
_ODDS = 9
_PERCENTILE = 80
_FIRST_EXPECTED, _LEAST_EXPECTED, _MOST_EXPECTED = 0.95, 0.5, 0.99
# Copies of images have no deviation, by which nothing could be divided.
_LEAST_STD = 0.01


class MembershipModel(NamedTuple):
    """What memberships are measured by."""

    pairs: PairModel
    expected: float
    """Membership of an image of which nothing is known, in [.5, .99]: about the share of right names."""


class _MatedPairs(NamedTuple):
    """Pairs of images of one identity."""

    similarities: np.ndarray
    """float64, shape (pairs,)."""
    terms: np.ndarray
    """From `pair_terms`, shape (pairs, 6)."""


def learned_memberships(
    embeddings: np.ndarray, sizes: np.ndarray, priors: np.ndarray, non_mated: tuple[np.ndarray, np.ndarray]
) -> tuple[MembershipModel, np.ndarray]:
    """Learn from a sample of whole groups of mates.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings, group by group, and in each in hash order.
    sizes : ndarray of int, shape (g,)
        Number of images of each group, at least 2 and n in all; all pairs of a group are in memory at once.
    priors : ndarray of float64, shape (n,)
        What each image's own feature tells of its margin.
    non_mated : tuple of ndarray of int, shape (pairs,)
        Numbers of two images of different groups, at least one pair.

    Returns
    -------
    model : MembershipModel
    memberships : ndarray of float64, shape (n,)
        Of the sample.

    Raises
    ------
    ValueError
        If images of one group are not alike at all.
    """
    first, second = mated_matches(np.asarray(sizes), _MATED_PAIRS)
    similarities = pair_similarities(embeddings[first], embeddings[second]).astype(np.float64)
    pairs = _MatedPairs(similarities, pair_terms(priors[first], priors[second]))
    of_two = pair_similarities(*(embeddings[side] for side in non_mated)).astype(np.float64)
    strangers = (float(of_two.mean()), max(float(of_two.std()), _LEAST_STD))
    known = _Known(strangers, (float(priors.min()), float(priors.max())))
    high = float(np.percentile(similarities, _PERCENTILE))
    if high <= 0:
        raise ValueError(
            f"images of one identity are not alike: of {len(first)} pairs the {_PERCENTILE}th percentile "
            f"of the similarity is {high:.3f}"
        )
    weights = np.clip(similarities / high, 0, 1)
    for _ in range(_ROUNDS_BY_SIMILARITY):
        model = _fitted(pairs, weights, known)
        weights = _responsibilities(pairs, model)
    groups = (embeddings, sizes, priors)
    found, expected = _settled(groups, model, _FIRST_EXPECTED)
    for _ in range(_ROUNDS_BY_MEMBERSHIP):
        model = _fitted(pairs, found[first] * found[second], known)
        found, expected = _settled(groups, model, expected)
    return MembershipModel(model, expected), found


class _Known(NamedTuple):
    """What is known before pairs of one person are."""

    strangers: tuple[float, float]
    """Mean and standard deviation of the similarity of two people's images."""
    priors: tuple[float, float]
    """Lowest and highest prior."""


def _fitted(pairs: _MatedPairs, weights: np.ndarray, known: _Known) -> PairModel:
    """The model with the least weighted squared error over the pairs."""
    root = np.sqrt(weights)
    coefficients, *_ = np.linalg.lstsq(pairs.terms * root[:, None], pairs.similarities * root, rcond=None)
    residuals = pairs.similarities - np.maximum(pairs.terms @ coefficients, 0)
    deviation = (weights @ residuals**2 / weights.sum()) ** 0.5
    return PairModel(coefficients, max(float(deviation), _LEAST_STD), *known.strangers, known.priors)


def _responsibilities(pairs: _MatedPairs, model: PairModel) -> np.ndarray:
    """Probability that each pair is of one person, as far as its own similarity tells."""
    from_expected = (pairs.similarities - np.maximum(pairs.terms @ model.coefficients, 0)) / model.mated_std
    from_strangers = (pairs.similarities - model.non_mated_mean) / model.non_mated_std
    log_odds = (from_strangers**2 - from_expected**2) / 2 + np.log(_ODDS * model.non_mated_std / model.mated_std)
    return 1 / (1 + np.exp(-np.clip(log_odds, -500, 500)))


def _settled(
    groups: tuple[np.ndarray, np.ndarray, np.ndarray], model: PairModel, expected: float
) -> tuple[np.ndarray, float]:
    """Memberships of the sample, and what is to be expected by them."""
    embeddings, sizes, priors = groups
    found = memberships(embeddings, sizes, priors, model, expected=expected, max_mates=len(embeddings))
    return found, float(np.clip(found.mean(), _LEAST_EXPECTED, _MOST_EXPECTED))
