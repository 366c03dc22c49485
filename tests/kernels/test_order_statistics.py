"""Order statistics: all values where they are few, and near them in rank where they are many."""

import numpy as np
import pytest

from fiqa_spark.kernels.order_statistics import order_statistics, percentiles

PERCENTS = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)


def nearest_rank(values, percent):
    """Percentile as a textbook has it: the smallest value that so many percent do not exceed."""
    in_order = np.sort(values)
    return next(value for rank, value in enumerate(in_order, 1) if 100 * rank >= percent * len(in_order))


@pytest.mark.parametrize("count", [1, 2, 3, 10, 99, 100, 101, 1000])
def test_few_values_have_exact_percentiles(count):
    values = np.random.default_rng(count).standard_normal(count)
    parts = [order_statistics(part) for part in np.array_split(values, 3)]
    points, counts = (np.concatenate(each) for each in zip(*parts, strict=True))
    assert counts.sum() == count
    assert percentiles(points, counts, PERCENTS) == [nearest_rank(values, percent) for percent in PERCENTS]


def test_not_a_number_does_not_count():
    points, counts = order_statistics(np.array([3, np.nan, 1, np.nan, 2]))
    assert percentiles(points, counts, (0, 50, 100)) == [1, 2, 3]
    assert counts.sum() == 3


def test_of_many_values_ranks_are_off_by_half_a_share_at_most():
    random = np.random.default_rng(1)
    parts = [np.exp(random.standard_normal(count) + shift) for count, shift in ((40_000, 0), (7, 3), (9_001, -2))]
    found = [order_statistics(part, 500) for part in parts]
    assert max(len(points) for points, _ in found) <= 502
    points, counts = (np.concatenate(each) for each in zip(*found, strict=True))
    values = np.concatenate(parts)
    assert counts.sum() == len(values)
    for percent, value in zip(PERCENTS, percentiles(points, counts, PERCENTS), strict=True):
        assert value in values
        below, up_to = (np.count_nonzero(compare(values, value)) for compare in (np.less, np.less_equal))
        wanted, slack = percent / 100 * len(values), len(values) / 1000 + 1
        assert below - slack <= wanted <= up_to + slack
    assert percentiles(points, counts, (0, 100)) == [values.min(), values.max()]


def test_equal_values_are_no_trouble():
    points, counts = order_statistics(np.full(20_000, 7.5))
    assert percentiles(points, counts, PERCENTS) == [7.5] * len(PERCENTS)


def test_no_value_has_no_percentile():
    points, counts = order_statistics(np.array([np.nan]))
    assert (len(points), len(counts)) == (0, 0)
    with pytest.raises(ValueError, match="no value"):
        percentiles(points, counts, (50,))
