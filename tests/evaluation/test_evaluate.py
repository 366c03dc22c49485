"""Label sets over pairs of real and made-up images: what Spark finds is what NumPy finds."""

import csv
import itertools

import numpy as np
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation import few_images, numbered_images
from fiqa_spark.evaluation.drawn_pairs import draw_mated
from fiqa_spark.evaluation.evaluate import evaluate, evaluate_own_labels
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


def evaluated(spark, sets, vectors, how=evaluate, **changes):
    features = keyed_features(features_frame(spark, vectors), -2)
    settings = EvaluationSettings(**{**SETTINGS, **changes})
    sets = sets if how is evaluate else sets[0]
    last = (lambda *_: features) if how is evaluate else features
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


@pytest.fixture(params=["few", "many"])
def few_or_many(request, monkeypatch):
    """Whether the driver alone compares the pairs or Spark brings them together, by how many images count as few."""
    if request.param == "many":
        monkeypatch.setattr(few_images, "IMAGES_AT_MOST", 0)


def test_real_pairs_give_what_numpy_gives(spark, sample, tmp_path, few_or_many):
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


def test_the_order_of_a_label_set_changes_nothing(spark, vectors, labels, drawn):
    reversed_set = set_of(spark, "a", {path: labels[path] for path in PATHS[::-1]})
    (drawn,), (again,) = drawn.judges, evaluated(spark, [reversed_set], vectors).judges
    assert again.pairs == drawn.pairs
    assert (drawn.pairs["mated"], drawn.pairs["non_mated"]) == (15 + 10 + 6 + 3, 60)
    for first, other in zip(drawn.comparisons, again.comparisons, strict=True):
        assert other[:-1] == first[:-1]
        assert other.curves[0].areas == first.curves[0].areas
    np.testing.assert_array_equal(again.similarities.non_mated, drawn.similarities.non_mated)


def test_many_images_give_what_few_give(spark, sample, monkeypatch):
    changes = {"non_mated": 1000, "error": ("fnmr", "fmr"), "mated_per_identity": 2}
    vectors = dict(list(sample[0].items())[:200])
    random = np.random.default_rng(8)
    quality, other = ({path: random.uniform() for path in vectors} | {"alone.jpg": 0.5} for _ in range(2))
    quality[list(quality)[9]] = None
    sets = [set_of(spark, "one", quality), set_of(spark, "other", other)]
    # No feature, one that is none, one of another length; an image without identity, and one without a label.
    broken = {path: vector * np.nan if number == 3 else vector for number, (path, vector) in enumerate(vectors.items())}
    broken[list(broken)[5]] = broken[list(broken)[5]][:9]
    del broken[list(broken)[7]]
    (few,) = evaluated(spark, sets, broken, **changes).judges
    assert few.pairs["left_out"].keys() == {"missing_feature", "invalid_feature"}
    # First the numbers of images are too many for the driver to compare them alone, then for it to know them at all.
    for module in (few_images, numbered_images):
        monkeypatch.setattr(module, "IMAGES_AT_MOST", 0)
        (many,) = evaluated(spark, sets, broken, **changes).judges
        assert few.pairs == many.pairs
        np.testing.assert_array_equal(few.similarities.edges, many.similarities.edges)
        for kind in ("mated", "non_mated"):
            np.testing.assert_array_equal(getattr(few.similarities, kind), getattr(many.similarities, kind))
        assert len(few.comparisons) == len(many.comparisons) >= 3
        for one, other in zip(few.comparisons, many.comparisons, strict=True):
            assert one[:-1] == other[:-1]
            assert [curve.areas for curve in one.curves] == [curve.areas for curve in other.curves]


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


def test_labels_just_computed_are_not_lost_where_no_pair_can_be_compared(spark, vectors, qualities):
    one = {path: quality for path, quality in qualities.items() if path.startswith("p0/")}
    found = evaluated(spark, [set_of(spark, "a", one)], vectors, how=evaluate_own_labels)
    assert (found.judges[0].comparisons, found.judges[0].similarities) == ((), None)
    assert "of one identity" in found.notes[0]
    assert found.profiles[0].counts.sum() == len(one)


def test_profile_tells_of_labels_and_identities(labels, drawn):
    (profile,) = drawn.profiles
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
