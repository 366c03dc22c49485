"""Distances of rounds on the scale of labels (arXiv 2103.05977, eq. 7 and 8)."""

import numpy as np
import numpy.typing as npt

NO_SPREAD = 1e-6
"""Distances of float32 similarities that should be equal differ by so much."""


def scaled_labels(
    distances: npt.NDArray[np.float32],
    means: npt.NDArray[np.float64],
    round_ranges: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    mean_range: tuple[float, float],
    *,
    per_round: bool,
    cut: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Labels, and what each round tells.

    Parameters
    ----------
    distances : ndarray of float32, shape (n, rounds)
        NaN where there is none.
    means : ndarray of float64, shape (n,)
        Mean distances.
    round_ranges : (ndarray of float64, ndarray of float64), each of shape (rounds,)
        The distances of each round that are 0 and 100.
    mean_range : (float, float)
        The mean distances that are 0 and 100.
    per_round : bool
        Whether every round is scaled, and the results averaged, or the mean distance is scaled once.
    cut : bool
        Whether distances may lie beyond the ranges, at which they are cut then.

    Returns
    -------
    labels : ndarray of float64, shape (n,)
        In [0, 100], higher is better; NaN where there are no distances.
    round_labels : ndarray of float32, shape (n, rounds)
    """
    low, high = round_ranges
    scaled = (distances.astype(np.float64) - low) / (high - low) * 100
    if cut:
        scaled = np.clip(scaled, 0, 100)
    if per_round:
        labels = _sum_in_pairs(scaled) / scaled.shape[1]
    else:
        least, most = mean_range
        labels = (means - least) / (most - least) * 100
        labels = np.clip(labels, 0, 100) if cut else labels
    return labels, scaled.astype(np.float32)


def are_beyond(
    distances: npt.NDArray[np.float32], round_ranges: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
) -> npt.NDArray[np.bool_]:
    """Whether any distance of an image lies beyond the range of its round; parameters as of `scaled_labels`."""
    low, high = round_ranges
    exact = distances.astype(np.float64)
    return np.logical_or.reduce((exact < low - NO_SPREAD) | (exact > high + NO_SPREAD), axis=1)


def _sum_in_pairs(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum over the columns in an order that no version of NumPy changes."""
    columns = list(values.T)
    while len(columns) > 1:
        pairs = [left + right for left, right in zip(columns[::2], columns[1::2], strict=False)]
        columns = pairs + columns[len(pairs) * 2 :]
    return columns[0]
