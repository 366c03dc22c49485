"""Margins as a whole, what is learned among them, against a plain loop and against golden values of real faces."""

import csv
import zlib

import numpy as np
import pytest

from fiqa_spark.kernels.margin import margin_labels, standard_deviations, stranger_similarities
from fiqa_spark.kernels.margin_reference import MarginReference, learned_reference
from fiqa_spark.kernels.prior import prior_margins
from fiqa_spark.kernels.settled_margins import settled_margins
from tests.conftest import ROOT
from tests.golden_margins import LEARNED, at_hand, golden_faces
from tests.naive_margins import naive_margins

KAPPA = 0.1


def stranger_parts(embeddings, identities, pool):
    """What `stranger_similarities` takes beside the embeddings."""
    known, firsts, counts = np.unique(identities[pool], return_index=True, return_counts=True)
    sums = np.add.reduceat(embeddings[pool], firsts, axis=0, dtype=np.float64)
    places = np.searchsorted(known, identities).clip(max=len(known) - 1)
    own_parts = np.where(known[places] == identities, places, -1)
    return own_parts, embeddings[pool].sum(axis=0, dtype=np.float64), len(pool), sums, counts


def reference_and_priors(features, identities, sizes, pool, folds):
    """The reference of all images that have mates; embeddings, strangers and priors of all images."""
    norms = np.sqrt(np.einsum("ij,ij->i", features, features))
    embeddings = features / norms[:, None]
    strangers = stranger_similarities(embeddings, *stranger_parts(embeddings, identities, pool))
    mated = np.repeat(sizes > 1, sizes)
    of_sample = (each[mated] for each in (strangers, norms, folds))
    reference = learned_reference(embeddings[mated], sizes[sizes > 1], *of_sample, kappa=KAPPA)
    return reference, embeddings, strangers, prior_margins(embeddings, norms, folds, reference.prior)


def margins_and_deviations(reference, *groups):
    options = {"lo": reference.lo, "hi": reference.hi, "kappa": KAPPA, "max_mates": 4000}
    margins, weights = settled_margins(*groups, **options)
    return margins, standard_deviations(weights, sigma=reference.sigma, tau=reference.prior.tau, kappa=KAPPA)


def learned(reference: MarginReference):
    prior = reference.prior
    return reference.lo, reference.hi, prior.penalty, prior.r2, reference.sigma, prior.tau


def real_faces(seed, spoiled_norms):
    """Features of real faces with planted norms; some people have one image left, and three share a name."""
    with open(ROOT / "tests" / "data" / "lfw_sample.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names, identities = np.unique([row["path"].split("/")[0] for row in rows], return_inverse=True)
    identities[np.isin(identities, (1, 2, 3))] = 1
    random = np.random.default_rng(seed)
    alone = np.flatnonzero(identities % 7 == 0)
    kept = np.setdiff1d(np.arange(len(rows)), alone[identities[alone] == np.roll(identities[alone], 1)])
    order = kept[np.argsort(identities[kept], kind="stable")]
    features = np.load(ROOT / "tests" / "data" / "lfw_sample.npy", allow_pickle=False).astype(np.float32)
    spoiled = np.array([bool(row["degraded"]) for row in rows])
    norms = np.exp(random.normal(np.where(spoiled, spoiled_norms, 1), 0.2)).astype(np.float32)
    folds = np.array([zlib.crc32(name.encode()) % 5 for name in names.tolist()])[identities]
    return (features * norms[:, None])[order], identities[order], folds[order]


@pytest.mark.parametrize(
    ("pool_every", "halves"),
    [(1, False), (1, True), (3, False), pytest.param(3, True, marks=pytest.mark.lowest_versions)],
)
def test_reference_and_margins_of_real_faces_are_those_of_a_loop(halves, pool_every):
    features, identities, folds = real_faces(seed=1, spoiled_norms=0.2)
    groups = 2 * identities + (np.random.default_rng(2).integers(0, 2, len(identities)) if halves else 0)
    order = np.argsort(groups, kind="stable")
    features, identities, folds, groups = (each[order] for each in (features, identities, folds, groups))
    pool = np.arange(0, len(features), pool_every)
    sizes = np.unique(groups, return_counts=True)[1]
    assert 1 in sizes
    assert sizes.max() > (6 if halves else 11)
    reference, *of_groups, priors = reference_and_priors(features, identities, sizes, pool, folds)
    margins, deviations = margins_and_deviations(reference, of_groups[0], sizes, of_groups[1], priors)
    expected = naive_margins(features, identities, groups, pool, folds, KAPPA)
    of_loop = (expected.lo, expected.hi, expected.penalty, expected.r2, expected.sigma, expected.tau)
    np.testing.assert_allclose(learned(reference), of_loop, atol=3e-6)
    np.testing.assert_allclose(of_groups[1], expected.strangers, atol=1e-6)
    np.testing.assert_allclose(priors, expected.priors, atol=5e-6)
    np.testing.assert_allclose(margins, expected.margins, atol=5e-6)
    np.testing.assert_allclose(deviations, expected.deviations, atol=5e-6)


@pytest.fixture(scope="module", params=[pytest.param(model, marks=at_hand) for model in LEARNED])
def golden(request):
    """Faces with golden values, the sizes of their identities, and what `reference_and_priors` gives for them."""
    faces = golden_faces(request.param)
    sizes, pool = np.bincount(faces.identities), np.arange(len(faces.paths))
    return faces, sizes, *reference_and_priors(faces.features, faces.identities, sizes, pool, faces.folds)


@pytest.mark.lowest_versions
def test_reference_and_margins_are_the_golden_ones(golden):
    faces, sizes, reference, embeddings, strangers, priors = golden
    margins, deviations = margins_and_deviations(reference, embeddings, sizes, strangers, priors)
    np.testing.assert_allclose(learned(reference), faces.learned, atol=1e-5)
    found = {
        "mates": np.repeat(sizes, sizes) - 1,
        "stranger_similarity": strangers,
        "prior": priors,
        "margin": margins,
        "margin_std": deviations,
    }
    for column, values in found.items():
        np.testing.assert_allclose(values, faces.expected[column], atol=1e-5, err_msg=column)
    labels = margin_labels(margins, lo=reference.lo, hi=reference.hi)
    np.testing.assert_allclose(labels, faces.expected["label"], atol=1e-3)


@pytest.mark.lowest_versions
def test_margins_from_two_halves_of_the_mates_differ_as_their_deviations_say(golden):
    _, sizes, reference, embeddings, strangers, priors = golden
    groups = list(image_with_halves_of_mates(sizes, np.random.default_rng(5)))
    group_sizes = np.array([len(group) for group in groups])
    rows = np.concatenate(groups)
    margins, deviations = margins_and_deviations(
        reference, embeddings[rows], group_sizes, strangers[rows], priors[rows]
    )
    firsts = np.cumsum(group_sizes) - group_sizes
    margins, deviations = margins[firsts].reshape(-1, 2), deviations[firsts].reshape(-1, 2)
    inside = np.abs(margins[:, 0] - margins[:, 1]) < 1.96 * np.sqrt((deviations**2).sum(axis=1))
    assert 0.93 <= inside.mean() <= 0.995


def image_with_halves_of_mates(sizes, random, at_most=12):
    """Numbers of each image and one half of its mates, then of the image and the other half."""
    for end, size in zip(np.cumsum(sizes).tolist(), sizes.tolist(), strict=True):
        images = np.arange(end - size, end)
        for image in images[:at_most] if size >= 3 else []:
            mates = random.permutation(images[images != image])[: 2 * at_most]
            for half in np.array_split(mates, 2):
                yield np.append(image, half)


def sample_of(sizes, seed=0, dimension=16):
    """Embeddings of groups, their sizes, similarities to strangers, norms and folds."""
    random = np.random.default_rng(seed)
    sizes = np.array(sizes)
    centres = np.repeat(random.standard_normal((len(sizes), dimension)), sizes, axis=0)
    vectors = centres + random.uniform(0.2, 1.5, (len(centres), 1)) * random.standard_normal(centres.shape)
    norms = np.linalg.norm(vectors, axis=1)
    folds = np.repeat(np.arange(len(sizes)) % 5, sizes)
    return (vectors / norms[:, None]).astype(np.float32), sizes, np.zeros(len(norms)), norms, folds


@pytest.mark.lowest_versions
@pytest.mark.parametrize("size", [2, 3])
def test_where_no_group_has_four_images_a_mate_tells_as_little_as_the_prior(size):
    reference = learned_reference(*sample_of([size] * 60), kappa=KAPPA)
    assert reference.sigma == reference.prior.tau > 0


@pytest.mark.lowest_versions
def test_margins_without_spread_are_refused_with_both_percentiles():
    embeddings = np.tile(np.eye(4, dtype=np.float32)[0], (12, 1))
    folds = np.repeat(np.arange(3), 4)
    with pytest.raises(ValueError, match=r"12 margins have no spread: .* are 1\.0 and 1\.0"):
        learned_reference(embeddings, np.array([4, 4, 4]), np.zeros(12), np.ones(12), folds, kappa=KAPPA)


@pytest.mark.lowest_versions
def test_two_identities_of_two_folds_are_enough():
    reference = learned_reference(*sample_of([5, 6]), kappa=KAPPA)
    assert np.isfinite(learned(reference)).all()
