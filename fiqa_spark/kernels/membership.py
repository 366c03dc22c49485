"""Whether an image shows its identity's person: images of one person are alike as their quality lets one expect.

Two images are compared with two expectations: how alike images of one person are whose own features promise so much,
and how alike strangers are. Mates that belong themselves have a say, so that memberships settle together.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fiqa_spark.kernels.mates import groups_of_one_size, of_groups

_TIMES = 10
_MOST_EVIDENCE = 6
# Mates that count as one each; more of them share a say of so many, since they are not independent.
_INDEPENDENT_MATES = 4
# Rows of a group's pairs that are computed at once, in values.
_VALUES_AT_ONCE = 1 << 18


class PairModel(NamedTuple):
    """How alike two images are, of one person and of two."""

    coefficients: np.ndarray
    """Of ``(1, a, b, ab, a^2, b^2)`` with the lower prior a and the higher b, float64, shape (6,)."""
    mated_std: float
    """Standard deviation of the similarity of one person's images about what is expected."""
    non_mated_mean: float
    """Mean similarity of two people's images."""
    non_mated_std: float
    """Their standard deviation."""
    priors: tuple[float, float]
    """Lowest and highest prior that the coefficients were learned from; beyond, nothing is known but the nearest."""


def pair_terms(priors: np.ndarray, mates_priors: np.ndarray) -> np.ndarray:
    """Terms of pairs of images by which their similarity is expected, float64, shape (..., 6)."""
    a, b = np.minimum(priors, mates_priors), np.maximum(priors, mates_priors)
    return np.stack([np.ones_like(a), a, b, a * b, a * a, b * b], axis=-1)


def log_ratios(similarities: np.ndarray, priors: np.ndarray, mates_priors: np.ndarray, model: PairModel) -> np.ndarray:
    """Evidence of pairs: the logarithm of how much likelier their similarity is for one person than for two.

    Parameters
    ----------
    similarities : ndarray of float32, shape (..., n, m)
    priors : ndarray of float32, shape (..., n, 1)
        What the own feature of each image tells of its margin.
    mates_priors : ndarray of float32, shape (..., 1, m)
    model : PairModel

    Returns
    -------
    ndarray of float32, shape (..., n, m)
        From -6 to 6; higher speaks for one person.
    """
    c = model.coefficients.astype(np.float32)
    priors, mates_priors = (np.clip(each, *map(np.float32, model.priors)) for each in (priors, mates_priors))
    a, b = np.minimum(priors, mates_priors), np.maximum(priors, mates_priors)
    expected = (c[1] + c[3] * b + c[4] * a) * a
    expected += (c[2] + c[5] * b) * b + c[0]
    np.maximum(expected, 0, out=expected)
    expected -= similarities
    expected *= expected
    expected *= np.float32(-0.5 / model.mated_std**2)
    apart = similarities - np.float32(model.non_mated_mean)
    apart *= apart
    apart *= np.float32(0.5 / model.non_mated_std**2)
    expected += apart
    expected += np.float32(np.log(model.non_mated_std / model.mated_std))
    return np.clip(expected, -_MOST_EVIDENCE, _MOST_EVIDENCE, out=expected)


class SettledMembers(NamedTuple):
    """What the first images of a large group tell its other images."""

    embeddings: np.ndarray
    """Unit embeddings of these images, float32, shape (c, dimension)."""
    priors: np.ndarray
    """Their priors, shape (c,)."""
    memberships: np.ndarray
    """Their memberships, float64, shape (c,)."""
    history: np.ndarray
    """Their memberships before each of the times that they settled, float64, shape (times, c)."""


def memberships(
    embeddings: np.ndarray, sizes: np.ndarray, priors: np.ndarray, model: PairModel, *, expected: float, max_mates: int
) -> np.ndarray:
    """Probability that each image shows the person of its group.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings, group by group, and in each in hash order.
    sizes : ndarray of int, shape (g,)
        Number of images of each group, at least 1 and n in all.
    priors : ndarray of float64, shape (n,)
        What each image's own feature tells of its margin.
    model : PairModel
    expected : float
        Membership of an image of which nothing is known, in (0, 1).
    max_mates : int
        Images of a group that may be mates, its first ones, at least 2.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher is better; NaN for an image alone in its group.
    """
    found = np.full(len(embeddings), np.nan)
    for rows in groups_of_one_size(sizes, embeddings.shape[1]):
        if rows.shape[1] == 1:
            continue
        if rows.shape[1] <= max_mates:
            ratios = _ratios_in_groups(of_groups(embeddings, rows), priors[rows], model)
            found[rows] = _settled(ratios, expected)[-1]
            continue
        ranks = np.minimum(np.arange(rows.shape[1]), max_mates)
        for one in (slice(first, last + 1) for first, last in rows[:, [0, -1]].tolist()):
            first = slice(one.start, one.start + max_mates)
            mates = settled_members(embeddings[first], priors[first], model, expected=expected)
            found[one] = memberships_of_some(embeddings[one], ranks, priors[one], mates, model, expected=expected)
    return found


def settled_members(embeddings: np.ndarray, priors: np.ndarray, model: PairModel, *, expected: float) -> SettledMembers:
    """Let the first images of a large group settle their memberships among themselves.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (c, dimension)
        Unit embeddings of the first images of the group in hash order, c >= 1.
    priors : ndarray of float64, shape (c,)
    model, expected
        As for `memberships`.
    """
    (ratios,) = _ratios_in_groups(embeddings[None], priors[None], model)
    steps = _settled(ratios[None], expected)[:, 0]
    return SettledMembers(embeddings, priors, steps[-1], steps[:-1])


def memberships_of_some(
    embeddings: np.ndarray,
    ranks: np.ndarray,
    priors: np.ndarray,
    mates: SettledMembers,
    model: PairModel,
    *,
    expected: float,
) -> np.ndarray:
    """Memberships of some images of a large group, wherever the others are.

    An image that is no mate settles with the mates, but has no say itself.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings of images of the group, in any order.
    ranks : ndarray of int, shape (n,)
        Position of each image among the c mates; `c` for one that is not among them.
    priors : ndarray of float64, shape (n,)
    mates : SettledMembers
        From `settled_members`.
    model, expected
        As for `memberships`.

    Returns
    -------
    ndarray of float64, shape (n,)
        As of `memberships`; NaN where there is no mate.
    """
    found = np.full(len(embeddings), expected)
    are_mates = ranks < len(mates.memberships)
    others = np.flatnonzero(~are_mates)
    at_once = max(1, _VALUES_AT_ONCE // len(mates.priors))
    for rows in (others[first : first + at_once] for first in range(0, len(others), at_once)):
        similarities = embeddings[rows] @ mates.embeddings.T
        ratios = log_ratios(
            similarities, priors[rows, None].astype(np.float32), mates.priors[None].astype(np.float32), model
        )
        for before in mates.history:
            says = ratios @ before.astype(np.float32)
            found[rows] = _moved(found[rows], says, before.sum(), expected)
    found[are_mates] = mates.memberships[ranks[are_mates]] if len(mates.memberships) > 1 else np.nan
    return found


def ratios_of_groups(
    embeddings: np.ndarray, sizes: np.ndarray, priors: np.ndarray, model: PairModel
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of groups of one size, shape (g, s), and the evidence of their pairs, shape (g, s, s)."""
    for rows in groups_of_one_size(sizes, embeddings.shape[1]):
        if rows.shape[1] > 1:
            yield rows, _ratios_in_groups(of_groups(embeddings, rows), priors[rows], model)


def _ratios_in_groups(embeddings: np.ndarray, priors: np.ndarray, model: PairModel) -> np.ndarray:
    """Evidence of all pairs of images of a group, 0 for an image with itself; float32, shape (g, s, s)."""
    groups, size, _ = embeddings.shape
    ratios, priors = np.empty((groups, size, size), np.float32), priors.astype(np.float32)
    at_once = max(1, _VALUES_AT_ONCE // (groups * size))
    for rows in (slice(first, first + at_once) for first in range(0, size, at_once)):
        similarities = embeddings[:, rows] @ embeddings.transpose(0, 2, 1)
        ratios[:, rows] = log_ratios(similarities, priors[:, rows, None], priors[:, None], model)
    each = np.arange(size)
    ratios[:, each, each] = 0
    return ratios


def _settled(ratios: np.ndarray, expected: float) -> np.ndarray:
    """Memberships of groups of one size before every step and after the last, float64, shape (times + 1, g, s)."""
    steps = [np.full(ratios.shape[:2], expected)]
    for _ in range(_TIMES):
        before = steps[-1]
        says = (ratios @ before.astype(np.float32)[:, :, None])[:, :, 0]
        steps.append(_moved(before, says, before.sum(axis=1, keepdims=True) - before, expected))
    return np.stack(steps)


def _moved(before: np.ndarray, says: np.ndarray, mates: np.ndarray, expected: float) -> np.ndarray:
    """Memberships half way to what mates, so many by their memberships, say: else wrong pairs swing for ever."""
    shares = _INDEPENDENT_MATES / np.maximum(mates, _INDEPENDENT_MATES)
    logits = np.log(expected / (1 - expected)) + shares * says
    return (before + 1 / (1 + np.exp(-logits))) / 2
