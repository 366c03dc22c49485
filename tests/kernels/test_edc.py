"""Curves against the golden values, an independent reference, and what must hold of any of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels.edc import (
    STEPS,
    are_errors,
    best_partial_auc,
    coarser_levels,
    error_versus_discard,
    pair_similarities,
    partial_auc,
    quality_levels,
    recomputed_error_versus_discard,
    resampled_weights,
    starting_threshold,
)
from tests.conftest import ROOT

pytestmark = pytest.mark.lowest_versions

EXAMPLE = ROOT / "tests" / "data" / "edc_example.npz"
TOY = np.array([1, 1, 2, 3, 3, 4.0]), np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.9])
# edc.py of dasec/quality-assessment-evaluation on that file, starting error 0.05: pAUC up to 0.2, 0.3 and 1, and the
# number of points of the curve.
GOLDEN = {
    1: (0.0069596816, 0.0095333766, 0.0161381672, 3801),
    2: (0.0093187126, 0.0135076425, 0.0224701453, 3802),
    3: (0.0078432575, 0.0106866757, 0.0239520445, 3801),
}
GOLDEN_THRESHOLD = 0.026744164070579553

_levels = st.lists(st.tuples(st.integers(0, 6), st.floats(-1, 1)), min_size=2, max_size=40)


def curve(qualities, similarities, threshold, error="fnmr", weights=None):
    errors = are_errors(similarities, threshold, error=error)
    discards, (error_rates,) = error_versus_discard(quality_levels(qualities), [errors], weights)
    return discards, error_rates


def reference_curve(qualities, similarities, threshold):
    """By the definition: for each distinct quality, what is left above it."""
    points = []
    for bound in [-np.inf, *sorted(set(qualities))]:
        left = [similarity for quality, similarity in zip(qualities, similarities, strict=True) if quality > bound]
        errors = [similarity < threshold for similarity in left]
        points.append((1 - len(left) / len(qualities), sum(errors) / len(left) if left else 0.0))
    return np.array(points).T


@pytest.fixture(scope="module")
def example():
    """Similarities of the pairs, and of each algorithm the lower one of the ranks of their two samples' qualities."""
    with np.load(EXAMPLE) as data:
        return data["similarities"], {number: data[f"ranks_{number}"][data["pairs"]].min(axis=1) for number in GOLDEN}


@pytest.mark.parametrize("algorithm", GOLDEN)
def test_golden_values(example, algorithm):
    similarities, qualities = example
    threshold = starting_threshold(similarities, 0.05, error="fnmr")
    assert threshold == pytest.approx(GOLDEN_THRESHOLD, abs=1e-15)
    discards, errors = curve(qualities[algorithm], similarities, threshold)
    *areas, points = GOLDEN[algorithm]
    assert len(discards) == points
    for limit, area in zip((0.2, 0.3, 1), areas, strict=True):
        assert partial_auc(discards, errors, limit) == pytest.approx(area, abs=1e-9)
        assert best_partial_auc(errors[0], limit) == pytest.approx(0.00125, abs=1e-9)


def test_toy_example():
    discards, errors = curve(*TOY, 0.5)
    np.testing.assert_allclose(discards, [0, 1 / 3, 1 / 2, 5 / 6, 1], atol=1e-9)
    np.testing.assert_allclose(errors, [0.5, 0.5, 1 / 3, 0, 0], atol=1e-9)
    for limit, area, best in ((0.4, 0.2, 0.12), (0.5, 0.25, 0.125), (1, 0.361111111111, 0.125)):
        assert partial_auc(discards, errors, limit) == pytest.approx(area, abs=1e-9)
        assert best_partial_auc(errors[0], limit) == pytest.approx(best, abs=1e-9)


@given(_levels, st.floats(-1, 1))
def test_curve_is_that_of_the_definition(pairs, threshold):
    qualities, similarities = map(np.array, zip(*pairs, strict=True))
    discards, errors = curve(qualities, similarities, threshold)
    np.testing.assert_allclose((discards, errors), reference_curve(qualities, similarities, threshold), atol=1e-12)


@given(_levels, st.floats(-1, 1), st.randoms())
def test_order_of_pairs_and_monotone_maps_of_the_quality_change_nothing(pairs, threshold, random):
    qualities, similarities = map(np.array, zip(*pairs, strict=True))
    order = np.array(random.sample(range(len(pairs)), len(pairs)))
    expected = curve(qualities, similarities, threshold)
    np.testing.assert_array_equal(curve(qualities[order], similarities[order], threshold), expected)
    np.testing.assert_array_equal(curve(np.exp(3 * qualities) - 100, similarities, threshold), expected)


@given(_levels, st.floats(-1, 1), st.data())
def test_a_weight_is_a_number_of_copies(pairs, threshold, data):
    qualities, similarities = map(np.array, zip(*pairs, strict=True))
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs))))
    if not weights.any():
        weights[0] = 1
    copies = np.repeat(np.arange(len(pairs)), weights)
    for limit in (0.2, 1):
        weighted = partial_auc(*curve(qualities, similarities, threshold, weights=weights), limit)
        copied = partial_auc(*curve(qualities[copies], similarities[copies], threshold), limit)
        assert weighted == pytest.approx(copied, abs=1e-12)


@pytest.mark.parametrize("error", ["fnmr", "fmr"])
def test_perfect_quality_reaches_the_theoretical_best(error):
    similarities = np.random.default_rng(0).uniform(-1, 1, 5000)
    qualities = similarities if error == "fnmr" else -similarities
    for start in (0.05, 0.1):
        discards, errors = curve(qualities, similarities, starting_threshold(similarities, start, error=error), error)
        for limit in (0.02, 0.2, 1):
            area, best = partial_auc(discards, errors, limit), best_partial_auc(errors[0], limit)
            # The best counts errors over all pairs; the curve over those left, which are 1 - x of them at least.
            assert best <= area <= best / (1 - min(start, limit)) + start / len(similarities)


@pytest.mark.parametrize("error", ["fnmr", "fmr"])
def test_random_quality_stays_at_the_starting_error(error):
    random = np.random.default_rng(1)
    similarities, qualities = random.uniform(-1, 1, 50_000), random.uniform(size=50_000)
    discards, errors = curve(qualities, similarities, starting_threshold(similarities, 0.1, error=error), error)
    assert errors[0] == pytest.approx(0.1, abs=1e-4)
    np.testing.assert_allclose(errors[discards < 0.8], 0.1, atol=0.01)


def test_constant_quality_leaves_at_once():
    discards, errors = curve(np.ones(6), TOY[1], 0.5)
    np.testing.assert_array_equal((discards, errors), ([0, 1], [0.5, 0]))


def test_ties_at_the_threshold():
    similarities = np.array([0.4, 0.5, 0.6])
    assert are_errors(similarities, 0.5, error="fnmr").tolist() == [True, False, False]
    assert are_errors(similarities, 0.5, error="fmr").tolist() == [False, True, True]


def reference_recomputed(qualities, similarities, mated, fmr):
    """By the definition: whole levels that fit in each step, the threshold by NumPy's own quantile."""
    points = {}
    for step in range(STEPS):
        most = step * len(qualities) // STEPS
        fitting = [bound for bound in np.unique(qualities) if (qualities <= bound).sum() <= most]
        left = qualities > fitting[-1] if fitting else np.ones(len(qualities), bool)
        if not (left & mated).any() or not (left & ~mated).any():
            break
        threshold = np.quantile(similarities[left & ~mated], 1 - fmr)
        points[1 - left.mean()] = (similarities[left & mated] < threshold).mean()
    return np.array([*points, 1.0]), np.array([*points.values(), 0.0])


def recomputed(levels, similarities, mated, fmr, weights=None):
    discards, (error_rates,) = recomputed_error_versus_discard(levels, similarities, mated, [fmr], weights)
    return discards, error_rates


@pytest.mark.parametrize("distinct", [12, 10**6])
def test_recomputed_thresholds_are_those_of_the_definition(distinct):
    random = np.random.default_rng(2)
    mated, qualities = random.uniform(size=3000) < 0.4, random.integers(distinct, size=3000)
    similarities = random.normal(np.where(mated, 0.6, 0), 0.2)
    expected = reference_recomputed(qualities, similarities, mated, 0.013)
    levels = quality_levels(qualities)
    found = recomputed(levels, similarities, mated, 0.013)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    weights = random.integers(0, 3, 3000)
    copies = np.repeat(np.arange(3000), weights)
    copied = recomputed(quality_levels(qualities[copies]), similarities[copies], mated[copies], 0.013)
    weighted = recomputed(levels, similarities, mated, 0.013, weights)
    np.testing.assert_allclose(weighted, copied, atol=1e-12)


def test_curves_of_several_operating_points_are_those_of_each():
    random = np.random.default_rng(5)
    mated, levels = random.uniform(size=500) < 0.4, quality_levels(random.integers(40, size=500))
    similarities = random.normal(np.where(mated, 0.6, 0), 0.2)
    discards, error_rates = recomputed_error_versus_discard(levels, similarities, mated, [0.01, 0.1])
    for fmr, rates in zip((0.01, 0.1), error_rates, strict=True):
        np.testing.assert_array_equal((discards, rates), recomputed(levels, similarities, mated, fmr))
    errors = [are_errors(similarities, threshold, error="fnmr") for threshold in (0.3, 0.5)]
    discards, error_rates = error_versus_discard(levels, errors)
    for each, rates in zip(errors, error_rates, strict=True):
        alone, (of_one,) = error_versus_discard(levels, [np.flatnonzero(each)])
        np.testing.assert_array_equal((discards, rates), (alone, of_one))


def test_recomputed_curve_ends_where_one_kind_of_pairs_is_gone():
    qualities, mated = np.arange(40), np.arange(40) >= 20
    discards, _ = recomputed(quality_levels(qualities), np.linspace(-1, 1, 40), mated, 0.1)
    np.testing.assert_allclose(discards, [*np.arange(10) / 20, 1])


def test_pair_similarities_are_cosines_whatever_rows_stand_beside():
    random = np.random.default_rng(3)
    a, b = (random.standard_normal((50, 128)).astype(np.float32) for _ in range(2))
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b))
    found = pair_similarities(a, b)
    np.testing.assert_allclose(found, [np.dot(x.astype(float), y.astype(float)) for x, y in zip(a, b, strict=True)])
    np.testing.assert_array_equal(found[7:9], pair_similarities(a[7:9], b[7:9]))


def test_resampled_pairs_come_with_their_identities():
    identities_a, identities_b, counts = np.array([0, 0, 1, 2]), np.array([0, 1, 2, 2]), np.array([2, 3, 0])
    assert resampled_weights(identities_a, identities_b, counts).tolist() == [2, 6, 0, 0]


def test_coarser_levels_keep_their_order_and_hold_about_equally_many_pairs():
    levels = quality_levels(np.random.default_rng(4).integers(1000, size=50_000) ** 2)
    coarse = coarser_levels(levels, 100)
    assert coarse.min() == 0
    assert coarse.max() == 99
    order = np.argsort(levels, kind="stable")
    assert (np.diff(coarse[order]) >= 0).all()
    assert len(np.unique(np.stack((levels, coarse)), axis=1).T) == len(np.unique(levels))
    assert np.bincount(coarse).max() < 700
    np.testing.assert_array_equal(coarser_levels(levels, 1000), levels)
