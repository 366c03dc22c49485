import numpy as np
import pytest
from scipy import stats

from fiqa_spark.kernels.centres import (
    Chance,
    centres_of,
    chance_of_image,
    chance_of_pair,
    histograms,
    weighted_sums_of_groups,
)
from fiqa_spark.kernels.embeddings import unit_embeddings
from tests.naive_audit import naive_chance

pytestmark = pytest.mark.lowest_versions


def unit(count, dimension=12, seed=0):
    """Vectors that fill their space as unevenly as embeddings do."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)) * np.linspace(3, 0.5, dimension)
    return unit_embeddings(vectors.astype(np.float32))[0]


def test_a_centre_is_the_direction_of_the_weighted_sum():
    embeddings, weights = unit(6), np.array([0.5, 0.1, 1, 0.2, 0.3, 0.4])
    sums, evidence = weighted_sums_of_groups(embeddings, np.array([2, 1, 3]), weights)
    found = centres_of(sums, evidence)
    for number, rows in enumerate(([0, 1], [2], [3, 4, 5])):
        expected = sum(weights[row] * embeddings[row].astype(float) for row in rows)
        length = np.linalg.norm(expected)
        np.testing.assert_allclose(found.directions[number], expected / length, atol=1e-6)
        assert found.evidence[number] == pytest.approx(weights[rows].sum())
        # The weighted mean of the similarities with the centre is the length of the sum as a part of the weights.
        similarities = embeddings[rows] @ (expected / length)
        assert found.cohesion[number] == pytest.approx(np.average(similarities, weights=weights[rows]), abs=1e-6)


def test_a_group_without_weight_has_no_direction_and_no_cohesion():
    found = centres_of(np.zeros((1, 4), np.float32), np.zeros(1))
    assert not found.directions.any()
    assert np.isnan(found.cohesion).all()


@pytest.mark.parametrize("probability", [0.4, 1e-3, 1e-9, 1e-15])
def test_the_threshold_is_exceeded_with_the_probability(probability):
    expected = 0.02 + 0.1 * stats.norm.isf(probability)
    assert Chance(0.02, 0.1).threshold(probability) == pytest.approx(expected, rel=1e-9)


def test_thresholds_are_those_of_the_method():
    standard = Chance(0, 1)
    assert standard.threshold(0.01 / (2700**2 / 2)) == pytest.approx(5.8, abs=0.1)
    assert standard.threshold(0.01 / (5_000_000**2 / 2)) == pytest.approx(8, abs=0.3)


def test_chance_of_images_is_that_of_all_pairs_of_others():
    embeddings, owners = unit(40), np.repeat([5, -3, 9, 7], 10)
    centres, identities = unit(3, seed=1), np.array([9, 5, 100])
    found = chance_of_image(embeddings, owners, centres, identities)
    pairs = (
        embeddings[i].astype(float) @ centres[j] for i in range(40) for j in range(3) if owners[i] != identities[j]
    )
    np.testing.assert_allclose(found, naive_chance(pairs), atol=1e-6)


def test_chance_of_pairs_is_that_of_all_pairs():
    centres = unit(30)
    pairs = (centres[i].astype(float) @ centres[j] for i in range(30) for j in range(30) if i != j)
    np.testing.assert_allclose(chance_of_pair(centres), naive_chance(pairs), atol=1e-6)


def test_copies_differ_by_chance_as_much_as_directions_without_relation():
    copies = np.repeat(unit(1), 5, axis=0)
    assert chance_of_pair(copies) == pytest.approx((1, 1 / 12**0.5), abs=1e-6)


@pytest.mark.parametrize("centres", [unit(1), unit(0)])
def test_there_is_no_chance_without_two(centres):
    with pytest.raises(ValueError, match="no centres of two identities"):
        chance_of_pair(centres)


def test_histograms_count_each_pair_once():
    embeddings, owners = unit(10), np.repeat([1, 2], 5)
    centres, identities = np.stack([embeddings[0], embeddings[5]]), np.array([1, 2])
    found = histograms(embeddings, owners, centres, identities, 100)
    assert {name: counts.sum() for name, counts in found.items()} == {"own": 10, "others": 10, "centres": 1}
    # An image is its own centre here, also where rounding makes its similarity more than 1.
    assert found["own"][-1] == 2
