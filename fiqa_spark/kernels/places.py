"""Values at given places of many values in ascending order, of which only a few ranges need be at hand."""

from typing import NamedTuple

import numpy as np


class Placed(NamedTuple):
    """Values at some places."""

    values: np.ndarray
    """float64, shape (places,)."""
    below: np.ndarray
    """How many of all values are below each, int64, shape (places,)."""


def bounds_among(sample: np.ndarray, ranges: int) -> np.ndarray:
    """Bounds of ranges that hold about as many values each.

    Parameters
    ----------
    sample : ndarray of float64, shape (n,)
        Some of the values, drawn at random.
    ranges : int
        Ranges at most.

    Returns
    -------
    ndarray of float64, shape (m,)
        Ascending and all different; m is below `ranges`.
    """
    in_order = np.sort(sample)
    return np.unique(in_order[np.arange(1, ranges) * len(sample) // ranges]) if len(sample) else in_order


def range_of(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Number of the range that each value is in: that of ``bounds[i]`` to below ``bounds[i + 1]`` is i + 1."""
    return np.searchsorted(bounds, values, side="right")


def ranges_with(places: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Which ranges hold a place.

    Parameters
    ----------
    places : ndarray of int
        From 0 to below the sum of the counts.
    counts : ndarray of int64, shape (ranges,)
        Values in each range.

    Returns
    -------
    ndarray of bool, shape (ranges,)
    """
    hold = np.zeros(len(counts), bool)
    hold[np.searchsorted(np.cumsum(counts), places, side="right")] = True
    return hold


def values_at(
    places: np.ndarray, values: np.ndarray, repeats: np.ndarray, bounds: np.ndarray, counts: np.ndarray
) -> Placed:
    """Values at places.

    Parameters
    ----------
    places : ndarray of int
        From 0 to below the sum of the counts.
    values : ndarray of float64, shape (n,)
        All that are in a range that holds a place, and no others; in any order.
    repeats : ndarray of int64, shape (n,)
        How often each occurs; a value may stand in several elements.
    bounds : ndarray of float64, shape (m,)
        Of the ranges, ascending.
    counts : ndarray of int64, shape (m + 1,)
        Values in each range.
    """
    order = np.argsort(values)
    values, repeats = values[order], repeats[order]
    elsewhere = np.cumsum(np.where(ranges_with(places, counts), 0, counts))
    below = np.cumsum(repeats) - repeats + elsewhere[range_of(values, bounds)]
    found = values[np.searchsorted(below, places, side="right") - 1]
    return Placed(found, below[np.searchsorted(values, found, side="left")])
