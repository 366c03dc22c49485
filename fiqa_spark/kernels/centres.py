"""Centres of identities: the direction that an identity's trusted images have in common, and chance between centres."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

# Images and centres whose products are counted one by one.
_OF_HISTOGRAMS = 2000


class Centres(NamedTuple):
    """Centres of groups; one row or element a group."""

    directions: np.ndarray
    """Unit vectors, float32, shape (g, dimension); 0 where no image counts."""
    evidence: np.ndarray
    """Summed weights of the images, float64, shape (g,)."""
    cohesion: np.ndarray
    """Weighted mean similarity of the images with the centre, in [0, 1], float64, shape (g,); NaN without images."""


def weighted_sums_of_groups(
    embeddings: np.ndarray, sizes: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of every group the weighted sum of its embeddings, and of the weights.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings, group by group.
    sizes : ndarray of int, shape (g,)
        Number of images of each group, at least 1 and n in all.
    weights : ndarray of float64, shape (n,)

    Returns
    -------
    sums : ndarray of float32, shape (g, dimension)
    evidence : ndarray of float64, shape (g,)
    """
    ends, of_float32 = np.cumsum(sizes), weights.astype(np.float32)
    sums = np.empty((len(sizes), embeddings.shape[1]), np.float32)
    # A product a group: `np.add.reduceat` would go through the embeddings column by column.
    for number, (first, end) in enumerate(zip((ends - sizes).tolist(), ends.tolist(), strict=True)):
        sums[number] = of_float32[first:end] @ embeddings[first:end]
    return sums, np.add.reduceat(weights, ends - sizes)


def centres_of(sums: np.ndarray, evidence: np.ndarray) -> Centres:
    """Centres of such sums of weighted embeddings, shape (g, dimension), and weights, shape (g,)."""
    lengths = np.linalg.norm(sums.astype(np.float64), axis=1)
    directions = (sums / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Centres(directions, evidence, np.minimum(lengths / evidence, 1))


class Chance(NamedTuple):
    """Similarities that come about by chance."""

    mean: float
    std: float
    """Standard deviation, at least that of directions without relation."""

    def threshold(self, probability: float) -> float:
        """The similarity that a normal distribution exceeds with such a probability, in (0, 1)."""
        # From the lower end: 1 less a small number would lose its digits.
        return self.mean - NormalDist().inv_cdf(probability) * self.std


def chance_of_image(embeddings: np.ndarray, owners: np.ndarray, centres: np.ndarray, identities: np.ndarray) -> Chance:
    """Similarities of images with the centres of other identities.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    owners : ndarray of int64, shape (n,)
        Identity of each.
    centres : ndarray of float32, shape (g, dimension)
        Unit vectors.
    identities : ndarray of int64, shape (g,)
        Identity of each, all different.

    Raises
    ------
    ValueError
        If no image and no centre are of different identities.
    """
    return _chance(embeddings, centres, _with_own(embeddings, owners, centres, identities))


def chance_of_pair(centres: np.ndarray) -> Chance:
    """Similarities of the centres of different identities with each other, shape (g, dimension); errors as above."""
    return _chance(centres, centres, np.einsum("ij,ij->i", centres, centres).astype(np.float64))


def histograms(
    embeddings: np.ndarray, owners: np.ndarray, centres: np.ndarray, identities: np.ndarray, bins: int
) -> dict[str, np.ndarray]:
    """Histograms of similarities, of the first images and centres.

    Parameters
    ----------
    embeddings, owners, centres, identities
        As for `chance_of_image`.
    bins : int
        Number of bins of equal width over [-1, 1].

    Returns
    -------
    dict of str to ndarray of int64, shape (bins,)
        ``own``: of images with the centre of their identity; ``others``: with those of others; ``centres``: of the
        centres of two identities.
    """
    some, few, owners, identities = (each[:_OF_HISTOGRAMS] for each in (centres, embeddings, owners, identities))
    with_others = (few @ some.T)[owners[:, None] != identities]
    of_two = (some @ some.T)[np.triu_indices(len(some), 1)]
    found = {"own": _with_own(few, owners, some, identities), "others": with_others, "centres": of_two}
    return {name: np.histogram(np.clip(values, -1, 1), bins, (-1, 1))[0] for name, values in found.items()}


def _with_own(embeddings: np.ndarray, owners: np.ndarray, centres: np.ndarray, identities: np.ndarray) -> np.ndarray:
    """Similarities of images with the centre of their own identity, of those for which there is one."""
    order = np.argsort(identities)
    places = np.minimum(np.searchsorted(identities[order], owners), len(order) - 1)
    has_own = identities[order][places] == owners
    return np.einsum("ij,ij->i", embeddings[has_own], centres[order[places[has_own]]]).astype(np.float64)


def _chance(a: np.ndarray, b: np.ndarray, left_out: np.ndarray) -> Chance:
    """Of all rows of a with all of b, without some pairs of such similarities; from moments, not pair by pair."""
    count = len(a) * len(b) - len(left_out)
    if count < 1:
        raise ValueError("there are no centres of two identities")
    total = a.sum(axis=0, dtype=np.float64) @ b.sum(axis=0, dtype=np.float64) - left_out.sum()
    squares = float(((a.T @ a).astype(np.float64) * (b.T @ b)).sum() - np.square(left_out).sum())
    mean = float(total / count)
    # A few pairs, or copies, may differ less than directions without relation do.
    return Chance(mean, max(squares / count - mean**2, 1 / a.shape[1]) ** 0.5)
