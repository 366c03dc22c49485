"""Which images are compared in which round.

Nothing here is random. Images of an identity and images of the pool arrive in the order of a hash of (seed, key), which
is a random order; a round takes the next ones of that order. For any one image and round this is a uniform draw without
replacement; over the rounds an image meets as many different others as there are, before any of them comes twice.
"""

from typing import TypeVar

import numpy as np

IntOrArray = TypeVar("IntOrArray", int, np.ndarray)

# Columns of the pool that stand between the blocks of two identities, a round: room for skipping one's own images.
_SPARE_COLUMNS = 2


def intra_positions(images: int, comparisons: int, rounds: int) -> np.ndarray:
    """Positions within an identity that its images are compared with, one more than the comparisons.

    An image drops itself where it occurs and the last position where it does not; what is left is its draw `A_ik`.

    Parameters
    ----------
    images : int
        Number n of usable images of the identity, in hash order, n >= 2.
    comparisons : int
        Number m of comparisons a round.
    rounds : int
        Number K of rounds.

    Returns
    -------
    ndarray of intp, shape (K or 1, min(m + 1, n))
        A row a round, without repeats. One row alone when n <= m + 1: every round then takes all the others.
    """
    size = min(comparisons + 1, images)
    rounds = 1 if size == images else rounds
    return (np.arange(rounds)[:, None] * size + np.arange(size)) % images


def slots_to_drop(images: int, intra: np.ndarray) -> np.ndarray:
    """Which of the drawn positions an image is not compared with: its own, or the last where it does not occur.

    Parameters
    ----------
    images : int
        Number n of images of the identity, in hash order.
    intra : ndarray of intp, shape (rounds, size)
        From `intra_positions`.

    Returns
    -------
    ndarray of intp, shape (n, rounds)
        Number of the slot in the row of ``intra``, from 0.
    """
    rounds, size = intra.shape
    slots = np.full((rounds, images), size - 1)
    np.put_along_axis(slots, intra, np.arange(size)[None], axis=1)
    return slots.T


def inter_positions(
    start: int, own_pool_positions: np.ndarray, pool_size: int, comparisons: int, rounds: int
) -> np.ndarray:
    """Positions in the pool that an identity's images are compared with, its own images skipped.

    Parameters
    ----------
    start : int
        Position in the pool at which the identity begins, see `block_start`.
    own_pool_positions : ndarray of intp, shape (o,)
        Positions in the pool of the identity's own images, o < pool_size.
    pool_size : int
        Number P of images in the pool, in hash order.
    comparisons : int
        Number m of comparisons a round.
    rounds : int
        Number K of rounds.

    Returns
    -------
    ndarray of intp, shape (K or 1, min(m, P - o))
        A row a round, without repeats and without `own_pool_positions`. One row alone when it holds all the others.
    """
    available = pool_size - len(own_pool_positions)
    size = min(comparisons, available)
    rounds = 1 if size == available else rounds
    needed = min(rounds * size, available)
    ahead = (start + np.arange(needed + len(own_pool_positions))) % pool_size
    non_mated = ahead[~np.isin(ahead, own_pool_positions)][:needed] if len(own_pool_positions) else ahead
    return non_mated[(np.arange(rounds)[:, None] * size + np.arange(size)) % needed]


def block_start(identity_hash: IntOrArray, pool_size: int, comparisons: int, rounds: int) -> IntOrArray:
    """Position in the pool at which an identity begins: the pool is cut into blocks and the hash picks one.

    Parameters
    ----------
    identity_hash : int or ndarray of int64
        64-bit hash of (seed, identity).
    pool_size, comparisons, rounds : int
        As for `inter_positions`.

    Returns
    -------
    int or ndarray of int64
        Positions in [0, pool_size).
    """
    return identity_hash % block_count(pool_size, comparisons, rounds) * _block_width(comparisons, rounds)


def block_count(pool_size: int, comparisons: int, rounds: int) -> int:
    """Number of blocks that the pool is cut into, at least 1; parameters as for `inter_positions`."""
    return max(1, pool_size // _block_width(comparisons, rounds))


def _block_width(comparisons: int, rounds: int) -> int:
    return rounds * (comparisons + _SPARE_COLUMNS)
