import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from fiqa_spark.kernels.wasserstein import wasserstein_distance_sorted

pytestmark = pytest.mark.lowest_versions

similarities = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40)


def naive_distance(first, second):
    """Area between the two distribution functions, added up between neighbouring values."""
    values = sorted([*first, *second])
    area = 0.0
    for left, right in itertools.pairwise(values):
        below_first = sum(value <= left for value in first) / len(first)
        below_second = sum(value <= left for value in second) / len(second)
        area += abs(below_first - below_second) * (right - left)
    return area


def distance(first, second):
    first, second = (np.sort(np.asarray(values, np.float64)) for values in (first, second))
    return float(wasserstein_distance_sorted(first, second))


@given(similarities, similarities)
def test_agrees_with_scipy_and_with_the_area_for_any_two_sizes(first, second):
    assert distance(first, second) == pytest.approx(wasserstein_distance(first, second), abs=1e-9)
    assert distance(first, second) == pytest.approx(naive_distance(first, second), abs=1e-9)


@given(similarities)
def test_equal_distributions_have_no_distance_even_at_different_sizes(values):
    assert distance(values, values) == 0
    assert distance(values, np.repeat(values, 3)) == pytest.approx(0, abs=1e-12)


@given(similarities, similarities)
def test_is_symmetric(first, second):
    assert distance(first, second) == pytest.approx(distance(second, first), abs=1e-12)


@given(similarities, similarities, st.floats(0.1, 10))
def test_scales_with_its_values(first, second, factor):
    scaled = distance(np.multiply(first, factor), np.multiply(second, factor))
    assert scaled == pytest.approx(factor * distance(first, second), abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [(24, 24), (1, 24), (23, 24), (24, 7), (499, 9501)])
def test_float32_rows_agree_with_scipy(a, b):
    random = np.random.default_rng(1)
    first = np.sort(random.uniform(-1, 1, (5, 3, a)).astype(np.float32))
    second = np.sort(random.uniform(-1, 1, (5, 1, b)).astype(np.float32))
    found = wasserstein_distance_sorted(first, second)
    expected = [[wasserstein_distance(row, second[i, 0]) for row in first[i]] for i in range(5)]
    np.testing.assert_allclose(found, expected, atol=2e-6)
