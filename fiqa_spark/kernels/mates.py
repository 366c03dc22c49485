"""Similarities with weighted mates, for the images of many groups at once.

A group is an identity, or a half of one. Its images are neighbours, and groups of one size are computed together.
"""

from collections.abc import Callable, Iterator

import numpy as np

# Values held at once: few enough for a processor's cache, enough to make the calls around them cheap.
_VALUES_AT_ONCE = 1 << 20
# Up to here similarities of all pairs are cheaper than a weighted sum of the embeddings, and lose no digits.
_LARGEST_OF_ALL_PAIRS = 32

MatedSums = Callable[[np.ndarray], np.ndarray]
"""From weights of the images of some groups, shape (g, s), to sums of similarity times weight over each one's mates."""


def groups_of_one_size(sizes: np.ndarray, dimension: int) -> Iterator[np.ndarray]:
    """Rows of groups of one size, shape (g, s), as many groups as are held at once."""
    sizes = np.asarray(sizes)
    firsts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes).tolist():
        of_size = firsts[sizes == size]
        at_once = max(1, _VALUES_AT_ONCE // (size * max(size, dimension)))
        for begin in range(0, len(of_size), at_once):
            yield of_size[begin : begin + at_once, None] + np.arange(size)


def of_groups(embeddings: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Embeddings of the rows of groups, shape (g, s, dimension); a view where they are neighbours."""
    first, end = rows[0, 0], rows[-1, -1] + 1
    found = embeddings[first:end] if end - first == rows.size else embeddings[rows.ravel()]
    return found.reshape(*rows.shape, embeddings.shape[1])


def mated_sums(embeddings: np.ndarray) -> MatedSums:
    """The function that gives sums of similarity times weight over each image's mates, exact to about 1e-5 of them.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (g, s, dimension)
        Unit embeddings of g groups of s images each.
    """
    if embeddings.shape[1] <= _LARGEST_OF_ALL_PAIRS:
        similarities = similarities_of_pairs(embeddings)
        return lambda weights: (similarities @ weights.astype(np.float32)[:, :, None])[:, :, 0]
    transposed = embeddings.transpose(0, 2, 1)
    return lambda weights: ((weights.astype(np.float32)[:, None] @ embeddings) @ transposed)[:, 0] - weights


def similarities_of_pairs(embeddings: np.ndarray) -> np.ndarray:
    """Similarities of all pairs of images of a group, 0 for an image with itself.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (g, s, dimension)

    Returns
    -------
    ndarray of float32, shape (g, s, s)
    """
    similarities = embeddings @ embeddings.transpose(0, 2, 1)
    each = np.arange(embeddings.shape[1])
    similarities[:, each, each] = 0
    return similarities


def weights_of_others(weights: np.ndarray) -> np.ndarray:
    """Summed weights of the mates of every image; weights and sums have the shape (g, s)."""
    return weights.sum(axis=1, keepdims=True) - weights
