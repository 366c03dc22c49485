"""The 1-Wasserstein distance of empirical distributions, many at a time."""

from functools import lru_cache

import numpy as np


def wasserstein_distance_sorted(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """W1 distance of samples that are already sorted.

    W1 is the area between the two quantile functions. These are step functions with steps at multiples of 1/a and
    1/b, so for given sample sizes the steps, and which value stands on each, are always the same.

    Parameters
    ----------
    first : ndarray of float, shape (..., a)
        Samples, ascending along the last axis, a >= 1.
    second : ndarray of float, shape (..., b)
        Samples, ascending along the last axis, b >= 1. Leading axes broadcast with those of `first`.

    Returns
    -------
    ndarray of float, shape (...)
        Distances, at least 0; 0 only for equal distributions. Equal to `scipy.stats.wasserstein_distance`.
    """
    a, b = first.shape[-1], second.shape[-1]
    first_index, second_index, widths = _quantile_steps(a, b, np.result_type(first, second))
    gaps = first - second if a == b else first[..., first_index] - second[..., second_index]
    np.abs(gaps, out=gaps)
    return gaps @ widths


@lru_cache(maxsize=1024)
def _quantile_steps(a: int, b: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the value of each sample on every step, and the steps' widths (whole numbers until the end)."""
    edges = np.union1d(np.arange(a, dtype=np.int64) * b, np.arange(b, dtype=np.int64) * a)
    widths = np.diff(edges, append=a * b) / (a * b)
    return edges // b, edges // a, widths.astype(dtype)
