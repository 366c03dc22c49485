"""Percentiles of numbers that lie in several places, of each of which a few order statistics are known."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

_POINTS_AT_MOST = 5_000


def order_statistics(
    values: npt.NDArray[np.float64], most: int = _POINTS_AT_MOST
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Values in order, or a few of them that stand for all.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN does not count.
    most : int
        Values are cut into as many shares of neighbours, if there are more.

    Returns
    -------
    points : ndarray of float64, shape (p,)
        The middle of each share, and before and behind them the smallest and the largest value.
    counts : ndarray of int64, shape (p,)
        How many values each stands for; 0 for the smallest and the largest.
    """
    in_order = np.sort(values[~np.isnan(values)])
    count = len(in_order)
    ends = np.arange(1, min(most, count) + 1) * count // max(1, min(most, count))
    begins = np.append(0, ends[:-1])[: len(ends)]
    extremes = in_order[[0, -1]] if count else in_order
    points = np.concatenate([extremes, in_order[(begins + ends - 1) // 2]])
    return points, np.concatenate([np.zeros(len(extremes), np.int64), ends - begins])


def percentiles(points: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], percents: Iterable[int]) -> list[float]:
    """Percentiles out of order statistics, the smallest of the values that so many percent do not exceed.

    Parameters
    ----------
    points, counts : ndarray, shape (p,)
        From `order_statistics`, of all places one after the other. The rank of what is found is off by half of a share
        at most, in parts of all values.
    percents : iterable of int
        From 0, which is the smallest value, to 100.

    Raises
    ------
    ValueError
        If there is no value.
    """
    if not len(points):
        raise ValueError("no value has no percentile")
    order = np.argsort(points, kind="stable")
    in_order, up_to = points[order], np.cumsum(counts[order])
    ranks = [-(-percent * int(up_to[-1]) // 100) for percent in percents]
    return [float(in_order[np.searchsorted(up_to, rank)]) for rank in ranks]
