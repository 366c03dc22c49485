"""What hangs together by pairs, whichever way round and through however many others."""

import numpy as np


def connected(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    """The group of each of so many things, of which some are paired.

    Parameters
    ----------
    a, b : ndarray of int, shape (pairs,)
        Numbers of two things, from 0 to count - 1.
    count : int

    Returns
    -------
    ndarray of int64, shape (count,)
        The lowest number in the group of each; its own where it is in no pair.
    """
    groups = np.arange(count)
    while True:
        before = groups.copy()
        lowest = np.minimum(groups[a], groups[b])
        # The groups of both take the lower number; then whoever points at a thing takes what that points at.
        np.minimum.at(groups, before[a], lowest)
        np.minimum.at(groups, before[b], lowest)
        while not np.array_equal(groups, groups[groups]):
            groups = groups[groups]
        if np.array_equal(groups, before):
            return groups
