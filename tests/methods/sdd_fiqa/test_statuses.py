import numpy as np
import pytest

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.image_list import with_identities
from fiqa_spark.inputs.notebook_arguments import given_images
from fiqa_spark.kernels.label_scale import are_beyond, scaled_labels
from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.methods.sdd_fiqa.labels import scale_labels, was_beyond
from fiqa_spark.methods.sdd_fiqa.ranges import DistanceRanges, KnownRanges
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from tests.labelling import DIMENSION, embeddings_of, label_rows, paths_of

SIZES = [6, 5, 7, 4, 8]
PATHS = paths_of(SIZES)


def statuses(rows):
    return {path: row.status for path, row in rows.items()}


MANY = [f"{copy}{path}" for copy in range(4) for path in PATHS]
BROKEN = {
    "0p2/0.jpg": None,
    "0p2/3.jpg": np.full(DIMENSION, np.nan),
    "1p2/3.jpg": np.r_[np.inf, np.ones(DIMENSION - 1)],
    "2p2/3.jpg": np.zeros(DIMENSION),
    "3p2/3.jpg": np.ones(DIMENSION - 1),
    "3p4/3.jpg": np.ones(0),
}


@pytest.fixture(scope="module")
def rows(spark):
    """Rows of images of which each has what it needs, but for features without direction or of another length."""
    return label_rows(spark, MANY, {**embeddings_of(MANY), **BROKEN})


@pytest.fixture(scope="module")
def sound(rows):
    """Rows of the images that are not broken."""
    return {path: row for path, row in rows.items() if path not in BROKEN}


def test_an_image_with_feature_mates_and_strangers_is_ok(sound):
    assert statuses(sound) == {path: schemas.OK for path in MANY if path not in BROKEN}
    for row in sound.values():
        assert 0 <= row.label <= 100
        assert 0 <= row.distance <= 2
        assert row.distance_std >= 0
        assert (row.intra_count, row.inter_count) == (min(4, SIZES[int(row.identity[2:])] - 1), 4)
        assert len(row.round_labels) == 3
        assert np.mean(row.round_labels) == pytest.approx(row.label, abs=1e-4)


def test_features_without_direction_or_of_another_length_are_invalid(rows):
    for path in BROKEN:
        assert (rows[path].status, rows[path].label, rows[path].round_labels) == (schemas.INVALID_FEATURE, None, None)


def test_every_round_spans_0_to_100(sound):
    rounds = np.array([row.round_labels for row in sound.values()])
    np.testing.assert_allclose(rounds.min(axis=0), 0)
    np.testing.assert_allclose(rounds.max(axis=0), 100)


@pytest.fixture(scope="module")
def of_six(spark):
    """Rows where an identity needs six images, and labels are normalized at the end."""
    return label_rows(spark, PATHS, embeddings_of(PATHS), min_images=6, normalize="final").values()


def test_min_images_sets_how_many_an_identity_needs(of_six):
    without = {row.identity for row in of_six if row.status == schemas.TOO_FEW_IMAGES}
    assert without == {"p1", "p3"}


def test_labels_normalized_at_the_end_span_0_to_100(of_six):
    labels, distances = np.array([(row.label, row.distance) for row in of_six if row.label is not None]).T
    assert len(labels) == 6 + 7 + 8
    assert (labels.min(), labels.max()) == (0, 100)
    scaled = 100 * (distances - distances.min()) / (distances.max() - distances.min())
    np.testing.assert_allclose(labels, scaled, atol=1e-9)


def test_equal_mean_distances_cannot_be_scaled_once():
    ranges = DistanceRanges((0.0, 0.0), (1.0, 1.0), 0.5, 0.5, ImageCounts(2, 2, 1, {schemas.OK: 2}), 0)
    with pytest.raises(InputError, match="normalize: all mean distances are"):
        scale_labels(None, ranges, "final")


BEYOND = {
    "inside": ((0.3, 0.4, 0.5), False),
    "at the ends": ((0.1, 0.6, 0.3), False),
    "below": ((0.05, 0.4, 0.5), True),
    "above": ((0.3, 0.4, 0.9), True),
    "below all": ((0.0, 0.1, 0.2), True),
    "without": ((np.nan, np.nan, np.nan), False),
}
"""Distances of three rounds, and whether one of them lies beyond the range of its round."""


def test_labels_tell_whether_a_distance_lay_beyond_the_range_of_its_round(spark):
    known = KnownRanges((0.1, 0.2, 0.3), (0.5, 0.6, 0.7), 0.2, 0.6)
    distances = np.array([each for each, _ in BEYOND.values()], np.float32)
    means, scale = distances.mean(axis=1, dtype=np.float64), (known.of_rounds, (known.mean_min, known.mean_max))
    labels, round_labels = scaled_labels(distances, means, *scale, per_round=True, cut=True)
    rows = [
        (name, None, None) if np.isnan(label) else (name, mean, of_rounds)
        for name, mean, label, of_rounds in zip(
            BEYOND, means.tolist(), labels.tolist(), round_labels.tolist(), strict=True
        )
    ]
    schema = f"path string, {schemas.DISTANCE} double, {schemas.ROUND_LABELS} array<float>"
    taken_over = spark.createDataFrame(rows, schema).select("path", was_beyond(known)).collect()
    expected = {name: beyond for name, (_, beyond) in BEYOND.items()}
    # The job counts it of labels that it computes, and of those that it takes over.
    assert dict(zip(BEYOND, are_beyond(distances, known.of_rounds).tolist(), strict=True)) == expected
    assert dict(map(tuple, taken_over)) == expected


@pytest.fixture(scope="module")
def lacking(spark):
    """Rows of images of which some lack a feature, mates or an identity; each is compared with all strangers."""
    paths = [*(path.replace("p", "004", 1) for path in paths_of([*SIZES, 2, 1])), "alone.jpg", "//empty.jpg"]
    vectors = embeddings_of(paths)
    del vectors["0040/0.jpg"]
    vectors["0045/1.jpg"][:] = 0
    return label_rows(spark, paths, vectors, fix_num=50)


def test_an_image_without_feature_is_missing_and_its_mates_are_labelled_without_it(lacking):
    assert lacking["0040/0.jpg"].status == schemas.MISSING_FEATURE
    assert lacking["0040/1.jpg"].status == schemas.OK
    assert lacking["0040/1.jpg"].intra_count == 4


def test_an_identity_with_too_few_usable_images_gets_no_label_but_serves_as_strangers(lacking):
    assert lacking["0045/0.jpg"].status == lacking["0046/0.jpg"].status == schemas.TOO_FEW_IMAGES
    assert lacking["0045/1.jpg"].status == schemas.INVALID_FEATURE
    assert lacking["0046/0.jpg"].label is None
    # Strangers of 0040: all of 0041 to 0044, one of 0045, one of 0046.
    assert lacking["0040/1.jpg"].inter_count == sum(SIZES[1:]) + 2


def test_a_path_with_too_few_parts_has_no_identity_and_is_nobodys_stranger(lacking):
    for path in ("alone.jpg", "//empty.jpg"):
        assert lacking[path].status == schemas.NO_IDENTITY
        assert lacking[path].identity is None
        assert lacking[path].label is None
    # All others that are usable and have an identity.
    assert lacking["0041/0.jpg"].inter_count == sum(SIZES) - SIZES[1] - 1 + 2


def test_an_identity_is_always_a_string(lacking):
    assert {row.identity for row in lacking.values()} == {None, *(f"004{person}" for person in range(7))}


def test_a_lists_own_identity_wins_over_the_index(spark):
    images = spark.createDataFrame([(path, int(path[1])) for path in PATHS], "path string, identity int")
    rows = with_identities(given_images(images), LabelSettings(id_key_index=-3)).collect()
    assert {row.path: row.identity for row in rows} == {path: path[1] for path in PATHS}
