"""Qualities of pairs by hand values."""

import numpy as np
import pytest

from fiqa_spark.kernels.pair_qualities import WAYS, pair_qualities

A, B = np.array([10.0, 80, 50, 0]), np.array([40.0, 20, 50, 30])
BY_HAND = {
    "min": [10, 20, 50, 0],
    "mean": [25, 50, 50, 15],
    "product": [400, 1600, 2500, 0],
    "max": [40, 80, 50, 30],
}


@pytest.mark.parametrize("how", WAYS)
def test_qualities_by_hand_whichever_image_comes_first(how):
    assert pair_qualities(A, B, how).tolist() == BY_HAND[how]
    assert pair_qualities(B, A, how).tolist() == BY_HAND[how]


@pytest.mark.parametrize("how", WAYS)
def test_a_pair_without_a_label_has_no_quality(how):
    assert np.isnan(pair_qualities(np.array([np.nan, 3.0]), np.array([3.0, np.nan]), how)).all()


def test_the_lower_label_is_the_usual_quality():
    assert pair_qualities(A, B).tolist() == BY_HAND[WAYS[0]]


def test_a_way_that_is_none_is_refused():
    with pytest.raises(KeyError, match="median"):
        pair_qualities(A, B, "median")
