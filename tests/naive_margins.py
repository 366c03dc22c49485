"""Margins as their definition reads, one image and one mate after the other, in float64: slow, and easy to check."""

from typing import NamedTuple

import numpy as np

PENALTIES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000]


class NaiveMargins(NamedTuple):
    """What was learned, and what each image got."""

    lo: float
    hi: float
    penalty: float
    r2: float
    tau: float
    sigma: float
    strangers: np.ndarray
    priors: np.ndarray
    margins: np.ndarray
    deviations: np.ndarray


def naive_margins(features, identities, groups, pool, folds, kappa=0.1):
    """All images are the sample as well, as far as they have mates.

    `identities` tell whom strangers leave out and `groups` who are mates; `pool` holds numbers of images.
    """
    norms = [float(np.sqrt(np.dot(x, x))) for x in features.astype(np.float64)]
    embeddings = [x / norm for x, norm in zip(features.astype(np.float64), norms, strict=True)]
    images = range(len(embeddings))
    strangers = np.array([naive_stranger_similarity(i, embeddings, identities, pool) for i in images])
    mates = [[j for j in images if j != i and groups[j] == groups[i]] for i in images]
    sample = [i for i in images if mates[i]]
    first = {i: np.mean([embeddings[i] @ embeddings[j] - strangers[i] for j in mates[i]]) for i in sample}
    lo, hi = np.percentile(list(first.values()), [1, 99])
    target = naive_settled(embeddings, mates, strangers, np.zeros(len(images)), lo, hi, 0)[0]
    priors, penalty, r2, tau = naive_priors(
        np.array(embeddings), norms, target, [min(len(each), 10) for each in mates], folds, sample
    )
    margins, weights = naive_settled(embeddings, mates, strangers, priors, lo, hi, kappa)
    above = below = 0.0
    for i in sample:
        if len(mates[i]) + 1 < 4:
            continue
        for j in mates[i]:
            weight = naive_weight(margins[j], lo, hi)
            above += weight * (embeddings[i] @ embeddings[j] - strangers[i] - margins[i]) ** 2
            below += weight
    sigma = (above / below) ** 0.5
    deviations = np.array([min(sigma / (weight + kappa) ** 0.5, tau) for weight in weights])
    return NaiveMargins(lo, hi, penalty, r2, tau, sigma, strangers, priors, margins, deviations)


def naive_stranger_similarity(image, embeddings, identities, pool):
    """Mean similarity with the images of the pool that are of other identities."""
    return np.mean([embeddings[image] @ embeddings[j] for j in pool if identities[j] != identities[image]])


def naive_weight(margin, lo, hi):
    """What a mate counts."""
    return min(max((margin - lo) / (hi - lo), 0.02), 1) ** 2


def naive_settled(embeddings, mates, strangers, priors, lo, hi, kappa, times=4):
    """Margins, and the summed weights of the mates by these; `mates` holds the numbers of each image's mates.

    An image without mates has its prior.
    """
    images = range(len(embeddings))
    gains = [[float(embeddings[i] @ embeddings[j]) - strangers[i] for j in mates[i]] for i in images]
    margins = [float(np.mean(gains[i])) if mates[i] else float(priors[i]) for i in images]
    for _ in range(times):
        of_last_time = list(margins)
        for i in images:
            if not mates[i]:
                continue
            above, below = kappa * priors[i], kappa
            for j, gain in zip(mates[i], gains[i], strict=True):
                weight = naive_weight(of_last_time[j], lo, hi)
                above, below = above + weight * gain, below + weight
            margins[i] = above / below
    weights = [sum(naive_weight(margins[j], lo, hi) for j in mates[i]) for i in images]
    return np.array(margins), np.array(weights)


def naive_priors(embeddings, norms, target, row_weights, folds, sample):
    """Priors of all images, the penalty, R2 and tau, by least squares on rows that stand for the penalty."""
    logs, dimension = np.log(norms), embeddings.shape[1]
    spread = np.std(logs[sample])
    columns = [embeddings, np.ones((len(embeddings), 1))]
    if spread >= 1e-6:
        columns.append((logs[:, None] - np.mean(logs[sample])) / spread)
    design, best = np.hstack(columns), None
    for penalty in PENALTIES:
        predicted, error = np.empty(len(design)), 0.0
        for fold in range(5):
            training = [i for i in sample if folds[i] != fold]
            roots = np.sqrt([row_weights[i] for i in training])
            penalised = np.eye(dimension, design.shape[1]) * penalty**0.5
            rows = np.vstack([design[training] * roots[:, None], penalised])
            right = np.append(target[training] * roots, np.zeros(dimension))
            coefficients = np.linalg.lstsq(rows, right, rcond=None)[0]
            predicted[folds == fold] = design[folds == fold] @ coefficients
        error = sum(row_weights[i] * (target[i] - predicted[i]) ** 2 for i in sample)
        if best is None or error < best[0]:
            best = (error, penalty, predicted)
    error, penalty, predicted = best
    whole = sum(row_weights[i] for i in sample)
    mean = sum(row_weights[i] * target[i] for i in sample) / whole
    variance = sum(row_weights[i] * (target[i] - mean) ** 2 for i in sample)
    return predicted, penalty, 1 - error / variance, (error / whole) ** 0.5
