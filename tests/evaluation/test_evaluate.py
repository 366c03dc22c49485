"""Label sets over pairs of real and made-up images: what Spark finds is what NumPy finds."""

import csv

import numpy as np
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.evaluate import evaluate, evaluate_own_labels
from fiqa_spark.evaluation.label_sets import LabelSet
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.storage import Storage
from tests.conftest import LFW
from tests.labelling import embeddings_of, features_frame, paths_of

PATHS = paths_of([6, 5, 4, 3, 1])
SETTINGS = {"feature_root": "features", "id_key_index": -2, "at_fmr": (0.1,), "non_mated": 60}


def set_of(spark, name, qualities, identities=None):
    """Label set out of path to quality."""
    rows = [
        (path, (identities or {}).get(path), quality, "ok" if quality is not None else "too_few_images")
        for path, quality in qualities.items()
    ]
    table = spark.createDataFrame(rows, "path string, identity string, quality double, status string")
    return LabelSet(name, f"/{name}", "label", table)


def evaluated(spark, sets, vectors, how=evaluate, **changes):
    features = keyed_features(features_frame(spark, vectors), -2)
    settings = EvaluationSettings(**{**SETTINGS, **changes})
    sets = sets if how is evaluate else sets[0]
    last = (lambda _: features) if how is evaluate else features
    return how(spark, Storage(spark), sets, settings, Steps(spark), last)


@pytest.fixture(scope="module")
def vectors():
    return embeddings_of(PATHS)


@pytest.fixture(scope="module")
def qualities():
    random = np.random.default_rng(4)
    return {path: random.uniform() for path in PATHS}


def write_pairs(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path_a", "path_b", "same"), *rows])
    return str(path)


def naive_area(pairs, threshold, limit):
    """Area by the definition out of (quality, similarity) of mated pairs."""
    bounds = [-np.inf, *sorted({quality for quality, _ in pairs})]
    points = []
    for bound in bounds:
        left = [similarity < threshold for quality, similarity in pairs if quality > bound]
        points.append((1 - len(left) / len(pairs), sum(left) / len(left) if left else 0))
    widths = np.diff(np.minimum([x for x, _ in points], limit))
    return sum(width * y for width, (_, y) in zip(widths, points, strict=False))


def test_real_pairs_give_what_numpy_gives(spark, lfw, degraded):
    paths, features = lfw
    vectors = dict(zip(paths, features, strict=True))
    # A label of its own for three images in four; the others have none.
    random = np.random.default_rng(5)
    quality = {path: random.uniform(0, 50) + 50 * (path not in degraded) for path in paths}
    quality |= {path: None for path in paths[::4]}
    other = {path: float(round(random.uniform(0, 20))) for path in paths}
    found = evaluated(
        spark, [set_of(spark, "one", quality), set_of(spark, "ties", other)], vectors, pairs_file=str(LFW / "pairs.csv")
    )
    with open(LFW / "pairs.csv", encoding="utf-8", newline="") as file:
        listed = [(row["path_a"], row["path_b"], row["same"] == "1") for row in csv.DictReader(file)]
    held = [row for row in listed if quality[row[0]] is not None and quality[row[1]] is not None]
    assert found.pairs["left_out"] == {"without_label_in_every_set": len(listed) - len(held)}
    assert found.pairs["mated"] == sum(same for *_, same in held)
    assert found.pairs["non_mated"] == sum(not same for *_, same in held)
    similarity = np.array([vectors[a].astype(float) @ vectors[b].astype(float) for a, b, _ in held])
    mated = np.array([same for *_, same in held])
    for comparison in found.comparisons:
        at_error = comparison.start == "error"
        share = comparison.at if at_error else 1 - comparison.at
        threshold = np.quantile(similarity[mated == at_error], share)
        assert comparison.threshold == pytest.approx(threshold, abs=1e-6)
        for curve, labels in zip(comparison.curves, (quality, other), strict=True):
            lower = [min(labels[a], labels[b]) for a, b, _ in held]
            pairs = [pair for pair, same in zip(zip(lower, similarity, strict=True), mated, strict=True) if same]
            for area in curve.areas:
                assert area.value == pytest.approx(area_of(pairs, threshold, area.limit), abs=1e-9)


def area_of(pairs, threshold, limit):
    """What `naive_area` gives, for many pairs."""
    quality, similarity = map(np.array, zip(*pairs, strict=True))
    order = np.argsort(quality, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(quality[order]) > 0, True)) + 1
    wrong = np.append(0, np.cumsum(similarity[order] < threshold))
    x = np.append(0, ends) / len(quality)
    y = (wrong[-1] - wrong[np.append(0, ends[:-1])]) / (len(quality) - np.append(0, ends[:-1]))
    return (np.diff(np.minimum(x, limit)) * y).sum()


def test_the_quick_reference_is_that_of_the_definition():
    random = np.random.default_rng(6)
    pairs = [(float(random.integers(9)), random.uniform()) for _ in range(60)]
    for limit in (0.2, 0.55, 1):
        assert area_of(pairs, 0.3, limit) == pytest.approx(naive_area(pairs, 0.3, limit), abs=1e-12)


@pytest.fixture(scope="module")
def labels(qualities):
    """All but one image have a label."""
    return {**qualities, "p4/0.jpg": None}


@pytest.fixture(scope="module")
def drawn(spark, vectors, labels):
    return evaluated(spark, [set_of(spark, "a", labels)], vectors)


def test_the_order_of_a_label_set_changes_nothing(spark, vectors, labels, drawn):
    again = evaluated(spark, [set_of(spark, "a", {path: labels[path] for path in PATHS[::-1]})], vectors)
    assert again.pairs == drawn.pairs
    assert (drawn.pairs["mated"], drawn.pairs["non_mated"]) == (15 + 10 + 6 + 3, 60)
    for first, other in zip(drawn.comparisons, again.comparisons, strict=True):
        assert other[:6] == first[:6]
        assert other.curves[0].areas == first.curves[0].areas
    np.testing.assert_array_equal(again.similarities.non_mated, drawn.similarities.non_mated)


def test_an_image_that_lacks_a_label_in_one_set_is_left_out_of_all(spark, vectors, qualities, tmp_path):
    sets = [set_of(spark, "a", {**qualities, "p0/0.jpg": None}), set_of(spark, "b", {**qualities, "p1/1.jpg": None})]
    rows = [("p0/0.jpg", "p0/1.jpg", 1), ("p1/1.jpg", "p1/2.jpg", 1), ("p0/1.jpg", "p0/2.jpg", 1)]
    rows += [
        ("p2/0.jpg", "p2/1.jpg", 1),
        ("p0/1.jpg", "p1/2.jpg", 0),
        ("p0/3.jpg", "p0/3.jpg", 1),
        ("p0/3.jpg", "nobody/1.jpg", 0),
    ]
    found = evaluated(spark, sets, vectors, pairs_file=write_pairs(tmp_path / "pairs.csv", rows))
    assert found.pairs["left_out"] == {
        "image_with_itself": 1,
        "in_no_label_set": 1,
        "without_label_in_every_set": 2,
    }
    assert (found.pairs["mated"], found.pairs["non_mated"]) == (2, 1)


def test_mated_pairs_alone_give_curves_of_fnmr(spark, vectors, qualities, tmp_path):
    pairs = write_pairs(tmp_path / "pairs.csv", [("p0/0.jpg", "p0/1.jpg", "True"), ("p1/0.jpg", "p1/1.jpg", "true")])
    found = evaluated(spark, [set_of(spark, "a", qualities)], vectors, pairs_file=pairs, at_fmr=())
    assert [each.start for each in found.comparisons] == ["error", "error"]
    assert (found.pairs["mated"], found.pairs["non_mated"]) == (2, 0)
    assert found.similarities.non_mated.sum() == 0


def test_pairs_whose_features_cannot_be_used_are_counted(spark, vectors, qualities):
    broken = {
        **vectors,
        "p0/0.jpg": None,
        "p1/0.jpg": vectors["p1/0.jpg"] * np.nan,
        "p1/1.jpg": vectors["p1/1.jpg"][:9],
    }
    del broken["p0/1.jpg"], broken["p0/2.jpg"]
    found = evaluated(spark, [set_of(spark, "a", qualities)], broken, non_mated=1000)
    # Of six images two have no feature and one an empty one; of five two are of no use.
    missing, all_of = {"p0/1.jpg", "p0/2.jpg"}, len(PATHS)
    pairs = [(a, b) for place, a in enumerate(PATHS) for b in PATHS[:place]]
    lacking = sum(bool({a, b} & missing) for a, b in pairs)
    useless = {"p0/0.jpg", "p1/0.jpg", "p1/1.jpg"}
    invalid = sum(bool({a, b} & useless) and not {a, b} & missing for a, b in pairs)
    assert len(pairs) == all_of * (all_of - 1) // 2
    assert found.pairs["left_out"] == {"missing_feature": lacking, "invalid_feature": invalid}
    assert found.pairs["mated"] + found.pairs["non_mated"] == len(pairs) - lacking - invalid


def test_identities_of_the_set_count_before_those_of_the_path(spark, vectors, qualities):
    identities = {path: f"x{number % 2}" for number, path in enumerate(PATHS)}
    sets = [set_of(spark, "paths", qualities), set_of(spark, "told", qualities, identities)]
    found = evaluated(spark, sets, vectors, mated_per_identity=1000, non_mated=1000)
    assert found.pairs["identities"] == {"with_mated_pairs": 2, "drawn_from": 2}
    assert found.pairs["mated"] == 10 * 9 // 2 + 9 * 8 // 2
    assert found.pairs["non_mated"] == 90


def test_two_labels_of_one_key_are_refused(spark, vectors, qualities):
    sets = [set_of(spark, "a", {**qualities, "p0/0.png": -1.0})]
    with pytest.raises(InputError, match="/a: two different labels for the key 'p0/0'"):
        evaluated(spark, sets, vectors)


def test_two_features_of_one_key_are_refused(spark, vectors, qualities):
    with pytest.raises(InputError, match="2 features have the key 'p0/0'"):
        evaluated(spark, [set_of(spark, "a", qualities)], {**vectors, "p0/0.png": vectors["p0/0.jpg"]})


def test_labels_just_computed_are_not_lost_where_no_pair_can_be_compared(spark, vectors, qualities):
    one = {path: quality for path, quality in qualities.items() if path.startswith("p0/")}
    found = evaluated(spark, [set_of(spark, "a", one)], vectors, how=evaluate_own_labels)
    assert (found.comparisons, found.similarities) == ((), None)
    assert "of one identity" in found.notes[0]
    assert found.profiles[0].counts.sum() == len(one)


def test_profile_tells_of_labels_and_identities(labels, drawn):
    (profile,) = drawn.profiles
    assert profile.statuses == {"ok": len(PATHS) - 1, "too_few_images": 1}
    assert profile.counts.sum() == len(PATHS) - 1
    assert (profile.edges[0], profile.edges[-1]) == (0, 100)
    means = {number: np.mean([labels[path] for path in PATHS if path.startswith(f"p{number}/")]) for number in range(4)}
    assert [(each.least, each.most, each.identities) for each in profile.sizes] == [(2, 3, 1), (4, 7, 3)]
    assert profile.sizes[0].median == pytest.approx(means[3])
    assert profile.sizes[1].median == pytest.approx(np.median([means[0], means[1], means[2]]))
    lowest = sorted(means, key=means.get)
    assert [each.identity for each in profile.lowest] == [f"p{number}" for number in lowest]
    assert profile.lowest[0].mean == pytest.approx(means[lowest[0]])
    assert profile.sheets == ()
