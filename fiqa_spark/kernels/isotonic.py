"""Isotonic regression: the closest values that never rise."""

import numpy as np


def non_increasing_fit(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least-squares fit that never rises, by pool adjacent violators (Ayer et al. 1955; Barlow et al. 1972).

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    weights : ndarray of float64, shape (n,)
        At least 0. An element of weight 0 has no influence, whatever its value, NaN too: it takes the fit of the
        last weighty element before it, where there is none that of the first after it.

    Returns
    -------
    ndarray of float64, shape (n,)
        The fit; its weighted mean is that of the values. NaN where no element has weight.
    """
    weighty = np.flatnonzero(np.asarray(weights) > 0)
    if not len(weighty):
        return np.full(len(values), np.nan)
    # Blocks from the left: mean, weight, elements. One that lies above the block before it is taken into that.
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values[weighty].tolist(), weights[weighty].tolist(), strict=True):
        mean, total, elements = value, weight, 1
        while blocks and blocks[-1][0] <= mean:
            mean_before, total_before, elements_before = blocks.pop()
            mean = (mean_before * total_before + mean * total) / (total_before + total)
            total, elements = total_before + total, elements_before + elements
        blocks.append((mean, total, elements))
    means, _, elements_of = zip(*blocks, strict=True)
    fit = np.repeat(means, elements_of)
    return fit[np.maximum(np.searchsorted(weighty, np.arange(len(values)), side="right") - 1, 0)]
