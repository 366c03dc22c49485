"""What an image's own feature tells of its margin: a ridge regression, never from images of the same identity.

Identities fall into five folds. The images of a fold get coefficients that were fitted on the other four, so that no
image has a say in its own prior, and the error on left-out folds says what a prior is worth.
"""

from typing import NamedTuple

import numpy as np

FOLDS = 5
"""Number of folds that identities fall into."""
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Penalties of the squared coefficients to choose from."""

_LEAST_SPREAD_OF_LOG_NORMS = 1e-6
_ROWS_AT_ONCE = 2048
_TRACE = 1e-11
# Columns behind those of the embedding.
_LOG_NORM, _ONE, _TARGET = -3, -2, -1
# Targets of a smaller variance are one number, but for rounding.
_LEAST_VARIANCE = 1e-12


class Prior(NamedTuple):
    """Coefficients, a row or number a fold, and what they are worth."""

    coefficients: np.ndarray
    """Of the unit embedding, float64, shape (folds, dimension)."""
    norm_coefficients: np.ndarray
    """Of the standardised logarithm of the norm, float64, shape (folds,); all 0 where it was left out."""
    constants: np.ndarray
    """float64, shape (folds,)."""
    norm_mean: float
    """Mean of the logarithms of the norms."""
    norm_std: float
    """Their standard deviation; 1 where they have no spread and were left out."""
    penalty: float
    """The one of `PENALTIES` with the least error on left-out folds."""
    r2: float
    """Part of the targets' variance that the prior explains on left-out folds, at most 1; below 0 it misleads."""
    tau: float
    """Root of the mean squared error on left-out folds: how far a prior may be off."""


def fitted_prior(
    embeddings: np.ndarray, norms: np.ndarray, targets: np.ndarray, weights: np.ndarray, folds: np.ndarray
) -> Prior:
    """Ridge regression of margins on ``[embedding, log norm, 1]``, of which the embedding's coefficients are penalised.

    It works with fewer images than columns, with folds that have no images, with equal weights, and with targets that
    are all the same (`r2` is 0 then).

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    norms : ndarray of float, shape (n,)
        Norms that the features had before, above 0.
    targets : ndarray of float64, shape (n,)
        From `settled_margins` without a weight for the prior.
    weights : ndarray of float, shape (n,)
        What each image counts, above 0.
    folds : ndarray of int, shape (n,)
        Fold of each image's identity, from 0 to `FOLDS` - 1.

    Raises
    ------
    ValueError
        If the images are of one fold, so that there is nothing to fit its coefficients on.
    """
    images = np.bincount(folds, minlength=FOLDS)
    if images.max() == len(embeddings):
        raise ValueError(f"{len(embeddings)} images of {np.count_nonzero(images)} fold, where a prior needs 2 folds")
    logs = np.log(norms, dtype=np.float64)
    norm_mean, norm_std = float(logs.mean()), float(logs.std())
    if norm_std < _LEAST_SPREAD_OF_LOG_NORMS:
        logs, norm_std = np.full_like(logs, norm_mean), 1.0
    columns = (embeddings, (logs - norm_mean) / norm_std, targets, weights)
    products = np.stack([_products(*columns, np.flatnonzero(folds == fold)) for fold in range(FOLDS)])
    total = products.sum(axis=0)
    weight = total[_ONE, _ONE]
    tried = []
    for penalty in PENALTIES:
        fits = np.stack([_fit(total - left_out, penalty) for left_out in products])
        tried.append((sum(map(_squared_error, products, fits)) / weight, penalty, fits))
    error, penalty, fits = min(tried, key=lambda one: one[0])
    variance = total[_TARGET, _TARGET] / weight - (total[_ONE, _TARGET] / weight) ** 2
    r2 = 1 - error / variance if variance > _LEAST_VARIANCE else 0.0
    of_folds = (fits[:, :-2], fits[:, -2], fits[:, -1])
    return Prior(*of_folds, norm_mean, norm_std, penalty, float(r2), float(max(error, 0) ** 0.5))


def prior_margins(embeddings: np.ndarray, norms: np.ndarray, folds: np.ndarray, prior: Prior) -> np.ndarray:
    """What each image's own feature tells of its margin.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    norms : ndarray of float, shape (n,)
        Norms that the features had before, above 0.
    folds : ndarray of int, shape (n,)
        Fold of each image's identity, or of its key where it has none, from 0 to `FOLDS` - 1.
    prior : Prior
        From `fitted_prior`.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher is better. The products with the embeddings are float32.
    """
    of_all_folds = embeddings @ prior.coefficients.T.astype(np.float32)
    found = of_all_folds[np.arange(len(folds)), folds] + prior.constants[folds]
    log_norms = (np.log(norms, dtype=np.float64) - prior.norm_mean) / prior.norm_std
    return found + prior.norm_coefficients[folds] * log_norms


def _products(
    embeddings: np.ndarray, log_norms: np.ndarray, targets: np.ndarray, weights: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Weighted products of all columns with each other over some rows, the targets last, in float64."""
    dimension = embeddings.shape[1]
    products = np.zeros((dimension + 3, dimension + 3))
    for some in (rows[first : first + _ROWS_AT_ONCE] for first in range(0, len(rows), _ROWS_AT_ONCE)):
        columns = np.empty((len(some), dimension + 3))
        columns[:, :dimension] = embeddings[some]
        columns[:, _LOG_NORM], columns[:, _ONE], columns[:, _TARGET] = log_norms[some], 1, targets[some]
        columns *= np.sqrt(weights[some])[:, None]
        products += columns.T @ columns
    return products


def _fit(products: np.ndarray, penalty: float) -> np.ndarray:
    """Coefficients of all columns but the targets' with the least squared error and penalty."""
    penalised = products.copy()
    each = np.arange(len(products))
    penalised[each[:_LOG_NORM], each[:_LOG_NORM]] += penalty
    # A trace, for norms that have no spread in these folds: there is one solution then too, and nothing else moves.
    penalised[_LOG_NORM, _LOG_NORM] += _TRACE * products[_ONE, _ONE]
    return np.linalg.solve(penalised[:_TARGET, :_TARGET], products[:_TARGET, _TARGET])


def _squared_error(products: np.ndarray, coefficients: np.ndarray) -> float:
    """Weighted squared error of coefficients on the rows of these products."""
    signed = np.append(coefficients, -1)
    return float(signed @ products @ signed)
