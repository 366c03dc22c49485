"""What a margin needs beside mates, and what becomes of it: similarity with strangers, weight, label, deviation.

The margin of an image is the similarity that it can expect with a good image of its person, above that with strangers;
`settled_margins` computes it.
"""

import numpy as np

_LOWEST_WEIGHT = 0.02
# Embeddings copied at once, in values.
_VALUES_AT_ONCE = 1 << 17


def stranger_similarities(
    embeddings: np.ndarray,
    own_parts: np.ndarray,
    pool_sum: np.ndarray,
    pool_size: int,
    own_sums: np.ndarray,
    own_counts: np.ndarray,
) -> np.ndarray:
    """Mean similarity of each image with the pool, the images of its own identity left out.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    own_parts : ndarray of int, shape (n,)
        Which row of `own_sums` is that of the image's identity; -1 where that has no image in the pool.
    pool_sum : ndarray of float64, shape (dimension,)
        Sum of the unit embeddings of the pool.
    pool_size : int
        Number of images in the pool.
    own_sums : ndarray of float, shape (o, dimension)
        Sum of the pool's unit embeddings of one identity; only of identities that have any.
    own_counts : ndarray of int, shape (o,)
        How many these are.

    Returns
    -------
    ndarray of float64, shape (n,)
        ``u_i``, in [-1, 1]; lower is farther from strangers.

    Raises
    ------
    ValueError
        If the pool holds no stranger to some image.
    """
    if len(own_counts) and own_counts.max() >= pool_size:
        raise ValueError(
            f"{own_counts.max()} of {pool_size} images of the pool are of one identity: no stranger is left"
        )
    found = (embeddings @ (pool_sum / pool_size).astype(np.float32)).astype(np.float64)
    in_pool = np.flatnonzero(own_parts >= 0)
    at_once = max(1, _VALUES_AT_ONCE // embeddings.shape[1])
    for rows in (in_pool[first : first + at_once] for first in range(0, len(in_pool), at_once)):
        own = own_parts[rows]
        own_similarities = np.einsum("ij,ij->i", embeddings[rows], own_sums[own].astype(np.float32, copy=False))
        found[rows] = (pool_size * found[rows] - own_similarities) / (pool_size - own_counts[own])
    return found


def mate_weights(margins: np.ndarray, *, lo: float, hi: float) -> np.ndarray:
    """What a mate of such a margin counts.

    Parameters
    ----------
    margins : ndarray of float64, any shape
    lo, hi : float
        Margins that the reference learned: of the weight's lower end, and from which on it is 1; lo < hi.

    Returns
    -------
    ndarray of float64, of the same shape
        Square of the place between `lo` and `hi`, in [0.0004, 1]; higher is better.
    """
    # For few margins at a time, as here, `np.clip` takes longer than these two together.
    return np.minimum(np.maximum((margins - lo) / (hi - lo), _LOWEST_WEIGHT), 1) ** 2


def margin_labels(margins: np.ndarray, *, lo: float, hi: float) -> np.ndarray:
    """Labels of such margins: their place between `lo`, 0, and `hi`, 100; what lies beyond is cut.

    Parameters
    ----------
    margins : ndarray of float, shape (n,)
    lo, hi : float
        As for `mate_weights`.

    Returns
    -------
    ndarray of float, shape (n,)
        In [0, 100]; higher is better.
    """
    return 100 * np.clip((margins - lo) / (hi - lo), 0, 1)


def standard_deviations(weights: np.ndarray, *, sigma: float, tau: float, kappa: float) -> np.ndarray:
    """How far a margin may be off: less where more and better mates speak, never more than for the prior.

    Parameters
    ----------
    weights : ndarray of float64, shape (n,)
        Summed weights of each image's mates, 0 without any.
    sigma : float
        Standard deviation of a similarity with a mate of weight 1.
    tau : float
        Standard deviation of the prior.
    kappa : float
        Weight of the prior.

    Returns
    -------
    ndarray of float64, shape (n,)
        In (0, tau].
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        # Without mates and weight of the prior there is no number, and tau stays.
        return np.fmin(sigma / np.sqrt(weights + kappa), tau)
