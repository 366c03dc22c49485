"""Straight lines through the times of runs of several sizes, and how much the noise of these runs moves them."""

import numpy as np


def straight_line(images, seconds):
    """Fixed seconds and seconds an image, by least squares."""
    fixed, slope = _weights(images) @ np.asarray(seconds, float)
    return float(fixed), float(slope)


def noise_factors(images, seconds):
    """Relative noise of the fixed seconds and of those an image, for a relative noise of 1 of every run.

    Returns
    -------
    tuple of float
        Infinite for a figure that is 0.
    """
    parts = _weights(images) * np.asarray(seconds, float)
    with np.errstate(divide="ignore"):
        fixed, slope = np.sqrt((parts**2).sum(axis=1)) / np.abs(parts.sum(axis=1))
    return float(fixed), float(slope)


def fitted(runs, cores):
    """Fixed and marginal cost of runs of several sizes: by wall time of all cores, and by processor time.

    Parameters
    ----------
    runs : list of dict
        With `images`, `seconds`, and `processor_seconds` where that was measured.
    cores : int
    """
    images = [run["images"] for run in runs]
    fixed, slope = straight_line(images, [run["seconds"] for run in runs])
    fit = {"fixed_seconds": fixed, "core_microseconds": 1e6 * cores * slope}
    if all("processor_seconds" in run for run in runs):
        fixed, slope = straight_line(images, [run["processor_seconds"] for run in runs])
        fit |= {"fixed_processor_seconds": fixed, "processor_microseconds": 1e6 * slope}
    return fit


def _weights(images):
    """What each run's time counts in the fixed part and in the slope, shape (2, runs): both are sums of the times."""
    return np.linalg.pinv(np.stack([np.ones(len(images)), np.asarray(images, float)], axis=1))
