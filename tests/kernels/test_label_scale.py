"""Distances on the scale of labels, against the formulas of the paper written out image by image."""

import numpy as np
import pytest

from fiqa_spark.kernels.label_scale import are_beyond, scaled_labels

LOW, HIGH = np.array([0.1, 0.2, 0.0]), np.array([0.9, 1.2, 0.5])
MEANS_OF = (0.15, 0.8)
# Within the ranges, at their ends, beyond them, and without distances.
DISTANCES = np.array([[0.5, 0.7, 0.25], [0.1, 1.2, 0.5], [0.05, 1.3, 0.1], [np.nan, np.nan, np.nan]], np.float32)
MEANS = DISTANCES.mean(axis=1, dtype=np.float64)


def scaled(distances=DISTANCES, **given):
    return scaled_labels(distances, MEANS, (LOW, HIGH), MEANS_OF, **{"per_round": True, "cut": False, **given})


def of_round(image, number):
    return (float(DISTANCES[image, number]) - LOW[number]) / (HIGH[number] - LOW[number]) * 100


def test_a_label_is_the_mean_of_its_rounds_each_on_its_scale():
    labels, round_labels = scaled()
    for image in range(3):
        expected = [of_round(image, number) for number in range(3)]
        np.testing.assert_allclose(labels[image], np.mean(expected), rtol=1e-12)
        np.testing.assert_allclose(round_labels[image], expected, rtol=1e-6)


def test_a_label_by_the_mean_distance_is_scaled_once():
    labels, _ = scaled(per_round=False)
    np.testing.assert_allclose(labels[:3], (MEANS[:3] - 0.15) / (0.8 - 0.15) * 100, rtol=1e-12)


@pytest.mark.parametrize("per_round", [True, False])
def test_an_image_without_distances_has_no_label(per_round):
    labels, round_labels = scaled(per_round=per_round, cut=True)
    assert np.isnan(labels).tolist() == [False, False, False, True]
    assert np.isnan(round_labels[3]).all()


def test_what_lies_beyond_a_range_is_cut_round_by_round():
    labels, round_labels = scaled(cut=True)
    assert round_labels[2, :2].tolist() == [0, 100]
    np.testing.assert_allclose(labels[2], (0 + 100 + of_round(2, 2)) / 3)
    assert are_beyond(DISTANCES, (LOW, HIGH)).tolist() == [False, False, True, False]


@pytest.mark.parametrize("rounds", [1, 2, 7, 1000])
def test_any_number_of_rounds_is_summed(rounds):
    distances = np.random.default_rng(rounds).random((5, rounds), np.float32)
    of_rounds = np.zeros(rounds), np.ones(rounds)
    labels, _ = scaled_labels(distances, distances.mean(1), of_rounds, (0.0, 1.0), per_round=True, cut=False)
    np.testing.assert_allclose(labels, distances.astype(np.float64).mean(axis=1) * 100, rtol=1e-12)
