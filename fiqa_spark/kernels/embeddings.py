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
    embeddings, _, usable = embeddings_and_norms(vectors)
    return embeddings, usable


def embeddings_and_norms(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale vectors to unit length, and tell what length they had and which of them can be used.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimension)
        Raw features, one a row.

    Returns
    -------
    embeddings : ndarray of float32, shape (n, dimension)
        As from `unit_embeddings`.
    norms : ndarray of float64, shape (n,)
        Lengths of the vectors, above 0; NaN where a row cannot be used.
    usable : ndarray of bool, shape (n,)
        As from `unit_embeddings`.
    """
    low, high = _SAFE_SQUARED_NORM
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        squared = np.einsum("ij,ij->i", vectors, vectors)
        norms = np.sqrt(squared)
        embeddings = vectors * (1 / norms)[:, None]
    doubtful = np.flatnonzero(~((squared > low) & (squared < high)))
    with np.errstate(invalid="ignore"):
        in_float64 = np.linalg.norm(vectors[doubtful].astype(np.float64), axis=1)
    sound = np.isfinite(in_float64) & (in_float64 > 0)
    embeddings[doubtful] = 0
    embeddings[doubtful[sound]] = vectors[doubtful[sound]] / in_float64[sound, None]
    norms = norms.astype(np.float64)
    norms[doubtful] = np.where(sound, in_float64, np.nan)
    usable = np.ones(len(vectors), bool)
    usable[doubtful] = sound
    return embeddings, norms, usable
