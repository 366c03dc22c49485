"""Intervals, nested cuts and promised error rates, against published values, naive loops and simulated truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import binom

from fiqa_spark.kernels.error_rates import (
    FEW_ERRING,
    NestedRates,
    design_effect,
    least_label_for,
    nested_pairs,
    nested_rates,
    score_interval,
    upper_bound,
)

# Newcombe (1998), table I, method 4: errors, pairs, low, high.
NEWCOMBE = [(81, 263, 0.2535, 0.3682), (15, 148, 0.0598, 0.1644), (0, 20, 0, 0.2005), (1, 29, 0.0018, 0.1963)]

_pairs = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 4)), max_size=40)


def columns(pairs):
    lower, errors, identities = np.array(pairs, float).reshape(-1, 3).T
    return lower, errors.astype(bool), identities.astype(int)


def rates_of(lower, errors, identities, labels):
    return nested_rates(nested_pairs(lower, identities, np.asarray(labels, float)), errors)


def effect_by_definition(errors, identities):
    """Variance of a ratio of totals of clusters over that of independent pairs."""
    rate, clusters = errors.mean(), np.unique(identities)
    deviations = [(errors[identities == each] - rate).sum() for each in clusters]
    variance = len(clusters) / (len(clusters) - 1) * np.square(deviations).sum() / len(errors) ** 2
    return variance / (rate * (1 - rate) / len(errors))


def clustered(random, identities, pairs, rate, correlation):
    """Errors of beta-distributed identities, whose intraclass correlation is known."""
    of = np.repeat(np.arange(identities), pairs)
    spread = 1 / correlation - 1
    return random.uniform(size=len(of)) < random.beta(rate * spread, (1 - rate) * spread, identities)[of], of


@pytest.mark.lowest_versions
@pytest.mark.parametrize(("errors", "pairs", "low", "high"), NEWCOMBE)
def test_published_intervals(errors, pairs, low, high):
    found = score_interval(errors, pairs, 1)
    np.testing.assert_allclose(found, (low, high), atol=5e-5)
    np.testing.assert_allclose(score_interval(pairs - errors, pairs, 1), (1 - found[1], 1 - found[0]), atol=1e-12)


@given(st.integers(1, 500), st.data(), st.floats(1, 1000))
def test_intervals_hold_the_rate(pairs, data, effect):
    errors = data.draw(st.integers(0, pairs))
    low, high = score_interval(errors, pairs, effect)
    assert 0 <= low <= errors / pairs <= high <= 1
    assert errors / pairs <= upper_bound(errors, pairs, effect) <= 1


@given(st.integers(5, 500), st.data(), st.floats(1, 20))
def test_intervals_widen_with_confidence_and_effect(independent_pairs, data, effect):
    pairs = int(np.ceil(independent_pairs * effect))
    errors = data.draw(st.integers(0, pairs))
    low, high = score_interval(errors, pairs, effect)
    surer_low, surer_high = score_interval(errors, pairs, effect, confidence=0.99)
    narrow_low, narrow_high = score_interval(errors, pairs, 1)
    assert surer_low - 1e-12 <= low <= narrow_low + 1e-12
    assert narrow_high - 1e-12 <= high <= surer_high + 1e-12
    assert upper_bound(errors, pairs, effect) <= high + 1e-12


def test_pairs_count_by_their_effect():
    np.testing.assert_allclose(score_interval(45, 444, 3), score_interval(15, 148, 1))


def test_intervals_of_many_rates_are_those_of_each_and_no_pair_tells_nothing():
    errors, pairs, effects = np.array([0, 3, 7, 0]), np.array([0, 50, 7, 9]), np.array([1, 2, 1, 1.5])
    low, high = score_interval(errors, pairs, effects)
    each = [score_interval(*one) for one in zip(errors, pairs, effects, strict=True)]
    np.testing.assert_array_equal(np.transpose([low, high]), each)
    assert (low[0], high[0]) == (0, 1)
    assert (high[2], low[3]) == (1, 0)


@pytest.mark.parametrize("pairs", [30, 300, 3000])
def test_bounds_of_independent_pairs_hold_as_often_as_said(pairs):
    errors = np.arange(pairs + 1)
    bounds = upper_bound(errors, pairs, 1)
    low, high = score_interval(errors, pairs, 1)
    for rate in (0.003, 0.01, 0.03, 0.1, 0.3):
        chances = binom.pmf(errors, pairs, rate)
        assert chances[bounds < rate].sum() <= 0.05
        assert chances[(low > rate) | (high < rate)].sum() <= 0.05


def test_design_effects_by_hand():
    # Five of ten identities err in both of their two pairs: 10 / 9 * 10 over 20 * 0.5 * 0.5.
    all_or_none = np.repeat([2.0, 0], 5)
    assert design_effect(all_or_none, np.full(10, 2.0)) == pytest.approx(20 / 9)
    assert design_effect(np.append(all_or_none, 0), np.append(np.full(10, 2.0), 0)) == pytest.approx(20 / 9)
    # Errors spread more evenly than by chance make no pair worth more than one.
    assert design_effect(np.full(10, 1.0), np.full(10, 2.0)) == 1


@pytest.mark.parametrize("errors", [[0, 0], [3, 4]])
def test_a_design_effect_that_cannot_be_told_is_1(errors):
    assert design_effect(np.array(errors, float), np.array([3.0, 4])) == 1
    assert design_effect(np.array([2.0]), np.array([5.0])) == 1


def test_design_effect_is_that_of_the_intraclass_correlation():
    errors, identities = clustered(np.random.default_rng(0), 20_000, 6, 0.1, 0.25)
    found = design_effect(np.bincount(identities, errors), np.bincount(identities))
    assert found == pytest.approx(1 + 0.25 * (6 - 1), rel=0.05)


@pytest.mark.lowest_versions
@given(_pairs)
def test_pairs_and_errors_left_are_those_of_a_loop(pairs):
    labels = [-1, 0, 1, 2.5, 4, 6, 7]
    rates = rates_of(*columns(pairs), labels)
    for label, left, wrong, company in zip(labels, rates.pairs, rates.errors, rates.company, strict=True):
        kept = [pair for pair in pairs if pair[0] >= label]
        assert left == len(kept)
        assert wrong == sum(error for _, error, _ in kept)
        together = sum(sum(other[2] == pair[2] for other in kept) for pair in kept)
        assert company == pytest.approx(together / len(kept) if kept else 1)


@pytest.mark.lowest_versions
def test_each_cut_has_the_design_effect_of_the_pairs_left():
    random = np.random.default_rng(1)
    errors, identities = clustered(random, 500, 8, 0.2, 0.3)
    lower = np.round(random.uniform(0, 100, len(errors)) + 20 * random.uniform(size=500)[identities])
    labels = [0, 20, 40, 60, 80]
    rates = rates_of(lower, errors, identities, labels)
    for label, effect, cautious in zip(labels, rates.effects, rates.cautious_effects, strict=True):
        left = lower >= label
        assert len(set(identities[left & errors])) >= FEW_ERRING
        assert cautious >= effect
        assert effect == pytest.approx(effect_by_definition(errors[left], identities[left]), rel=1e-9)


def test_the_order_of_pairs_and_the_numbers_of_identities_change_nothing():
    random = np.random.default_rng(2)
    lower, errors, identities = random.integers(0, 50, 900) / 2.0, random.uniform(size=900) < 0.1, np.arange(900) // 9
    order, numbers = random.permutation(900), random.permutation(1000)[:100]
    expected = rates_of(lower, errors, identities, np.arange(0, 26, 0.5))
    found = rates_of(lower[order], errors[order], numbers[identities][order], np.arange(0, 26, 0.5))
    np.testing.assert_array_equal(found, expected)


def test_without_errors_those_of_an_identity_are_assumed_to_be_correlated():
    lower, identities = np.repeat([10.0, 20], 60), np.tile(np.repeat(np.arange(20), 3), 2)
    # Six pairs an identity, then three: 1 + 0.2 * 5 and 1 + 0.2 * 2.
    effects = rates_of(lower, np.zeros(120, bool), identities, [0, 15, 30]).effects
    np.testing.assert_allclose(effects, [2, 1.4, 1])
    alone = rates_of(lower, np.zeros(120, bool), np.arange(120), [0, 15, 30])
    np.testing.assert_allclose(alone.effects, 1)


def test_few_errors_left_take_the_correlation_of_all_pairs():
    random = np.random.default_rng(3)
    errors, identities = clustered(random, 4000, 5, 0.1, 0.4)
    good = identities >= 2000
    errors[good] = False
    errors[np.flatnonzero(good)[0]] = True
    rates = rates_of(np.where(good, 90.0, 10), errors, identities, [0, 50])
    # Its own error would make it 1.
    assert effect_by_definition(errors[good], identities[good]) < 1.01
    assert rates.errors.tolist() == [errors.sum(), 1]
    assert rates.effects[1] == pytest.approx(rates.effects[0], rel=0.01)
    assert rates.effects[0] == pytest.approx(effect_by_definition(errors, identities))


def test_no_pair_at_all():
    rates = rates_of(np.zeros(0), np.zeros(0, bool), np.zeros(0, int), [0, 50])
    assert rates.pairs.tolist() == rates.errors.tolist() == [0, 0]
    assert least_label_for(rates, 0.01) == (None, 0)


def independent(labels, pairs, errors):
    """Rates of pairs of which each is of another identity."""
    ones = np.ones(len(labels))
    return NestedRates(np.array(labels, float), np.array(pairs), np.array(errors), ones, ones, ones)


@pytest.mark.lowest_versions
def test_least_label_by_hand():
    # Bounds of 95 %: 0.0129, 0.0096, 0.0087, 0.0075.
    rates = independent([0, 10, 20, 30], [10_000, 9000, 8000, 7000], [110, 70, 55, 40])
    assert least_label_for(rates, 0.01) == (10, 9000)
    assert least_label_for(rates, 0.0090) == (20, 8000)
    assert least_label_for(rates, 0.0130) == (0, 10_000)
    assert least_label_for(rates, 0.0074) == (None, 10_000)


def test_the_search_ends_at_the_first_cut_that_fails():
    # The cut at 10 would pass; the one at 20 does not.
    rates = independent([0, 10, 20, 30], [100_000, 60_000, 8000, 7000], [1100, 500, 80, 40])
    assert least_label_for(rates, 0.01) == (30, 7000)


def test_the_search_begins_at_a_looser_cut_too():
    # 19 errors of one identity fail the strictest cut, as they would weigh among few pairs.
    rates = independent([0, 10, 20, 30], [10_000, 8000, 7100, 3000], [300, 60, 30, 29])
    rates = rates._replace(cautious_effects=np.array([1.0, 1.0, 1.0, 9.0]))
    assert least_label_for(rates, 0.01) == (10, 8000)
    # What is left of the error probability for each is half: one-sided bounds of 97.5 %.
    assert upper_bound(60, 8000, 1, confidence=0.975) < 0.01 < upper_bound(29, 3000, 9, confidence=0.95)


def test_cuts_of_too_few_pairs_are_not_tested():
    # 2,000 pairs are asked for; 60 without an error prove nothing, and one with one would end the search.
    rates = independent([0, 50, 99], [9000, 4000, 60], [500, 10, 1])
    assert least_label_for(rates, 0.01) == (50, 4000)


def test_of_few_pairs_half_are_enough():
    rates = independent([0, 50], [1500, 800], [40, 1])
    assert least_label_for(rates, 0.01) == (50, 800)


CUTS = np.arange(0, 100, 0.5)
TARGET = 0.02
SHAPES = {
    "steep": lambda label: 0.4 * np.exp(-label / 8) + 0.001,
    "slow": lambda label: 0.3 * (1 - label / 100) ** 4 + 0.004,
    "step": lambda label: np.where(label < 50, 0.08, 0.008),
    "line": lambda label: 0.1 * (1 - label / 100),
    "worthless": lambda label: np.full_like(label, 1.02 * TARGET),
    "inverted": lambda label: 0.005 + 0.04 * label / 100,
    "floor_above": lambda label: 0.3 * (1 - label / 100) ** 4 + 1.02 * TARGET,
    "good_everywhere": lambda label: np.full_like(label, TARGET / 4),
}
EASY = ("steep", "slow", "step", "good_everywhere")
# How an identity's errors hang together: share of an identity in the variance behind an error, and share of identities
# all of whose pairs err. The last is how often easy shapes are to be reached.
CLUSTERS = {
    "independent": (0.0, 0.0, 0.95),
    "clustered": (0.3, 0.0, 0.95),
    "strongly_clustered": (0.6, 0.0, 0.7),
    "wrong_identities": (0.1, 0.002, 0.7),
}


def true_rates(shape, wrong):
    """FNMR from each cut on, of labels that are uniform from 0 to 100."""
    middles = np.arange(0.005, 100, 0.01)
    rates = 1 - (1 - SHAPES[shape](middles)) * (1 - wrong)
    return np.array([rates[middles >= cut].mean() for cut in CUTS])


def draw(random, shape, share, wrong):
    """Pairs of 600 identities: lower labels, of which identities explain half, errors, and identities."""
    identities = np.repeat(np.arange(600), random.integers(2, 21, 600))
    label, error = (
        np.sqrt(part) * random.standard_normal(600)[identities]
        + np.sqrt(1 - part) * random.standard_normal(len(identities))
        for part in (0.5, share)
    )
    # Both are uniform whatever the shares are, so that the error probability at a label is the shape's.
    lower = 100 * ndtr(label)
    return lower, (ndtr(error) < SHAPES[shape](lower)) | (random.uniform(size=600) < wrong)[identities], identities


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_promised_error_rates_are_kept_and_easy_ones_reached(shape, cluster):
    share, wrong, power = CLUSTERS[cluster]
    truth, random = dict(zip(CUTS, true_rates(shape, wrong), strict=True)), np.random.default_rng(24)
    found = [least_label_for(rates_of(*draw(random, shape, share, wrong), CUTS), TARGET)[0] for _ in range(200)]
    reached = [label for label in found if label is not None]
    assert sum(truth[label] > TARGET for label in reached) <= 0.07 * 200
    if shape in EASY:
        assert len(reached) >= power * 200
        least = min(label for label, rate in truth.items() if rate <= TARGET)
        assert least - 5 <= np.median(reached) <= least + 12
