"""Which images are compared in which round.

Nothing here is random. Images of an identity and images of the pool arrive in the order of a hash of (seed, key), which
is a random order; a round takes the next ones of that order. For any one image and round this is a uniform draw without
replacement; over the rounds an image meets as many different others as there are, before any of them comes twice.
"""

import numpy as np

# Columns of the pool that stand between the blocks of two identities, a round: room for skipping one's own images.
_SPARE_COLUMNS = 2


def intra_positions(images, comparisons, rounds):
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


def inter_positions(start, own, pool_size, comparisons, rounds):
    """Positions in the pool that an identity's images are compared with, its own images skipped.

    Parameters
    ----------
    start : int
        Position in the pool at which the identity begins, see `block_start`.
    own : ndarray of intp, shape (o,)
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
        A row a round, without repeats and without `own`. One row alone when it holds every stranger of the pool.
    """
    available = pool_size - len(own)
    size = min(comparisons, available)
    rounds = 1 if size == available else rounds
    needed = min(rounds * size, available)
    ahead = (start + np.arange(needed + len(own))) % pool_size
    strangers = ahead[~np.isin(ahead, own)][:needed] if len(own) else ahead
    return strangers[(np.arange(rounds)[:, None] * size + np.arange(size)) % needed]


def block_start(identity_hash, pool_size, comparisons, rounds):
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


def block_count(pool_size, comparisons, rounds):
    """Number of blocks that the pool is cut into, at least 1; parameters as for `inter_positions`."""
    return max(1, pool_size // _block_width(comparisons, rounds))


def _block_width(comparisons, rounds):
    return rounds * (comparisons + _SPARE_COLUMNS)
