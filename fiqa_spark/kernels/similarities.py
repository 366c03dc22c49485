"""Sorted similarities of images with those that they are compared with, mated and non-mated.

Sorted along the last axis, since the Wasserstein distance asks for that. An image's similarity with itself sorts to the
end and is cut off there.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from fiqa_spark.kernels.draws import intra_positions

# Similarities held at once: few enough for a processor's cache, enough to make the calls around them cheap.
_SIMILARITIES_AT_ONCE = 1 << 20


def rows_at_once(columns: int) -> int:
    """Number of images whose similarities with so many others are held at once, at least 1."""
    return max(1, _SIMILARITIES_AT_ONCE // columns)


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of so many rows that their similarities are held at once."""
    step = rows_at_once(columns)
    return (slice(first, first + step) for first in range(0, rows, step))


def mated_of_small_identities(embeddings: np.ndarray) -> np.ndarray:
    """Similarities of every image with all others of its identity, for identities of one size.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (g, s, dimension)
        Unit embeddings of g identities of s images each.

    Returns
    -------
    ndarray of float32, shape (g s, 1, s - 1)
    """
    identities, size, _ = embeddings.shape
    mated = embeddings @ embeddings.transpose(0, 2, 1)
    mated.reshape(identities, size * size)[:, :: size + 1] = np.inf
    mated.sort(axis=2)
    return mated.reshape(identities * size, 1, size)[:, :, :-1]


def mated_of_identity(embeddings: np.ndarray, *, comparisons: int, rounds: int) -> np.ndarray:
    """Similarities of the images of one identity with those drawn for each round.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (s, dimension)
        Unit embeddings of all images of the identity in hash order.

    Returns
    -------
    ndarray of float32, shape (s, rounds or 1, min(comparisons, s - 1))
    """
    intra, own, stand_ins = _draw_of_size(len(embeddings), comparisons, rounds)
    similarities = embeddings @ embeddings[: rounds * (comparisons + 1)].T
    mated = np.take(similarities, intra, axis=1)
    mated.reshape(-1)[own] = similarities.reshape(-1)[stand_ins]
    mated.sort(axis=2)
    return mated


@lru_cache(maxsize=256)
def _draw_of_size(images: int, comparisons: int, rounds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions that the images of an identity of this size meet, less the last of each round.

    Where an image meets itself, the last of the round stands in: flat positions of the one in (image, round, slot), and
    of the other in (image, position).
    """
    intra = intra_positions(images, comparisons, rounds)
    met, last = intra[:, :-1], intra[:, -1:]
    columns = min(images, intra.size)
    slots = np.arange(met.size).reshape(met.shape)
    return met, (met * met.size + slots).ravel(), (met * columns + last).ravel()


def _with_drawn(embeddings: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Similarities of images with those drawn for each round, shape (n, rounds, size), as one matrix product."""
    return (embeddings @ drawn.reshape(-1, embeddings.shape[1]).T).reshape(-1, *drawn.shape[:2])


def mated_with(embeddings: np.ndarray, drawn: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Similarities of some images of an identity with those drawn for each round.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    drawn : ndarray of float32, shape (rounds, size, dimension)
        Unit embeddings of the images drawn.
    slots : ndarray of intp, shape (n, rounds)
        Which of them an image is not compared with, see `slots_to_drop`.

    Returns
    -------
    ndarray of float32, shape (n, rounds, size - 1)
    """
    mated = _with_drawn(embeddings, drawn)
    np.put_along_axis(mated, slots[:, :, None], np.float32(np.inf), axis=2)
    mated.sort(axis=2)
    return mated[:, :, :-1]


def non_mated_with(embeddings: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Similarities of images with those of other identities drawn for each round.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    drawn : ndarray of float32, shape (rounds, size, dimension)
        Unit embeddings of the images drawn.

    Returns
    -------
    ndarray of float32, shape (n, rounds, size)
    """
    non_mated = _with_drawn(embeddings, drawn)
    non_mated.sort(axis=2)
    return non_mated


def similarities_but(embeddings: np.ndarray, others: np.ndarray, excluded: np.ndarray) -> np.ndarray:
    """Similarities of images with all others but those excluded.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    others : ndarray of float32, shape (c, dimension)
        Unit embeddings.
    excluded : ndarray of intp, shape (n, e) or (1, e)
        Positions among the others that an image is not compared with, e < c.

    Returns
    -------
    ndarray of float32, shape (n, c - e)
    """
    return sorted_but(embeddings @ others.T, excluded)


def sorted_but(similarities: np.ndarray, excluded: np.ndarray) -> np.ndarray:
    """Similarities with all but those excluded, see `similarities_but`; what is given, shape (n, c), is overwritten."""
    np.put_along_axis(similarities, excluded, np.float32(np.inf), axis=1)
    similarities.sort(axis=1)
    return similarities[:, : similarities.shape[1] - excluded.shape[1]]
