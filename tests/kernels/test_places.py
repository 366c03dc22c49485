"""Values at places, found in the ranges that hold them alone, are those of all values in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels.places import bounds_among, range_of, ranges_with, values_at

FEW = st.integers(-5, 5).map(float)
ANY = st.floats(-1e6, 1e6)


@given(st.lists(FEW, min_size=1) | st.lists(ANY, min_size=1), st.lists(FEW | ANY), st.data())
def test_places_hold_what_they_hold_in_a_sorted_list(values, bounds, data):
    places = data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1))
    bounds = np.unique(np.array(bounds, float))
    in_order = sorted(values)
    numbers = range_of(np.array(values), bounds)
    counts = np.bincount(numbers, minlength=len(bounds) + 1)
    at_hand = np.array(values)[ranges_with(np.array(places), counts)[numbers]]
    placed = values_at(np.array(places), at_hand, np.ones(len(at_hand), int), bounds, counts)
    assert placed.values.tolist() == [in_order[place] for place in places]
    assert placed.below.tolist() == [in_order.index(in_order[place]) for place in places]


def test_values_that_occur_often_may_stand_in_one_element_or_in_several():
    placed = values_at(
        np.array([0, 2, 3, 9]), np.array([7.0, 1.0, 7.0]), np.array([5, 3, 2]), np.empty(0), np.array([10])
    )
    assert placed.values.tolist() == [1, 1, 7, 7]
    assert placed.below.tolist() == [0, 0, 3, 3]


@pytest.mark.parametrize("ranges", [1, 2, 7, 50])
def test_ranges_of_a_sample_hold_about_as_many_each(ranges):
    sample = np.random.default_rng(1).permutation(1000).astype(float)
    bounds = bounds_among(sample, ranges)
    counts = np.bincount(range_of(sample, bounds), minlength=len(bounds) + 1)
    assert len(counts) == ranges
    assert counts.max() - counts.min() <= 1


def test_ranges_of_one_value_or_none():
    assert bounds_among(np.full(9, 4.0), 5).tolist() == [4]
    assert bounds_among(np.empty(0), 5).tolist() == []
