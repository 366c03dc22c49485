"""Sums over whole identities, against loops over the images, and those of parts put together."""

import collections

import numpy as np
import pytest

from fiqa_spark.kernels.cut_sums import CutSums, cut_sums

CUT_LABELS = np.array([[0.0, 2.0, 2.0, 5.0], [-3.0, 0.5, 1.0, 1.5]])


def images_at_random(count, seed):
    """Labels of two sets, with ties and without some; identities, which of them are known, and groups."""
    random = np.random.default_rng(seed)
    labels = np.stack([random.integers(0, 8, count).astype(float), random.normal(0.5, 1, count)])
    labels[:, random.uniform(size=count) < 0.2] = np.nan
    labels[1, random.uniform(size=count) < 0.2] = np.nan
    identities = random.integers(-(count // 3) - 1, count // 3 + 1, count)
    return labels, identities, random.uniform(size=count) < 0.8, random.integers(-1, 3, count)


def sums_of(images, chosen=slice(None), group_count=3):
    labels, *others = images
    return cut_sums(
        labels[:, chosen], *[each[chosen] for each in others], cut_labels=CUT_LABELS, group_count=group_count
    )


def naive_sums(labels, identities, known, groups):
    names = [
        name if is_known else ("alone", place)
        for place, (name, is_known) in enumerate(zip(identities, known, strict=True))
    ]
    left, of_groups = np.zeros((2, 2, 4)), np.zeros((2, 3, 10))
    for number in range(2):
        for cut, label in enumerate(CUT_LABELS[number]):
            sizes = collections.Counter(
                name
                for name, value, is_known in zip(names, labels[number], known, strict=True)
                if is_known and value >= label
            )
            left[:, number, cut] = len(sizes), sum(size > 1 for size in sizes.values())
            for group, value in zip(groups, labels[number], strict=True):
                if group >= 0:
                    of_groups[number, group, 6 + cut] += value >= label
        values = collections.defaultdict(list)
        for name, group, value in zip(names, groups, labels[number], strict=True):
            if group >= 0 and not np.isnan(value):
                values[group, name].append(value - CUT_LABELS[number, -1])
        for (group, _), of_identity in values.items():
            total, size = sum(of_identity), len(of_identity)
            of_groups[number, group, :6] += size, 1, total, total**2, total * size, size**2
    images = [sum(groups == group) for group in (0, 1, 2, -1)]
    return CutSums(left, np.array(images), of_groups)


def assert_alike(found, expected):
    for name in CutSums._fields:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-9, err_msg=name)


@pytest.mark.parametrize("count", [0, 1, 7, 200])
@pytest.mark.parametrize("seed", range(3))
def test_sums_are_those_of_a_loop_over_the_images(count, seed):
    images = images_at_random(count, seed)
    assert_alike(sums_of(images), naive_sums(*images))


def test_sums_of_parts_add_up_where_identities_stay_together():
    images = images_at_random(300, seed=9)
    parts = [sums_of(images, images[1] % 4 == part) for part in range(4)]
    assert_alike(CutSums(*map(sum, zip(*parts, strict=True))), sums_of(images))


def test_without_groups_there_are_no_sums_of_groups():
    labels, identities, known, groups = images_at_random(50, seed=1)
    found = sums_of((labels, identities, known, np.full_like(groups, -1)), group_count=0)
    assert found.images.tolist() == [50]
    assert found.of_groups.shape == (2, 0, 10)
    np.testing.assert_array_equal(found.identities, sums_of((labels, identities, known, groups)).identities)
