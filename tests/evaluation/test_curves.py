"""Curves, areas and intervals of label sets over the same pairs; no Spark."""

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest

from fiqa_spark.evaluation.curve_files import POINTS_AT_MOST, as_csv, as_parquet, curves_table
from fiqa_spark.evaluation.curves import compare, similarity_histograms
from fiqa_spark.evaluation import curves
from fiqa_spark.evaluation.findings import Comparison, Curve
from fiqa_spark.evaluation.pair_similarities import ComparedPairs
from fiqa_spark.evaluation.settings import EvaluationSettings

SETTINGS = EvaluationSettings(feature_root="x", starting_error=(0.1,), at_fmr=(0.01,))
IDENTITIES = 300


@pytest.fixture(scope="module")
def pairs():
    """Mated pairs of 300 identities, 10 of each, and non-mated ones of two, by perfect, random and inverse quality."""
    random = np.random.default_rng(0)
    mated = np.arange(9000) < 10 * IDENTITIES
    owners_a, owners_b = np.arange(9000) // 10 % IDENTITIES, random.integers(IDENTITIES, size=9000)
    owners_b = np.where(mated, owners_a, np.where(owners_b == owners_a, (owners_b + 1) % IDENTITIES, owners_b))
    similarities = random.normal(np.where(mated, 0.6, 0.0), 0.15)
    qualities = np.where(mated, similarities, -similarities), random.uniform(size=9000), -similarities
    return ComparedPairs(similarities, mated, (owners_a * 7919 - 5, owners_b * 7919 - 5), qualities)


@pytest.mark.parametrize("error", ["fnmr", "fmr"])
def test_random_quality_stays_at_the_starting_error_within_its_interval(pairs, error):
    settings = dataclasses.replace(SETTINGS, error=(error,))
    for comparison in compare(pairs, ["perfect", "random", "inverse"], settings):
        perfect, chance, _ = comparison.curves
        for area in chance.areas:
            # From where the starting error leaves off, few pairs are left to tell of.
            if area.limit < 1:
                assert area.low <= comparison.starting_error * area.limit <= area.high
            assert area.low < area.value < area.high
        for area in perfect.areas:
            assert 0 <= area.minus_best < 0.1 * area.value + 1e-3


def test_differences_are_those_of_the_areas_and_sure_where_sets_differ(pairs):
    comparison = compare(pairs, ["perfect", "random", "inverse"], SETTINGS)[0]
    first, second, _ = comparison.curves
    for own, other in zip(first.areas, second.areas, strict=True):
        assert (own.minus_first, own.minus_first_low, own.minus_first_high) == (0, 0, 0)
        assert other.minus_first == other.value - own.value
        assert 0 < other.minus_first_low < other.minus_first < other.minus_first_high


def test_interval_is_that_of_the_spread_over_samples_of_identities(pairs):
    areas = compare(pairs, ["perfect", "random", "inverse"], SETTINGS)[0].curves[1].areas
    # New identities by the same law, the threshold as it is: what the bootstrap stands for.
    found, threshold = [], compare(pairs, ["a", "b", "c"], SETTINGS)[0].threshold
    for seed in range(200):
        random = np.random.default_rng(seed)
        errors = random.normal(0.6, 0.15, 10 * IDENTITIES) < threshold
        order = np.argsort(random.uniform(size=len(errors)))
        left = np.cumsum(errors[order][::-1])[::-1] / np.arange(len(errors), 0, -1)
        found.append(left[: int(0.2 * len(errors))].sum() / len(errors))
    low, high = np.percentile(found, (2.5, 97.5))
    assert areas[0].high - areas[0].low == pytest.approx(high - low, rel=0.25)


@pytest.mark.parametrize("convention", ["fixed", "recomputed"])
def test_order_of_pairs_and_monotone_maps_of_the_quality_change_nothing(pairs, convention):
    settings = dataclasses.replace(SETTINGS, convention=convention)
    order = np.random.default_rng(1).permutation(len(pairs.mated))
    shuffled = ComparedPairs(
        pairs.similarities[order],
        pairs.mated[order],
        tuple(owners[order] for owners in pairs.owners),
        tuple(np.exp(qualities[order]) for qualities in pairs.qualities),
    )
    names = ["perfect", "random", "inverse"]
    for expected, found in zip(compare(pairs, names, settings), compare(shuffled, names, settings), strict=True):
        assert found[:6] == expected[:6]
        for curve, other in zip(expected.curves, found.curves, strict=True):
            assert other.areas == curve.areas
            np.testing.assert_array_equal(other.discards, curve.discards)
            np.testing.assert_array_equal(other.error_rates, curve.error_rates)


def test_intervals_hardly_depend_on_how_fine_the_levels_of_resamples_are(pairs, monkeypatch):
    names = ["perfect", "random", "inverse"]
    fine = compare(pairs, names, SETTINGS)
    monkeypatch.setattr(curves, "_RESAMPLED_LEVELS", 200)
    for expected, found in zip(fine, compare(pairs, names, SETTINGS), strict=True):
        for curve, other in zip(expected.curves, found.curves, strict=True):
            for own, coarse in zip(curve.areas, other.areas, strict=True):
                assert coarse[:3] == own[:3]
                assert coarse[3:] == pytest.approx(own[3:], abs=0.1 * (own.high - own.low))


def test_the_recomputed_convention_has_curves_at_fmrs_only_and_no_best(pairs):
    settings = dataclasses.replace(SETTINGS, convention="recomputed", at_fmr=(0.01, 0.1))
    found = compare(pairs, ["perfect", "random", "inverse"], settings)
    assert [(each.error, each.start, each.at, each.pairs) for each in found] == [
        ("fnmr", "fmr", at, 9000) for at in (0.01, 0.1)
    ]
    assert all(area.minus_best is None for each in found for curve in each.curves for area in curve.areas)
    assert all(area.low <= area.value <= area.high for each in found for area in each.curves[1].areas)


def test_resamples_without_one_kind_of_pairs_are_drawn_again():
    # Half of all draws of two identities hold one of them twice, and then no non-mated pair.
    pairs = ComparedPairs(
        np.array([0.9, 0.1, 0.5, 0.3]),
        np.array([True, True, False, False]),
        (np.array([1, 2, 1, 2]), np.array([1, 2, 2, 1])),
        (np.array([4.0, 3, 2, 1]),),
    )
    for convention in ("fixed", "recomputed"):
        settings = dataclasses.replace(SETTINGS, error=("fnmr", "fmr"), convention=convention)
        areas = [area for comparison in compare(pairs, ["a"], settings) for area in comparison.curves[0].areas]
        assert np.isfinite([(area.value, area.low, area.high) for area in areas]).all()


def test_histograms_count_every_pair(pairs):
    found = similarity_histograms(pairs)
    assert (found.mated.sum(), found.non_mated.sum()) == (pairs.mated.sum(), (~pairs.mated).sum())
    assert len(found.edges) == len(found.mated) + 1


def test_files_hold_every_point_or_of_a_long_curve_those_at_even_discards():
    count = 3 * POINTS_AT_MOST
    long = Curve('long, "=1+1"', np.linspace(0, 1, count + 1), np.linspace(0.1, 0, count + 1), ())
    short = Curve("short", np.array([0, 1 / 3, 1]), np.array([0.1, 0.05, 0]), ())
    table = curves_table((Comparison("fnmr", "error", 0.1, 0.5, 0.1, count, (long, short)),))
    for read in (pd.read_parquet(io.BytesIO(as_parquet(table))), pd.read_csv(io.BytesIO(as_csv(table)))):
        assert list(read.columns) == ["label_set", "error", "start", "at", "discard", "error_value"]
        kept, whole = (read[read["label_set"] == name] for name in (long.label_set, "short"))
        np.testing.assert_array_equal(whole[["discard", "error_value"]].T, (short.discards, short.error_rates))
        assert len(kept) == POINTS_AT_MOST
        assert kept["discard"].iloc[[0, -1]].tolist() == [0, 1]
        np.testing.assert_allclose(kept["error_value"], 0.1 * (1 - kept["discard"]), atol=1e-12)
