"""Quality of a pair from the labels of its two images."""

from collections.abc import Callable, Mapping

import numpy as np

_WAYS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "min": np.minimum,
    "mean": lambda a, b: (a + b) / 2,
    "product": np.multiply,
    "max": np.maximum,
}

WAYS = tuple(_WAYS)
"""Names of the ways, the usual one first."""


def pair_qualities(labels_a: np.ndarray, labels_b: np.ndarray, how: str = "min") -> np.ndarray:
    """Quality of each pair; higher is better, and either image may come first.

    Parameters
    ----------
    labels_a, labels_b : ndarray of float64, shape (n,)
        Labels of the two images of each pair; NaN makes the quality NaN. The product orders pairs sensibly only where
        no label is negative.
    how : {'min', 'mean', 'product', 'max'}
        The lower label, the mean, the product or the higher label.

    Returns
    -------
    ndarray of float64, shape (n,)
        On the scale of the labels, but for the product, which is on that of their squares.
    """
    return _WAYS[how](labels_a, labels_b)
