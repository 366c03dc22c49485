"""Unit embeddings out of raw feature vectors."""

import numpy as np

# Outside this range the float32 sum of squares has lost its digits and is taken again in float64.
_SAFE_SQUARED_NORM = (1e-30, 1e30)


def unit_embeddings(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
    low, high = _SAFE_SQUARED_NORM
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        squared = np.einsum("ij,ij->i", vectors, vectors)
        embeddings = vectors * (1 / np.sqrt(squared))[:, None]
    doubtful = np.flatnonzero(~((squared > low) & (squared < high)))
    with np.errstate(invalid="ignore"):
        norms = np.linalg.norm(vectors[doubtful].astype(np.float64), axis=1)
    sound = np.isfinite(norms) & (norms > 0)
    embeddings[doubtful] = 0
    embeddings[doubtful[sound]] = vectors[doubtful[sound]] / norms[sound, None]
    usable = np.ones(len(vectors), bool)
    usable[doubtful] = sound
    return embeddings, usable
