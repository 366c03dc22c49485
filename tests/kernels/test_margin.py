import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.margin import margin_labels, mate_weights, standard_deviations, stranger_similarities
from tests.naive_margins import naive_stranger_similarity

pytestmark = pytest.mark.lowest_versions

RANGE = {"lo": 0.1, "hi": 0.6}


def random_embeddings(count, dimension, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return unit_embeddings(vectors)[0]


@pytest.mark.parametrize("pool_size", [8, 200])
@pytest.mark.parametrize("at_once", [1 << 20, 40])
def test_similarity_with_strangers_is_that_of_a_loop_that_leaves_out_the_own_identity(monkeypatch, pool_size, at_once):
    monkeypatch.setattr("fiqa_spark.kernels.margin._VALUES_AT_ONCE", at_once)
    random = np.random.default_rng(1)
    identities, embeddings = random.integers(30, size=200), random_embeddings(200, 16)
    pool = random.choice(200, pool_size, replace=False)
    known, places, counts = np.unique(identities[pool], return_inverse=True, return_counts=True)
    sums = np.zeros((len(known), 16))
    np.add.at(sums, places, embeddings[pool])
    own_parts = np.array([known.tolist().index(one) if one in known else -1 for one in identities])
    found = stranger_similarities(embeddings, own_parts, embeddings[pool].sum(axis=0), pool_size, sums, counts)
    exact = embeddings.astype(np.float64)
    expected = [naive_stranger_similarity(image, exact, identities, pool) for image in range(200)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_identities_outside_the_pool_are_compared_with_all_of_it():
    embeddings, pool = random_embeddings(30, 8), random_embeddings(12, 8, seed=1)
    nobody = np.empty((0, 8)), np.empty(0, int)
    found = stranger_similarities(embeddings, np.full(30, -1), pool.sum(axis=0), 12, *nobody)
    np.testing.assert_allclose(found, (embeddings @ pool.T).mean(axis=1), atol=1e-6)


def test_a_pool_of_one_identity_has_no_strangers_and_that_is_said():
    embeddings = random_embeddings(3, 8)
    with pytest.raises(ValueError, match="3 of 3 images of the pool are of one identity"):
        stranger_similarities(embeddings, np.zeros(3, int), embeddings.sum(axis=0), 3, np.zeros((1, 8)), np.array([3]))


def test_a_mate_counts_the_square_of_its_place_in_the_range():
    margins = np.array([-1, 0.1, 0.11, 0.35, 0.6, 0.9])
    np.testing.assert_allclose(mate_weights(margins, **RANGE), [0.0004, 0.0004, 0.0004, 0.25, 1, 1], atol=1e-12)


def test_labels_are_places_in_the_range_and_cut_beyond():
    margins = np.array([-1, 0.1, 0.225, 0.35, 0.6, 0.9])
    np.testing.assert_allclose(margin_labels(margins, **RANGE), [0, 0, 25, 50, 100, 100], atol=1e-12)


def test_deviation_falls_with_the_weights_of_the_mates_and_is_never_above_that_of_the_prior():
    weights = np.array([0, 0.3, 3.9, 24.9])
    found = standard_deviations(weights, sigma=0.1, tau=0.12, kappa=0.1)
    np.testing.assert_allclose(found, [0.12, 0.12, 0.05, 0.02], atol=1e-12)


@pytest.mark.parametrize("sigma", [0.0, 0.1])
def test_without_mates_and_without_weight_of_the_prior_the_deviation_is_the_priors(sigma):
    assert standard_deviations(np.zeros(1), sigma=sigma, tau=0.12, kappa=0).tolist() == [0.12]


@given(st.integers(0, 10_000))
def test_rotating_everything_changes_no_similarity_with_strangers(seed):
    random = np.random.default_rng(seed)
    embeddings, own_sums = random_embeddings(20, 12, seed), random.standard_normal((4, 12))
    own_parts, own_counts = random.integers(-1, 4, 20), random.integers(1, 5, 4)
    pool_sum = random.standard_normal(12) * 10
    rotation = np.linalg.qr(random.standard_normal((12, 12)))[0]
    plain = stranger_similarities(embeddings, own_parts, pool_sum, 50, own_sums, own_counts)
    turned = (embeddings @ rotation).astype(np.float32)
    found = stranger_similarities(turned, own_parts, pool_sum @ rotation, 50, own_sums @ rotation, own_counts)
    np.testing.assert_allclose(found, plain, atol=1e-6)
