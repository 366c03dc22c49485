"""Margin labels against those of SDD-FIQA: judged by pairs that they have not seen, and among wrong names.

An identity's images are put into two halves, each half a group of mates of its own, and mated pairs across the halves
judge.
"""

import csv
import hashlib
import zlib
from typing import NamedTuple

import numpy as np
import pytest
import scipy.stats

from fiqa_spark.kernels.edc import (
    are_errors,
    error_versus_discard,
    pair_similarities,
    partial_auc,
    quality_levels,
    resampled_weights,
    starting_threshold,
)
from fiqa_spark.kernels.prior import prior_margins
from fiqa_spark.kernels.sdd_fiqa import exact_distances
from tests.golden_margins import DATA, LEARNED, at_hand, golden_faces
from tests.kernels.test_margin_reference import margins_and_deviations, reference_and_priors

STARTING_ERROR, LIMIT = 0.05, 0.2
RESAMPLES, DRAWS = 100, 2
# SDD-FIQA's strangers: part of all images.
POOL_EVERY = 5
# Spearman of the labels of images that stand under their own name, by the part in percent of those that do not.
NOISE = {"01": 0.995, "05": 0.983, "20": 0.91}


class Halves(NamedTuple):
    """Images that have a mate in their half, the halves of an identity as neighbours; by one model."""

    identities: np.ndarray
    halves: np.ndarray
    embeddings: np.ndarray
    margins: np.ndarray
    distances: np.ndarray


def half_of(path, draw):
    """Half of its identity that an image falls into; by a hash all of whose bits depend on the whole path."""
    return hashlib.blake2b(f"{draw} {path}".encode(), digest_size=1).digest()[0] % 2


@pytest.fixture(scope="module")
def halves():
    """Model to the images of LFW with labels from halves, a draw of halves each."""
    return {model: [labelled_halves(golden_faces(model), draw) for draw in range(DRAWS)] for model in LEARNED}


def labelled_halves(faces, draw):
    groups = 2 * faces.identities + np.array([half_of(path, draw) for path in faces.paths])
    order = np.argsort(groups, kind="stable")
    features, identities, folds, groups = (
        each[order] for each in (faces.features, faces.identities, faces.folds, groups)
    )
    sizes = np.unique(groups, return_counts=True)[1]
    every = np.arange(len(features))
    reference, embeddings, strangers, priors = reference_and_priors(features, identities, sizes, every, folds)
    margins, _ = margins_and_deviations(reference, embeddings, sizes, strangers, priors)
    distances = distances_in_groups(embeddings, identities, sizes)
    mated = ~np.isnan(distances)
    return Halves(*(each[mated] for each in (identities, groups % 2, embeddings, margins, distances)))


def distances_in_groups(embeddings, identities, sizes):
    """SDD-FIQA's distance of every image to its group against that to all other identities; NaN without a mate."""
    distances, pool = np.full(len(embeddings), np.nan, np.float32), embeddings[::POOL_EVERY]
    for group in np.split(np.arange(len(embeddings)), np.cumsum(sizes)[:-1]):
        if len(group) > 1:
            own = np.flatnonzero(identities[::POOL_EVERY] == identities[group[0]])
            mates = [(embeddings[group], np.arange(len(group)))]
            distances[group] = exact_distances(embeddings[group], [len(group)], mates, {0: own}, pool)[0][:, 0]
    return distances


def pairs_across(halves):
    """Numbers of the two images of every pair across the halves of an identity."""
    of_one = halves.identities[:, None] == halves.identities
    return np.nonzero(of_one & (halves.halves[:, None] < halves.halves))


def areas(labels, judge):
    """Areas under FNMR by discard as parts of that by chance, of both labels: of all pairs, then of resamples."""
    a, b = pairs_across(judge)
    similarities = pair_similarities(judge.embeddings[a], judge.embeddings[b])
    errors = are_errors(similarities, starting_threshold(similarities, STARTING_ERROR, error="fnmr"), error="fnmr")
    numbers = np.unique(judge.identities[a], return_inverse=True)[1]
    random, people = np.random.default_rng(0), numbers.max() + 1
    draws = [np.bincount(random.integers(0, people, people), minlength=people) for _ in range(RESAMPLES)]
    weights = [None, *(resampled_weights(numbers, numbers, draw) for draw in draws)]
    of_labels = []
    for label in (labels.margins, labels.distances):
        levels = quality_levels(np.minimum(label[a], label[b]))
        curves = [error_versus_discard(levels, [errors], weight) for weight in weights]
        of_labels.append([partial_auc(discards, rates, LIMIT) / (rates[0] * LIMIT) for discards, (rates,) in curves])
    return np.array(of_labels)


@at_hand
@pytest.mark.parametrize("judge", LEARNED)
@pytest.mark.parametrize("model", LEARNED)
def test_margin_labels_are_never_worse_than_those_of_sdd_fiqa(halves, model, judge):
    drawn = [areas(*of_draw) for of_draw in zip(halves[model], halves[judge], strict=True)]
    margins, distances = np.mean(drawn, axis=0)
    low, high = np.quantile(margins[1:] / distances[1:], (0.025, 0.975))
    figures = f"{distances[0]:.3f} {margins[0]:.3f}, {margins[0] / distances[0]:.3f} ({low:.3f} to {high:.3f})"
    print(f"labels of {model} judged by {judge}: {figures}")
    assert margins[0] <= distances[0], figures
    assert low < 1


def moved(faces, share):
    """Number of each image's identity where some images stand under a wrong name, and which do."""
    with open(DATA / "lfw" / f"moved_{share}.csv", encoding="utf-8", newline="") as file:
        wrong = {row["path"]: row["identity"] for row in csv.DictReader(file)}
    names = [wrong.get(path, path.split("/")[-2]) for path in faces.paths]
    return np.unique(names, return_inverse=True)[1], np.array(names), np.isin(faces.paths, list(wrong))


def all_labels(faces, identities, names, known=None):
    """Margins, distances and whether there are mates; with the reference, in the order of the images."""
    order, sizes = np.argsort(identities, kind="stable"), np.bincount(identities)
    back, embeddings, margins, reference = all_margins(faces, identities, names, known)
    distances = distances_in_groups(embeddings, identities[order], sizes)
    return margins, distances[back], (sizes > 1)[identities], reference


def all_margins(faces, identities, names, known=None):
    """Margins in the order of the images; with where each stands by identity, embeddings by identity, the reference."""
    order, sizes = np.argsort(identities, kind="stable"), np.bincount(identities)
    folds = np.array([zlib.crc32(name.encode()) % 5 for name in names.tolist()])
    features, ids, folds = faces.features[order], identities[order], folds[order]
    reference, embeddings, strangers, priors = reference_and_priors(features, ids, sizes, np.arange(len(ids)), folds)
    if known:
        norms = np.sqrt(np.einsum("ij,ij->i", features, features))
        reference, priors = known, prior_margins(embeddings, norms, folds, known.prior)
    margins, _ = margins_and_deviations(reference, embeddings, sizes, strangers, priors)
    back = np.argsort(order)
    return back, embeddings, margins[back], reference


@pytest.fixture(scope="module")
def clean():
    """Model to its faces and their labels where nobody stands under a wrong name."""
    found = {}
    for model in LEARNED:
        faces = golden_faces(model)
        names = np.array([path.split("/")[-2] for path in faces.paths])
        found[model] = faces, all_labels(faces, np.unique(names, return_inverse=True)[1], names)
    return found


@at_hand
@pytest.mark.parametrize("share", NOISE)
@pytest.mark.parametrize("model", LEARNED)
def test_wrong_names_hardly_move_the_labels_of_others(clean, model, share):
    faces, (margins, distances, mated, reference) = clean[model]
    identities, names, wrong = moved(faces, share)
    noisy, noisy_distances, still_mated, _ = all_labels(faces, identities, names, known=reference)
    counted = ~wrong & mated & still_mated
    of_margins = scipy.stats.spearmanr(margins[counted], noisy[counted])[0]
    of_distances = scipy.stats.spearmanr(distances[counted], noisy_distances[counted])[0]
    anew = all_margins(faces, identities, names)[2]
    of_anew = scipy.stats.spearmanr(margins[counted], anew[counted])[0]
    print(f"{model} {share}: margin {of_margins:.4f}, learned anew {of_anew:.4f}, SDD-FIQA {of_distances:.4f}")
    assert of_margins >= NOISE[share]
    assert of_anew >= NOISE[share] - 0.005
    assert of_distances < of_margins
