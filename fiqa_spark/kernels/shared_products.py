"""Which identities share one matrix product with the pool; the speed depends on their order, the result does not."""

from collections.abc import Iterator, Mapping

import numpy as np


def stand_alone(
    starts: np.ndarray, own_pool_positions: Mapping[int, np.ndarray], pool_size: int, window: int
) -> np.ndarray:
    """Which identities are not compared with simply the next images of the pool, and share no product.

    Parameters
    ----------
    starts : ndarray of int, shape (g,)
        Position in the pool at which the draws of each identity begin.
    own_pool_positions : dict of int to ndarray of intp
        Positions in the pool of images of an identity, by its number from 0; only of those that have any.
    window : int
        Images that an identity draws from the pool in all rounds.

    Returns
    -------
    ndarray of bool, shape (g,)
    """
    alone = (starts + window > pool_size) | (pool_size <= window)
    for number, positions in own_pool_positions.items():
        alone[number] |= ((positions - starts[number]) % pool_size < window).any()
    return alone


def sharing_neighbours(
    sizes: np.ndarray, starts: np.ndarray, alone: np.ndarray, rows_at_once: int
) -> Iterator[tuple[int, int]]:
    """Cut identities into runs that share a product.

    Parameters
    ----------
    sizes, starts : ndarray of int, shape (g,)
        Number of images of each identity, and where its draws begin.
    alone : ndarray of bool, shape (g,)
        From `stand_alone`.
    rows_at_once : int
        Images of a run at most, unless one identity alone has more.

    Yields
    ------
    first, last : int
        The identities from one to before another: neighbours of one start, or a single one that stands alone.
    """
    edges = np.concatenate([[0], np.cumsum(sizes)])
    first = 0
    for number in range(1, len(starts) + 1):
        if (
            number == len(starts)
            or alone[first]
            or alone[number]
            or starts[number] != starts[first]
            or edges[number + 1] - edges[first] > rows_at_once
        ):
            yield first, number
            first = number
