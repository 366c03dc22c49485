"""What is told of a label set alone: by hand values, and the same by the driver as by Spark."""

import numpy as np
import pytest

from fiqa_spark.evaluation import few_labels, label_profiles
from fiqa_spark.evaluation.findings import SizeClass
from fiqa_spark.evaluation.label_sets import LabelSet
from fiqa_spark.evaluation.settings import EvaluationSettings
from tests.on_lowest import on_lowest

SETTINGS = EvaluationSettings(feature_root="x", id_key_index=-2)


def set_of(spark, rows, quantity="label"):
    return LabelSet(
        "set",
        "/set",
        quantity,
        spark.createDataFrame(rows, "path string, identity string, quality double, status string"),
    )


def profiled(spark, rows, monkeypatch, at_most, quantity="label"):
    monkeypatch.setattr(few_labels, "IMAGES_AT_MOST", at_most)
    return label_profiles.profile(set_of(spark, rows, quantity), SETTINGS)


def random_rows(seed):
    """Images of identities of 1 to 20, with ties, some without label, identity or status."""
    random = np.random.default_rng(seed)
    rows = []
    for person in range(40):
        for number in range(int(random.integers(1, 21))):
            label = None if random.uniform() < 0.1 else float(random.integers(0, 30)) * 3
            name = random.choice(["é", "z", "Z", "\N{GRINNING FACE}"])
            rows.append((f"{name}{person}/{number}.jpg", None, label, "ok" if label is not None else "too_few_images"))
    rows += [("plain.jpg", None, 4.0, None), ("other.jpg", "named", 4.0, "ok")]
    return [rows[place] for place in random.permutation(len(rows))]


@pytest.mark.parametrize("quantity", on_lowest(["label", "score"], "label"))
def test_the_driver_finds_what_spark_finds(spark, monkeypatch, quantity):
    rows = random_rows(len(quantity))
    few, many = (profiled(spark, rows, monkeypatch, at_most, quantity) for at_most in (10_000, 3))
    for field in few._fields:
        one, other = getattr(few, field), getattr(many, field)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        elif field == "lowest":
            assert [each._replace(mean=0) for each in one] == [each._replace(mean=0) for each in other]
            assert [each.mean for each in one] == pytest.approx([each.mean for each in other])
        elif field == "sizes":
            assert [each[:3] for each in one] == [each[:3] for each in other]
            assert np.array([each[3:] for each in one]) == pytest.approx(np.array([each[3:] for each in other]))
        else:
            assert one == other, field


@pytest.mark.parametrize("at_most", [100, 1])
def test_hand_values(spark, monkeypatch, at_most):
    rows = [("a/1", None, 10.0, "ok"), ("a/2", None, 30.0, "ok"), ("a/3", None, None, "missing_feature")]
    rows += [("b/1", None, 100.0, "ok"), ("b/2", None, 30.0, "ok"), ("c", None, 0.0, "ok")]
    found = profiled(spark, rows, monkeypatch, at_most)
    assert found.statuses == {"missing_feature": 1, "ok": 5}
    assert (found.counts[0], found.counts[5], found.counts[15], found.counts[-1]) == (1, 1, 2, 1)
    assert found.counts.sum() == 5
    assert found.sizes == (SizeClass(2, 3, 2, 20.0, 20.0, 65.0),)
    assert [(each.identity, each.images, each.labelled, each.mean) for each in found.lowest] == [
        ("a", 3, 2, 20.0),
        ("b", 2, 2, 65.0),
    ]
    lowest, middle, highest, widest = found.sheets
    assert [(tile.path, tile.label) for tile in lowest.thumbnails] == [
        ("c", 0.0),
        ("a/1", 10.0),
        ("a/2", 30.0),
        ("b/2", 30.0),
        ("b/1", 100.0),
    ]
    assert [tile.path for tile in highest.thumbnails] == ["c", "a/1", "b/2", "a/2", "b/1"]
    assert [tile.path for tile in middle.thumbnails] == [tile.path for tile in lowest.thumbnails]
    assert widest.title.startswith("b, ")
    assert [tile.path for tile in widest.thumbnails] == ["b/2", "b/1"]
