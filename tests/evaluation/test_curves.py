"""Curves, areas and intervals of label sets over the same pairs; no Spark."""

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest

from fiqa_spark.evaluation import curves
from fiqa_spark.evaluation.curve_files import POINTS_AT_MOST, as_csv, as_parquet, curves_table
from fiqa_spark.evaluation.curves import compare, similarity_histograms
from fiqa_spark.evaluation.findings import Comparison, Curve, JudgeFindings, OperatingPoint
from fiqa_spark.evaluation.pair_similarities import ComparedPairs
from fiqa_spark.evaluation.settings import EvaluationSettings

SETTINGS = EvaluationSettings(feature_root="x", starting_error=(0.1,), at_fmr=(0.01,))
NAMES = ("perfect", "random", "inverse")
IDENTITIES = 300


@pytest.fixture(scope="module")
def pairs():
    """Mated pairs of 300 identities, 10 of each, and non-mated ones of two, by perfect, random and inverse quality."""
    random = np.random.default_rng(0)
    mated = np.arange(9000) < 10 * IDENTITIES
    first, second = np.arange(9000) // 10 % IDENTITIES, random.integers(IDENTITIES, size=9000)
    second = np.where(mated, first, np.where(second == first, (second + 1) % IDENTITIES, second))
    similarities = random.normal(np.where(mated, 0.6, 0.0), 0.15)
    qualities = np.where(mated, similarities, -similarities), random.uniform(size=9000), -similarities
    images = np.arange(9000), -np.arange(9000)
    return ComparedPairs(similarities, mated, (first * 7919 - 5, second * 7919 - 5), images, qualities, qualities)


@pytest.fixture(scope="module")
def compared(pairs):
    """Three comparisons by a fixed threshold: FNMR that starts at 0.1 and at FMR 0.01, and FMR that starts at 0.1."""
    return compare(pairs, NAMES, dataclasses.replace(SETTINGS, error=("fnmr", "fmr")))


def test_random_quality_stays_at_the_starting_error_within_its_interval(compared):
    assert [comparison.operating_point for comparison in compared] == [
        ("fnmr", "error", 0.1),
        ("fnmr", "fmr", 0.01),
        ("fmr", "error", 0.1),
    ]
    for comparison in compared:
        perfect, chance, _ = comparison.curves
        for area in chance.areas:
            # From where the starting error leaves off, few pairs are left to tell of.
            if area.limit < 1:
                assert area.interval.low <= comparison.starting_error * area.limit <= area.interval.high
                assert area.of_chance_interval.low <= 1 <= area.of_chance_interval.high
            assert area.interval.low < area.value < area.interval.high
        for area in perfect.areas:
            assert 0 <= area.delta_to_best < 0.1 * area.value + 1e-3
            assert area.of_chance == pytest.approx(area.value / (comparison.starting_error * area.limit))
            assert area.of_chance_interval.high < 1


def test_differences_are_those_of_the_areas_and_sure_where_sets_differ(compared):
    first, second, _ = compared[0].curves
    for own, other in zip(first.areas, second.areas, strict=True):
        assert (own.delta_to_first, own.delta_to_first_interval) == (0, (0, 0))
        assert other.delta_to_first == other.value - own.value
        low, high = other.delta_to_first_interval
        assert 0 < low < other.delta_to_first < high


def test_interval_is_that_of_the_spread_over_samples_of_identities(compared):
    areas = compared[0].curves[1].areas
    # New identities by the same law, the threshold as it is: what the bootstrap stands for.
    found, threshold = [], compared[0].threshold
    for seed in range(200):
        random = np.random.default_rng(seed)
        errors = random.normal(0.6, 0.15, 10 * IDENTITIES) < threshold
        order = np.argsort(random.uniform(size=len(errors)))
        left = np.cumsum(errors[order][::-1])[::-1] / np.arange(len(errors), 0, -1)
        found.append(left[: int(0.2 * len(errors))].sum() / len(errors))
    low, high = np.percentile(found, (2.5, 97.5))
    assert areas[0].interval.high - areas[0].interval.low == pytest.approx(high - low, rel=0.25)


@pytest.mark.parametrize("convention", ["fixed", "recomputed"])
def test_order_of_pairs_and_monotone_maps_of_the_quality_change_nothing(pairs, convention, monkeypatch):
    monkeypatch.setattr(curves, "RESAMPLES", 40)
    settings = dataclasses.replace(SETTINGS, convention=convention)
    order = np.random.default_rng(1).permutation(len(pairs.mated))
    mapped = tuple(np.exp(qualities[order]) for qualities in pairs.qualities)
    shuffled = ComparedPairs(
        pairs.similarities[order],
        pairs.mated[order],
        tuple(identities[order] for identities in pairs.identities),
        tuple(images[order] for images in pairs.images),
        mapped,
        mapped,
    )
    for expected, found in zip(compare(pairs, NAMES, settings), compare(shuffled, NAMES, settings), strict=True):
        assert found[:-1] == expected[:-1]
        for curve, other in zip(expected.curves, found.curves, strict=True):
            assert other.areas == curve.areas
            np.testing.assert_array_equal(other.discards, curve.discards)
            np.testing.assert_array_equal(other.error_rates, curve.error_rates)


def test_intervals_hardly_depend_on_how_fine_the_levels_of_resamples_are(pairs, compared, monkeypatch):
    monkeypatch.setattr(curves, "_RESAMPLED_LEVELS", 200)
    for expected, found in zip(compared[:2], compare(pairs, NAMES, SETTINGS), strict=True):
        for curve, other in zip(expected.curves, found.curves, strict=True):
            for own, coarse in zip(curve.areas, other.areas, strict=True):
                of_fine, of_coarse = ((*area.interval, *area.delta_to_first_interval) for area in (own, coarse))
                whole = {"interval": None, "delta_to_first_interval": None, "of_chance_interval": None}
                assert coarse._replace(**whole) == own._replace(**whole)
                assert of_coarse == pytest.approx(of_fine, abs=0.1 * (own.interval.high - own.interval.low))


def test_the_recomputed_convention_has_curves_at_fmrs_only_and_no_best(pairs, compared, monkeypatch):
    monkeypatch.setattr(curves, "RESAMPLES", 100)
    settings = dataclasses.replace(SETTINGS, convention="recomputed", at_fmr=(0.01, 0.1))
    found = compare(pairs, NAMES, settings)
    assert [(*comparison.operating_point, comparison.pairs) for comparison in found] == [
        ("fnmr", "fmr", fmr, 9000) for fmr in (0.01, 0.1)
    ]
    # They start where those of a fixed threshold do.
    assert found[0].threshold == compared[1].threshold
    assert found[0].starting_error == compared[1].starting_error
    areas = [area for comparison in found for curve in comparison.curves for area in curve.areas]
    assert all(area.delta_to_best is None for area in areas)
    of_random = [area for comparison in found for area in comparison.curves[1].areas]
    assert all(area.interval.low <= area.value <= area.interval.high for area in of_random)


def test_resamples_without_one_kind_of_pairs_are_drawn_again():
    # Half of all draws of two identities hold one of them twice, and then no non-mated pair.
    pairs = ComparedPairs(
        np.array([0.9, 0.1, 0.5, 0.3]),
        np.array([True, True, False, False]),
        (np.array([1, 2, 1, 2]), np.array([1, 2, 2, 1])),
        (np.array([1, 3, 1, 4]), np.array([2, 4, 3, 2])),
        (np.array([4.0, 3, 2, 1]),),
        (np.array([4.0, 3, 2, 1]),),
    )
    for convention in ("fixed", "recomputed"):
        settings = dataclasses.replace(SETTINGS, error=("fnmr", "fmr"), convention=convention)
        areas = [area for comparison in compare(pairs, ["a"], settings) for area in comparison.curves[0].areas]
        # So few non-mated pairs do not tell where a threshold of theirs is.
        told = [area.interval for area in areas if area.interval]
        assert np.isfinite([area.value for area in areas]).all()
        assert np.isfinite(told).all()
        assert bool(told) == (convention == "fixed")


def test_histograms_count_every_pair(pairs):
    found = similarity_histograms(pairs)
    assert (found.mated.sum(), found.non_mated.sum()) == (pairs.mated.sum(), (~pairs.mated).sum())
    assert len(found.edges) == len(found.mated) + 1


def test_files_hold_every_point_or_of_a_long_curve_those_at_even_discards():
    count = 3 * POINTS_AT_MOST
    long = Curve('long, "=1+1"', np.linspace(0, 1, count + 1), np.linspace(0.1, 0, count + 1), ())
    short = Curve("short", np.array([0, 1 / 3, 1]), np.array([0.1, 0.05, 0]), ())
    comparison = Comparison(OperatingPoint("fnmr", "error", 0.1), 0.5, 0.1, count, (long, short))
    table = curves_table((JudgeFindings("judge", "/features", (), {}, (comparison,), None),))
    for read in (pd.read_parquet(io.BytesIO(as_parquet(table))), pd.read_csv(io.BytesIO(as_csv(table)))):
        assert list(read.columns) == ["label_set", "judge", "error", "start", "at", "discard", "error_value"]
        kept, whole = (read[read["label_set"] == name] for name in (long.label_set, "short"))
        np.testing.assert_array_equal(whole[["discard", "error_value"]].T, (short.discards, short.error_rates))
        assert len(kept) == POINTS_AT_MOST
        assert kept["discard"].iloc[[0, -1]].tolist() == [0, 1]
        np.testing.assert_allclose(kept["error_value"], 0.1 * (1 - kept["discard"]), atol=1e-12)
