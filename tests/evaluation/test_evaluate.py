"""Label sets over pairs of real and made-up images: what is found is what NumPy finds."""

import csv
import itertools

import numpy as np
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation import few_images
from fiqa_spark.evaluation.drawn_pairs import draw_mated
from fiqa_spark.evaluation.evaluate import evaluate
from fiqa_spark.evaluation.label_sets import LabelSet
from fiqa_spark.evaluation.labelled_images import labelled_images
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.storage import Storage
from tests.conftest import ROOT
from tests.labelling import embeddings_of, features_frame, paths_of

DATA = ROOT / "tests" / "data"
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


def evaluated(spark, sets, vectors, **changes):
    features = keyed_features(features_frame(spark, vectors), -2)
    settings = EvaluationSettings(**{**SETTINGS, **changes})
    return evaluate(spark, Storage(spark), sets, settings, Steps(spark), lambda *_: features)


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


@pytest.fixture(scope="module")
def sample():
    """Real embeddings by path, and the paths of the images that were spoiled before theirs were taken."""
    with open(DATA / "lfw_sample.csv", encoding="utf-8", newline="") as file:
        degraded = {row["path"]: bool(row["degraded"]) for row in csv.DictReader(file)}
    features = np.load(DATA / "lfw_sample.npy").astype(np.float32)
    return dict(zip(degraded, features, strict=True)), {path for path in degraded if degraded[path]}


def pairs_of(paths):
    """All mated pairs of images that lie in one folder, and twice as many non-mated ones, each once."""
    mated, non_mated = [], []
    for a, b in itertools.combinations(paths, 2):
        same = a.split("/")[0] == b.split("/")[0]
        (mated if same else non_mated).append((a, b, same))
    chosen = np.random.default_rng(7).choice(len(non_mated), 2 * len(mated), replace=False)
    return [*mated, *(non_mated[number] for number in chosen)]


@pytest.mark.lowest_versions
def test_real_pairs_give_what_numpy_gives(spark, sample, tmp_path, monkeypatch):
    # Spark brings the pairs together, as it does for many images; jobs over few have the driver do it.
    monkeypatch.setattr(few_images, "IMAGES_AT_MOST", 0)
    vectors, degraded = sample
    listed = pairs_of(list(vectors))
    # A label of its own for three images in four; the others have none.
    random = np.random.default_rng(5)
    quality = {path: random.uniform(0, 50) + 50 * (path not in degraded) for path in vectors}
    quality |= {path: None for path in list(vectors)[::4]}
    other = {path: float(round(random.uniform(0, 20))) for path in vectors} | {list(vectors)[1]: None}
    sets = [set_of(spark, "one", quality), set_of(spark, "ties", other)]
    one, lacking = list(vectors)[2:4]
    odd = [(one, one, True), (one, "nobody/1.jpg", False)]
    present = {path: vector for path, vector in vectors.items() if path != lacking}
    found = evaluated(spark, sets, present, pairs_file=write_pairs(tmp_path / "pairs.csv", [*listed, *odd]))
    unlabelled = {path for path in vectors if quality[path] is None or other[path] is None}
    without_label = [row for row in listed if {*row[:2]} & unlabelled]
    without_feature = [row for row in listed if lacking in row[:2] and row not in without_label]
    labelled = [row for row in listed if row not in without_label and row not in without_feature]
    assert found.judges[0].pairs["left_out"] == {
        "image_with_itself": 1,
        "in_no_label_set": 1,
        "without_label_in_every_set": len(without_label),
        "missing_feature": len(without_feature),
    }
    assert min(len(without_label), len(without_feature)) > 0
    assert found.judges[0].pairs["mated"] == sum(same for *_, same in labelled)
    assert found.judges[0].pairs["non_mated"] == sum(not same for *_, same in labelled)
    unit = {path: vector / np.linalg.norm(vector) for path, vector in vectors.items()}
    similarity = np.array([unit[a].astype(float) @ unit[b].astype(float) for a, b, _ in labelled])
    mated = np.array([same for *_, same in labelled])
    for comparison in found.judges[0].comparisons:
        _, fixed_by, value = comparison.operating_point
        at_error = fixed_by == "error"
        threshold = np.quantile(similarity[mated == at_error], value if at_error else 1 - value)
        assert comparison.threshold == pytest.approx(threshold, abs=1e-6)
        for curve, labels in zip(comparison.curves, (quality, other), strict=True):
            lower = np.array([min(labels[a], labels[b]) for a, b, _ in labelled])
            pairs = list(zip(lower[mated], similarity[mated], strict=True))
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


def test_mated_pairs_alone_give_curves_of_fnmr(spark, vectors, qualities, tmp_path):
    pairs = write_pairs(tmp_path / "pairs.csv", [("p0/0.jpg", "p0/1.jpg", "True"), ("p1/0.jpg", "p1/1.jpg", "true")])
    found = evaluated(spark, [set_of(spark, "a", qualities)], vectors, pairs_file=pairs, at_fmr=())
    assert [comparison.operating_point.fixed_by for comparison in found.judges[0].comparisons] == ["error", "error"]
    assert (found.judges[0].pairs["mated"], found.judges[0].pairs["non_mated"]) == (2, 0)
    assert found.judges[0].similarities.non_mated.sum() == 0


def test_identities_of_the_set_count_before_those_of_the_path(spark, qualities):
    identities = {path: f"x{number % 2}" for number, path in enumerate(PATHS)}
    sets = [set_of(spark, "paths", qualities), set_of(spark, "own", qualities, identities)]
    images = labelled_images(sets, EvaluationSettings(**SETTINGS)).table
    rows = images.collect()
    assert {row.path: row.identity for row in rows} == identities
    assert len({row.identity_hash for row in rows}) == 2
    pairs, counts = draw_mated(images, ("key", "identity"), 1000)
    assert counts == {"with_mated_pairs": 2, "drawn_from": 2}
    assert pairs.count() == 10 * 9 // 2 + 9 * 8 // 2


def test_two_labels_of_one_key_are_refused(spark, qualities):
    with pytest.raises(InputError, match="/a: two different labels for the key 'p0/0'"):
        labelled_images([set_of(spark, "a", {**qualities, "p0/0.png": -1.0})], EvaluationSettings(**SETTINGS))


def test_sets_of_other_images_are_refused(spark, qualities):
    sets = [
        set_of(spark, "a", qualities),
        set_of(spark, "b", {f"x/{path}": label for path, label in qualities.items()}),
    ]
    with pytest.raises(InputError) as refused:
        labelled_images(sets, EvaluationSettings(**SETTINGS))
    assert str(refused.value) == (
        "labels: no image has a label in every set, keys are such as 'p0/0' in a, 'x/p0/0' in b; compare sets of the "
        "same images, and set `image_root` so that the keys below it agree"
    )


def test_labels_that_differ_outside_of_all_pairs_are_refused(spark, vectors):
    labels = {**dict.fromkeys(PATHS, 50.0), "alone.jpg": 60.0}
    with pytest.raises(InputError) as refused:
        evaluated(spark, [set_of(spark, "a", labels)], vectors)
    assert str(refused.value) == (
        "/a: the lower label of every pair is 50, by which nothing can be discarded; give labels that differ, or more "
        "pairs"
    )


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (50.0, "/a: all 19 labels are 50, by which nothing can be discarded; give labels that differ"),
        (None, "/a: no image has a label there; give a set in which some have one"),
    ],
)
def test_labels_that_tell_nothing_are_refused(spark, label, said):
    with pytest.raises(InputError) as refused:
        labelled_images([set_of(spark, "a", dict.fromkeys(PATHS, label))], EvaluationSettings(**SETTINGS))
    assert str(refused.value) == said


def test_pairs_are_drawn_and_a_profile_tells_of_labels_and_identities(labels, drawn):
    (judge,), (profile,) = drawn.judges, drawn.profiles
    assert (judge.pairs["mated"], judge.pairs["non_mated"]) == (15 + 10 + 6 + 3, 60)
    assert profile.statuses == {"ok": len(PATHS) - 1, "too_few_images": 1}
    assert profile.counts.sum() == len(PATHS) - 1
    assert (profile.edges[0], profile.edges[-1]) == (0, 100)
    means = {number: np.mean([labels[path] for path in PATHS if path.startswith(f"p{number}/")]) for number in range(4)}
    assert [(size.fewest, size.most, size.identities) for size in profile.sizes] == [(2, 3, 1), (4, 7, 3)]
    assert profile.sizes[0].median == pytest.approx(means[3])
    assert profile.sizes[1].median == pytest.approx(np.median([means[0], means[1], means[2]]))
    lowest = sorted(means, key=means.get)
    assert [each.identity for each in profile.lowest] == [f"p{number}" for number in lowest]
    assert profile.lowest[0].mean == pytest.approx(means[lowest[0]])
    lowest, middle, highest, widest = profile.sheets
    ordered = sorted((path for path in PATHS if labels[path] is not None), key=labels.get)
    assert [tile.path for tile in lowest.thumbnails] == ordered[:12]
    assert [tile.path for tile in highest.thumbnails] == ordered[-12:]
    assert len(middle.thumbnails) == 12
    assert len({tile.path.split("/")[0] for tile in widest.thumbnails}) == 1
    # Their image files are read later, if at all.
    assert {tile.jpeg for sheet in profile.sheets for tile in sheet.thumbnails} == {None}
