"""Unit embeddings out of raw feature vectors, and vectors stored as 16-bit whole numbers."""

from collections.abc import Iterator

import numpy as np

# The largest absolute value of each vector of whole numbers.
LARGEST_WHOLE_NUMBER = 32_767

# Values held at once: few enough for a processor's cache, enough to make the calls around them cheap.
_VALUES_AT_ONCE = 1 << 18

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


def embeddings_and_norms(
    vectors: np.ndarray, *, out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale vectors to unit length, and tell what length they had and which of them can be used.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimension)
        Raw features, one a row.
    out : ndarray of float32, shape (n, dimension), optional
        Where to put the embeddings; no part of the vectors.

    Returns
    -------
    embeddings : ndarray of float32, shape (n, dimension)
        As from `unit_embeddings`.
    norms : ndarray of float64, shape (n,)
        Lengths of the vectors, above 0; NaN where a row cannot be used.
    usable : ndarray of bool, shape (n,)
        As from `unit_embeddings`.
    """
    embeddings = np.empty_like(vectors) if out is None else out
    squared = np.empty(len(vectors), vectors.dtype)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for rows in _row_blocks(vectors):
            block = vectors[rows]
            squared[rows] = np.einsum("ij,ij->i", block, block)
            np.multiply(block, (1 / np.sqrt(squared[rows]))[:, None], out=embeddings[rows])
        norms = np.sqrt(squared).astype(np.float64)
    doubtful = _doubtful(squared)
    with np.errstate(invalid="ignore"):
        in_float64 = np.linalg.norm(vectors[doubtful].astype(np.float64), axis=1)
    sound = np.isfinite(in_float64) & (in_float64 > 0)
    embeddings[doubtful] = 0
    embeddings[doubtful[sound]] = vectors[doubtful[sound]] / in_float64[sound, None]
    norms[doubtful] = np.where(sound, in_float64, np.nan)
    usable = np.ones(len(vectors), bool)
    usable[doubtful] = sound
    return embeddings, norms, usable


def whole_numbers(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round vectors to 16-bit whole numbers, in half the bytes and with the same direction.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimension)
        Raw features, one a row.

    Returns
    -------
    numbers : ndarray of int16, shape (n, dimension)
        ``32767 v / max |v|``, rounded to nearest; all zeros where a vector is zero or not finite. Cosines of vectors of
        512 values move by 1.5e-5 at most, or by 5e-5 where one value makes up most of a vector.
    norms : ndarray of float32, shape (n,)
        Lengths of the vectors, as of `embeddings_and_norms`: 0 for a zero vector, NaN where a vector is not finite. A
        length beyond the range of float32 becomes the largest float32.
    """
    numbers, norms = np.empty(vectors.shape, np.int16), np.empty(len(vectors), np.float32)
    for rows in _row_blocks(vectors):
        block = vectors[rows]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            squared = np.einsum("ij,ij->i", block, block)
            scales = np.float32(LARGEST_WHOLE_NUMBER) / np.abs(block).max(axis=1, initial=0)
        doubtful = _doubtful(squared)
        scales[doubtful], norms[rows] = 0, np.sqrt(squared)
        with np.errstate(invalid="ignore"):
            numbers[rows] = np.rint(block * scales[:, None])
        first = rows.start
        numbers[first + doubtful], norms[first + doubtful] = _whole_numbers_in_float64(block[doubtful])
    return numbers, norms


def embeddings_of_whole_numbers(
    numbers: np.ndarray, norms: np.ndarray, *, out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale vectors of whole numbers to unit length, and tell which of them can be used.

    Parameters
    ----------
    numbers, norms
        From `whole_numbers`.
    out : ndarray of float32, shape (n, dimension), optional
        Where to put the embeddings.

    Returns
    -------
    embeddings, norms, usable
        As from `embeddings_and_norms`. The norms are those given; NaN where a row cannot be used, because its norm is
        not finite or not above 0, or because all its numbers are 0.
    """
    embeddings = np.empty(numbers.shape, np.float32) if out is None else out
    usable = np.isfinite(norms) & (norms > 0)
    for rows in _row_blocks(numbers):
        block = embeddings[rows]
        block[:] = numbers[rows]
        squared = np.einsum("ij,ij->i", block, block)
        usable[rows] &= squared > 0
        block *= np.divide(1, np.sqrt(squared), out=np.zeros_like(squared), where=usable[rows])[:, None]
    return embeddings, np.where(usable, norms, np.nan).astype(np.float64), usable


def _row_blocks(vectors: np.ndarray) -> Iterator[slice]:
    """Slices of so many rows that their values are held at once."""
    step = max(1, _VALUES_AT_ONCE // max(1, vectors.shape[1]))
    return (slice(first, first + step) for first in range(0, len(vectors), step))


def _doubtful(squared: np.ndarray) -> np.ndarray:
    """Rows whose squared norms in float32 have lost their digits, are zero, or are not finite."""
    low, high = _SAFE_SQUARED_NORM
    return np.flatnonzero(~((squared > low) & (squared < high)))


def _whole_numbers_in_float64(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers and norms of vectors that are very long, very short, zero, or not finite."""
    vectors = vectors.astype(np.float64)
    finite = np.isfinite(vectors).all(axis=1)
    vectors[~finite] = 0
    largest = np.abs(vectors).max(axis=1, initial=0)
    numbers = np.rint(vectors * (LARGEST_WHOLE_NUMBER / np.where(largest > 0, largest, 1))[:, None])
    norms = np.minimum(np.linalg.norm(vectors, axis=1), np.finfo(np.float32).max)
    return numbers, np.where(finite, norms, np.nan)
