import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.ers import mean_direction, recognizability_scores, weighted_sums

pytestmark = pytest.mark.lowest_versions


def random_embeddings(count, dimension, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return unit_embeddings(vectors)[0]


def test_scores_are_one_less_the_similarity_to_the_centroid():
    embeddings = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0], [-0.6, 0.8]], np.float32)
    centroid = np.array([1, 0], np.float32)
    clipped = recognizability_scores(embeddings, centroid, clip=True)
    np.testing.assert_allclose(clipped, [0, 1, 0.4, 1, 1], atol=1e-6)
    assert clipped.dtype == np.float64
    np.testing.assert_allclose(recognizability_scores(embeddings, centroid, clip=False), [0, 1, 0.4, 2, 1.6], atol=1e-6)


def test_scores_stay_in_their_range_whatever_is_rounded():
    embeddings = random_embeddings(2000, 96)
    for sign in (1, -1):
        for row in embeddings[:50]:
            scores = recognizability_scores(embeddings, sign * row, clip=False)
            assert scores.min() >= 0
            assert scores.max() <= 2


@pytest.mark.parametrize("dimension", [1, 3, 128, 512, 1000])
def test_a_score_depends_on_its_own_row_alone_to_the_last_bit(dimension):
    embeddings, centroid = random_embeddings(301, dimension), random_embeddings(1, dimension, seed=1)[0]
    whole = recognizability_scores(embeddings, centroid, clip=True)
    for first, end in ((0, 1), (7, 8), (1, 300), (100, 164)):
        part = np.array(embeddings[first:end])
        np.testing.assert_array_equal(recognizability_scores(part, centroid, clip=True), whole[first:end])


@given(st.integers(0, 10_000))
def test_rotating_everything_changes_no_score(seed):
    random = np.random.default_rng(seed)
    embeddings, centroid = random_embeddings(20, 12, seed), random_embeddings(1, 12, seed + 1)[0]
    rotation = np.linalg.qr(random.standard_normal((12, 12)))[0].astype(np.float32)
    turned = recognizability_scores(embeddings @ rotation, centroid @ rotation, clip=False)
    np.testing.assert_allclose(turned, recognizability_scores(embeddings, centroid, clip=False), atol=1e-5)


def test_a_template_is_the_mean_of_embeddings_weighted_by_their_scores():
    # Identity 0: (1 * (1, 0) + 0.5 * (0, 1)) / 1.5, then scaled to unit length; identity 1 has one image.
    embeddings = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    sums = weighted_sums(embeddings, np.array([1, 0.25, 0.5]), np.array([0, 1, 0]), 2)
    np.testing.assert_allclose(sums, [[1, 0.5], [0.15, 0.2]], atol=1e-7)
    np.testing.assert_allclose(mean_direction(sums), [[2 / 5**0.5, 1 / 5**0.5], [0.6, 0.8]], atol=1e-6)


@given(st.integers(0, 10_000))
def test_weighted_sums_are_those_of_a_plain_loop(seed):
    random = np.random.default_rng(seed)
    count, identities = random.integers(1, 40), random.integers(1, 9)
    embeddings, weights = random_embeddings(count, 5, seed), random.uniform(0, 1, count)
    owners = random.integers(0, identities, count)
    expected = np.zeros((identities, 5))
    for embedding, weight, owner in zip(embeddings, weights, owners, strict=True):
        expected[owner] += weight * embedding.astype(np.float64)
    np.testing.assert_allclose(weighted_sums(embeddings, weights, owners, identities), expected, atol=1e-5)


def test_weighted_sums_are_the_same_in_whatever_order_identities_come():
    embeddings, weights = random_embeddings(9, 4), np.linspace(0.1, 1, 9)
    owners = np.array([2, 2, 2, 0, 0, 3, 3, 3, 3])
    expected = weighted_sums(embeddings, weights, owners, 5)
    np.testing.assert_allclose(expected[3], weights[5:] @ embeddings[5:], atol=1e-6)
    for order in ([8, 3, 0, 5, 1, 7, 4, 2, 6], [3, 4, 5, 6, 7, 8, 0, 1, 2]):
        found = weighted_sums(embeddings[order], weights[order], owners[order], 5)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_identity_without_images_has_a_sum_of_zero():
    sums = weighted_sums(random_embeddings(2, 3), np.ones(2), np.array([2, 2]), 4)
    assert not sums[[0, 1, 3]].any()
    assert weighted_sums(np.empty((0, 3), np.float32), np.empty(0), np.empty(0, int), 2).tolist() == [[0] * 3] * 2


def test_directions_have_unit_length_and_zero_has_none():
    vectors = np.random.default_rng(0).standard_normal((30, 64)) * np.logspace(-12, 12, 30)[:, None]
    directions = mean_direction(vectors)
    np.testing.assert_allclose(np.linalg.norm(directions.astype(np.float64), axis=1), 1, atol=1e-6)
    assert not mean_direction(np.zeros((2, 4))).any()
    np.testing.assert_array_equal(mean_direction(vectors[3]), directions[3])
