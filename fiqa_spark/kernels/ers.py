"""ERS, the embedding recognizability score (arXiv 2106.04112): how far an image is from the unrecognizable ones."""

import numpy as np


def recognizability_scores(embeddings: np.ndarray, ui_centroid: np.ndarray, *, clip: bool) -> np.ndarray:
    """ERS of images: the cosine distance from the UI centroid (arXiv 2106.04112, section 3).

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    ui_centroid : ndarray of float32, shape (dimension,)
        Unit vector in the middle of the embeddings of unrecognizable images.
    clip : bool
        Whether scores above 1, of images opposite to the centroid, become 1.

    Returns
    -------
    ndarray of float64, shape (n,)
        ``1 - <embedding, centroid>``, in [0, 1], or in [0, 2] without `clip`; higher is more recognizable. The score
        of an image depends on its own row alone, to the last bit.
    """
    # A matrix product would sum up in an order that depends on the number of rows.
    similarities = np.einsum("ij,j->i", embeddings, ui_centroid).astype(np.float64)
    return np.clip(1 - similarities, 0, 1 if clip else 2)


def weighted_sums(embeddings: np.ndarray, weights: np.ndarray, owners: np.ndarray, count: int) -> np.ndarray:
    """Sums of embeddings by owner, each times its weight: set templates before they are scaled to unit length.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    weights : ndarray of float64, shape (n,)
        Scores of the images, at least 0.
    owners : ndarray of int, shape (n,)
        Number of the identity of each image, from 0. Where images of an identity are neighbours, nothing is copied.
    count : int
        Number of identities g.

    Returns
    -------
    ndarray of float64, shape (g, dimension)
        Row k is the sum of ``e_i f_i`` over the images of identity k, taken in float32.
    """
    sums = np.zeros((count, embeddings.shape[1]))
    weights, firsts = weights.astype(np.float32), _firsts_of_runs(owners)
    if len(firsts) > np.count_nonzero(np.bincount(owners)):
        order = np.argsort(owners, kind="stable")
        embeddings, weights, owners = embeddings[order], weights[order], owners[order]
        firsts = _firsts_of_runs(owners)
    ends = [*firsts[1:].tolist(), len(owners)]
    for owner, first, end in zip(owners[firsts].tolist(), firsts.tolist(), ends, strict=False):
        sums[owner] = weights[first:end] @ embeddings[first:end]
    return sums


def _firsts_of_runs(owners: np.ndarray) -> np.ndarray:
    """Rows whose owner is not that of the row before."""
    return np.flatnonzero(np.diff(owners, prepend=-1))


def mean_direction(vectors_sum: np.ndarray) -> np.ndarray:
    """Unit vector of a sum or mean of embeddings.

    Parameters
    ----------
    vectors_sum : ndarray of float, shape (..., dimension)

    Returns
    -------
    ndarray of float32, shape (..., dimension)
        Where the sum is zero, there is no direction, and the row is zero.
    """
    norms = np.linalg.norm(vectors_sum, axis=-1, keepdims=True)
    return np.divide(vectors_sum, norms, out=np.zeros_like(vectors_sum, np.float64), where=norms > 0).astype(np.float32)
