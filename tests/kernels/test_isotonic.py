"""The fit that never rises, against its closed form, scikit-learn, and what must hold of any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from fiqa_spark.kernels.isotonic import non_increasing_fit

pytestmark = pytest.mark.lowest_versions

_elements = st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 50)), min_size=1, max_size=25)

# scikit-learn 1.9.1: IsotonicRegression(increasing=False).fit(range(12), VALUES, WEIGHTS).predict(range(12))
VALUES = [1.54, 1.05, 0.35, 0.65, 0.5, 0.45, 0.69, -0.15, 0.66, -0.27, 0.02, 0.35]
WEIGHTS = [3, 1, 5, 7, 1, 5, 6, 1, 6, 3, 2, 4]
GOLDEN = [1.54, 1.05, 0.549583, 0.549583, 0.549583, 0.549583, 0.549583, 0.544286, 0.544286, 0.07, 0.07, 0.07]


def fit(elements):
    values, weights = (np.array(each, float) for each in zip(*elements, strict=True))
    return values, weights, non_increasing_fit(values, weights)


def closed_form(values, weights):
    """The least, over starts up to an element, of the largest means from there to an end at or after it."""
    count = len(values)
    mean = {
        (start, end): np.average(values[start : end + 1], weights=weights[start : end + 1])
        for start in range(count)
        for end in range(start, count)
    }
    return [
        min(max(mean[start, end] for end in range(place, count)) for start in range(place + 1))
        for place in range(count)
    ]


@given(_elements)
def test_fit_is_that_of_the_closed_form(elements):
    values, weights, fitted = fit(elements)
    np.testing.assert_allclose(fitted, closed_form(values, weights), atol=1e-12)


def test_golden_values():
    np.testing.assert_allclose(non_increasing_fit(np.array(VALUES), np.array(WEIGHTS)), GOLDEN, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_fit_is_that_of_scikit_learn(seed):
    random = np.random.default_rng(seed)
    values, weights = random.normal(np.linspace(1, 0, 300), 0.5), random.uniform(0, 3, 300)
    weights[random.uniform(size=300) < 0.2] = 0
    places, weighty = np.arange(300), weights > 0
    model = IsotonicRegression(increasing=False).fit(places, values, weights)
    np.testing.assert_allclose(non_increasing_fit(values, weights)[weighty], model.predict(places)[weighty], atol=1e-12)


@given(_elements)
def test_fit_never_rises_and_keeps_the_mean(elements):
    values, weights, fitted = fit(elements)
    assert (np.diff(fitted) <= 0).all()
    assert fitted @ weights == pytest.approx(values @ weights, abs=1e-9)


@given(_elements)
def test_a_fit_is_its_own_fit(elements):
    _, weights, fitted = fit(elements)
    np.testing.assert_allclose(non_increasing_fit(fitted, weights), fitted, rtol=1e-14, atol=0)


@given(_elements, st.floats(0.01, 100), st.floats(-5, 5))
def test_fit_goes_with_scale_and_shift_of_values_and_ignores_that_of_weights(elements, scale, shift):
    values, weights, fitted = fit(elements)
    np.testing.assert_allclose(
        non_increasing_fit(scale * values + shift, scale * weights), scale * fitted + shift, atol=1e-10
    )


def test_higher_values_give_no_lower_fit():
    random = np.random.default_rng(1)
    values, weights = random.uniform(size=50), random.uniform(size=50)
    higher = values + random.uniform(0, 0.3, 50)
    assert (non_increasing_fit(higher, weights) >= non_increasing_fit(values, weights) - 1e-12).all()


def test_elements_without_weight_take_the_value_before_them_or_else_after():
    values = np.array([np.nan, 9, 0.5, np.nan, -7, 0.2, 0.4, 1e9])
    fitted = non_increasing_fit(values, np.array([0, 0, 2, 0, 0, 1, 3, 0.0]))
    np.testing.assert_allclose(fitted, [0.5, 0.5, 0.5, 0.5, 0.5, 0.35, 0.35, 0.35])
    inside = non_increasing_fit(np.array([0.1, np.nan, 0.3]), np.array([1, 0, 1]))
    np.testing.assert_allclose(inside, [0.2, 0.2, 0.2])


def test_without_any_weight_there_is_no_fit():
    assert np.isnan(non_increasing_fit(np.array([0.1, 0.2]), np.zeros(2))).all()
    assert non_increasing_fit(np.zeros(0), np.zeros(0)).shape == (0,)
