"""Cuts of images and labels by group: what Spark finds is what a person finds who goes through the list."""

import collections
import math
from fractions import Fraction

import numpy as np
import pytest
from pyspark.sql import functions as F

from fiqa_spark.evaluation import image_cuts, image_frames, label_places
from fiqa_spark.evaluation.findings import Cut
from fiqa_spark.evaluation.image_cuts import DISCARDS, image_facts
from fiqa_spark.evaluation.image_groups import ImageGroups
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.inputs import keys

ON_LOWEST = pytest.mark.lowest_versions
SHARES = [Fraction(percent, 100) for percent in (0, 1, 2, 5, 10, 20, 30, 50)]


def images_of(spark, rows):
    """Images out of (identity, number of the group, one quality a set)."""
    sets = len(rows[0]) - 2
    columns = ", ".join(f"quality_{number} double" for number in range(sets))
    numbered = [(f"k{number}", *row) for number, row in enumerate(rows)]
    table = spark.createDataFrame(numbered, f"key string, identity string, group_number int, {columns}")
    hashes = {
        "identity_hash": keys.seeded_hash(3, F.coalesce("identity", "key")),
        "image_hash": keys.seeded_hash(3, "key"),
    }
    return LabelledImages(table.withColumns(hashes), {"images": len(rows), "labelled": len(rows)})


def facts_of(spark, rows, groups=None):
    sets = len(rows[0]) - 2
    given = ImageGroups("g.csv", groups, "key", None, "") if groups else None
    names = [f"quality_{number}" for number in range(sets)]
    return image_facts(images_of(spark, rows), names, [f"s{number}" for number in range(sets)], given)


def naive_cuts(labelled):
    """Cuts out of (identity, quality)."""
    in_order = sorted(quality for _, quality in labelled)
    for share in SHARES:
        label = in_order[math.floor(share * len(in_order))]
        left = [identity for identity, quality in labelled if quality >= label]
        sizes = collections.Counter(identity for identity in left if identity is not None)
        gone = 1 - Fraction(len(left), len(labelled))
        yield Cut(float(share), label, float(gone), len(left), len(sizes), sum(size > 1 for size in sizes.values()))


def naive_candidates(labelled):
    """Label to the share of images below it."""
    in_order = sorted(quality for _, quality in labelled)
    labels = {in_order[math.floor(Fraction(part, 200) * len(in_order))] for part in range(200)}
    return {label: in_order.index(label) / len(in_order) for label in sorted(labels)}


def made_up(count, seed=0):
    """Images, one in eight without identity; labels that all differ, of a few values, and of a few images."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        identity = None if random.uniform() < 0.125 else f"p{int(random.integers(count // 4 + 1))}"
        fine, coarse = float(random.normal(40, 20)), float(random.integers(8))
        some = float(random.lognormal(0, 4)) if number % 7 == 0 else None
        rows.append((identity, None, fine, None if number % 3 == 1 else coarse, some))
    return rows


@pytest.fixture(params=["at once", pytest.param("by ranges", marks=ON_LOWEST)])
def either_way(request, monkeypatch):
    """Whether the driver takes all labels at once, or those of some ranges between labels of a sample."""
    if request.param == "by ranges":
        monkeypatch.setattr(image_frames, "IMAGES_AT_ONCE", 30)
        monkeypatch.setattr(label_places, "_RANGES", 12)
        monkeypatch.setattr(image_cuts, "_IMAGES_A_TASK", 100)


@pytest.mark.parametrize("count", [8, 199, 730])
def test_cuts_are_those_of_a_list_in_order(spark, either_way, count):
    rows = made_up(count)
    found = facts_of(spark, rows)
    assert found.groups is None
    assert [cuts.label_set for cuts in found.cuts] == ["s0", "s1", "s2"]
    for number, (of_set, candidates) in enumerate(zip(found.cuts, found.candidates, strict=True)):
        labelled = [(row[0], row[2 + number]) for row in rows if row[2 + number] is not None]
        for cut, expected in zip(of_set.cuts, naive_cuts(labelled), strict=True):
            assert cut == pytest.approx(expected, abs=1e-12)
            assert cut.discarded <= cut.discard
        expected = naive_candidates(labelled)
        assert candidates.labels.tolist() == list(expected)
        assert candidates.discarded.tolist() == pytest.approx(list(expected.values()))


def test_both_ways_find_the_same(spark, monkeypatch):
    rows = [(identity, number % 4 - 1, *labels) for number, (identity, _, *labels) in enumerate(made_up(500, seed=2))]
    rows = [(identity, None if group < 0 else group, *labels) for identity, group, *labels in rows]
    at_once = facts_of(spark, rows, ("x", "y", "z"))
    monkeypatch.setattr(image_frames, "IMAGES_AT_ONCE", 60)
    monkeypatch.setattr(image_cuts, "_IMAGES_A_TASK", 80)
    by_ranges = facts_of(spark, rows, ("x", "y", "z"))
    assert at_once.cuts == by_ranges.cuts
    for one, other in zip(at_once.candidates, by_ranges.candidates, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.discarded, other.discarded)
    assert at_once.groups[:3] == by_ranges.groups[:3]
    for one, other in zip(at_once.groups.labels, by_ranges.groups.labels, strict=True):
        assert one[:4] + one[6:] == other[:4] + other[6:]
        assert (one.mean, *one.interval) == pytest.approx((other.mean, *other.interval), rel=1e-12)


def test_labels_of_a_sample_without_any_are_found_all_the_same(spark, monkeypatch):
    monkeypatch.setattr(image_frames, "IMAGES_AT_ONCE", 1)
    rows = [("a", None, float(number), 5.0 if number == 7 else None) for number in range(40)]
    found = facts_of(spark, rows)
    assert [cut.images for cut in found.cuts[0].cuts] == [40, 40, 40, 38, 36, 32, 28, 20]
    assert [cut.images for cut in found.cuts[1].cuts] == [1] * 8
    assert found.candidates[1].labels.tolist() == [5]


def test_cuts_by_hand(spark):
    # Ten images; at 20 % the label 3 is at place 2, and its tie stays.
    rows = [
        *[("a", None, 1.0), ("a", None, 2.0), ("b", None, 3.0), ("b", None, 3.0), ("a", None, 4.0)],
        *[(None, None, 5.0), (None, None, 5.0), ("c", None, 6.0), ("a", None, 7.0), ("d", None, 8.0)],
    ]
    cuts = {cut.discard: cut[1:] for cut in facts_of(spark, rows).cuts[0].cuts}
    assert cuts[0.0] == cuts[0.05] == (1.0, 0.0, 10, 4, 2)
    assert cuts[0.1] == (2.0, 0.1, 9, 4, 2)
    assert cuts[0.2] == cuts[0.3] == (3.0, 0.2, 8, 4, 2)
    assert cuts[0.5] == (5.0, 0.5, 5, 3, 0)


def test_one_image(spark):
    found = facts_of(spark, [(None, 0, 4.0)], ("g",))
    assert [cut[1:] for cut in found.cuts[0].cuts] == [(4.0, 0.0, 1, 0, 0)] * 8
    assert found.groups.labels == (("s0", "g", 1, 1, 4.0, None, (0.0,) * 8),)


@ON_LOWEST
def test_labels_by_group_by_hand(spark):
    # Of x: identities a (1, 3), b (5) and an image without identity (7), one without label; of y: c alone.
    rows = [
        *[("a", 0, 1.0), ("a", 0, 3.0), ("b", 0, 5.0), (None, 0, 7.0), ("b", 0, None)],
        *[("c", 1, 2.0), ("c", 1, 4.0), ("a", None, 9.0), (None, None, None)],
    ]
    groups = facts_of(spark, rows, ("x", "y", "z")).groups
    assert (groups.path, groups.images, groups.without_group) == ("g.csv", 7, 2)
    x, y, z = groups.labels
    assert x[:4] == ("s0", "x", 5, 4)
    assert x.mean == pytest.approx(4)
    # Residuals of the sums: a 4 - 2 * 4, b 5 - 4, the other 7 - 4.
    half = 1.96 * math.sqrt((4**2 + 1**2 + 3**2) * 3 / 2) / 4
    assert x.interval == pytest.approx((4 - half, 4 + half))
    # Seven labels: cuts at the labels 1 (up to 10 %), 2 (place 1), 3 (place 2) and 4 (place 3).
    assert x.discarded == (0, 0, 0, 0, 0, 0.25, 0.25, 0.5)
    assert y[:5] == ("s0", "y", 2, 2, 3.0)
    assert y.interval is None
    assert y.discarded == (0, 0, 0, 0, 0, 0, 0.5, 0.5)
    assert z == ("s0", "z", 0, 0, None, None, (None,) * 8)


def test_an_interval_allows_for_several_images_of_an_identity(spark):
    random = np.random.default_rng(5)
    of_identity = random.normal(1e7, 5, 60)
    rows = [(f"p{person}", 0, float(mean)) for person, mean in enumerate(of_identity) for _ in range(4)]
    [group] = facts_of(spark, rows, ("g",)).groups.labels
    # Four equal images tell no more than one; the mean of 60 draws has the standard error of 60 draws.
    half = 1.96 * of_identity.std(ddof=1) / math.sqrt(60)
    assert group.interval.high - group.mean == pytest.approx(half, rel=1e-6)
    assert group.mean == pytest.approx(of_identity.mean(), rel=1e-12)


def test_groups_of_several_sets(spark):
    rows = [("a", 0, 1.0, 10.0), ("b", 1, 2.0, None), ("c", 1, 3.0, 30.0), ("d", 0, 4.0, 20.0)]
    groups = facts_of(spark, rows, ("x", "y")).groups.labels
    assert [group[:5] for group in groups] == [
        ("s0", "x", 2, 2, 2.5),
        ("s0", "y", 2, 2, 2.5),
        ("s1", "x", 2, 2, 15.0),
        ("s1", "y", 2, 1, 30.0),
    ]
    assert [group.discarded[-1] for group in groups] == [0.5, 0.5, 0.5, 0.0]


def test_discards_are_whole_parts_of_the_grid():
    assert [Fraction(round(discard * label_places.PARTS), label_places.PARTS) for discard in DISCARDS] == SHARES
