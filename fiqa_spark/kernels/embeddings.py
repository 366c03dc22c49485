"""Unit embeddings out of raw feature vectors."""

import numpy as np

# Outside this range the float32 sum of squares has lost its digits and is taken again in float64.
_SAFE_SQUARED_NORM = (1e-30, 1e30)


def unit_embeddings(vectors):
    """Scale vectors to unit length and tell which of them can be used.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimension)
        Raw features, one a row.

    Returns
    -------
    embeddings : ndarray of float32, shape (n, dimension)
        Rows of unit length; a row that cannot be used is all zeros.
    usable : ndarray of bool, shape (n,)
        False where a row holds NaN or infinity or has zero norm.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        squared = np.einsum("ij,ij->i", vectors, vectors)
        low, high = _SAFE_SQUARED_NORM
        doubtful = ~((squared > low) & (squared < high))
        norms = np.sqrt(squared, dtype=np.float64)
        if doubtful.any():
            norms[doubtful] = np.linalg.norm(vectors[doubtful].astype(np.float64), axis=1)
    usable = np.isfinite(norms) & (norms > 0)
    if not doubtful.any():
        return vectors * (1.0 / norms).astype(np.float32)[:, None], usable
    embeddings = np.zeros(vectors.shape, np.float32)
    embeddings[usable] = vectors[usable] / norms[usable, None]
    return embeddings, usable
