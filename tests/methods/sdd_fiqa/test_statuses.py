import numpy as np
import pytest

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.methods.sdd_fiqa.labels import DistanceRanges, scale_labels
from tests.labelling import DIMENSION, embeddings_of, label_rows, paths_of

SIZES = [6, 5, 7, 4, 8]
PATHS = paths_of(SIZES)


def statuses(rows):
    return {path: row.status for path, row in rows.items()}


def test_an_image_with_feature_mates_and_strangers_is_ok(spark):
    rows = label_rows(spark, PATHS, embeddings_of(PATHS))
    assert set(statuses(rows).values()) == {"ok"}
    for row in rows.values():
        assert 0 <= row.label <= 100
        assert 0 <= row.distance <= 2
        assert row.distance_std >= 0
        assert (row.intra_count, row.inter_count) == (min(4, SIZES[int(row.identity[1:])] - 1), 4)
        assert len(row.round_labels) == 3
        assert np.mean(row.round_labels) == pytest.approx(row.label, abs=1e-4)


def test_every_round_spans_0_to_100(spark):
    rounds = np.array([row.round_labels for row in label_rows(spark, PATHS, embeddings_of(PATHS)).values()])
    np.testing.assert_allclose(rounds.min(axis=0), 0)
    np.testing.assert_allclose(rounds.max(axis=0), 100)


def test_labels_normalized_at_the_end_span_0_to_100(spark):
    rows = label_rows(spark, PATHS, embeddings_of(PATHS), normalize="final").values()
    labels = np.array([row.label for row in rows])
    distances = np.array([row.distance for row in rows])
    assert (labels.min(), labels.max()) == (0, 100)
    scaled = 100 * (distances - distances.min()) / (distances.max() - distances.min())
    np.testing.assert_allclose(labels, scaled, atol=1e-9)


def test_equal_mean_distances_cannot_be_scaled_once():
    ranges = DistanceRanges((0.0, 0.0), (1.0, 1.0), 0.5, 0.5, ImageCounts(2, 2, 1, {schemas.OK: 2}), 0)
    with pytest.raises(InputError, match="normalize: all mean distances are"):
        scale_labels(None, ranges, "final")


@pytest.mark.parametrize(
    "feature",
    [
        None,
        np.full(DIMENSION, np.nan),
        np.r_[np.inf, np.ones(DIMENSION - 1)],
        np.zeros(DIMENSION),
        np.ones(DIMENSION - 1),
        np.ones(0),
    ],
    ids=["null", "nan", "infinity", "zero", "short", "empty"],
)
def test_a_feature_without_direction_or_of_another_length_is_invalid(spark, feature):
    many = [f"{copy}{path}" for copy in range(4) for path in PATHS]
    vectors = embeddings_of(many)
    vectors["0p2/3.jpg"] = feature
    rows = label_rows(spark, many, vectors)
    assert rows["0p2/3.jpg"].status == schemas.INVALID_FEATURE
    assert rows["0p2/3.jpg"].label is None
    assert rows["0p2/3.jpg"].round_labels is None
    assert set(statuses(rows).values()) == {"ok", "invalid_feature"}


def test_an_image_without_feature_is_missing_and_its_mates_are_labelled_without_it(spark):
    vectors = embeddings_of(PATHS)
    del vectors["p0/0.jpg"]
    rows = label_rows(spark, PATHS, vectors)
    assert rows["p0/0.jpg"].status == schemas.MISSING_FEATURE
    assert rows["p0/1.jpg"].status == schemas.OK
    assert rows["p0/1.jpg"].intra_count == 4


def test_an_identity_with_too_few_usable_images_gets_no_label_but_serves_as_strangers(spark):
    paths = paths_of([6, 5, 2, 1])
    vectors = embeddings_of(paths)
    vectors["p2/1.jpg"][:] = 0
    rows = label_rows(spark, paths, vectors, fix_num=50)
    assert rows["p2/0.jpg"].status == rows["p3/0.jpg"].status == schemas.TOO_FEW_IMAGES
    assert rows["p2/1.jpg"].status == schemas.INVALID_FEATURE
    assert rows["p3/0.jpg"].label is None
    # Strangers of p0: five of p1, one of p2, one of p3.
    assert rows["p0/0.jpg"].inter_count == 7


def test_min_images_sets_how_many_an_identity_needs(spark):
    rows = label_rows(spark, PATHS, embeddings_of(PATHS), min_images=6)
    without = {row.identity for row in rows.values() if row.status == schemas.TOO_FEW_IMAGES}
    assert without == {"p1", "p3"}


def test_a_path_with_too_few_parts_has_no_identity_and_is_nobodys_stranger(spark):
    paths = [*PATHS, "alone.jpg", "//empty.jpg"]
    rows = label_rows(spark, paths, embeddings_of(paths), fix_num=50)
    for path in ("alone.jpg", "//empty.jpg"):
        assert rows[path].status == schemas.NO_IDENTITY
        assert rows[path].identity is None
        assert rows[path].label is None
    assert rows["p0/0.jpg"].inter_count == len(PATHS) - 6


def test_a_path_that_occurs_twice_is_one_image(spark):
    vectors = embeddings_of(PATHS)
    once = label_rows(spark, PATHS, vectors)
    twice = label_rows(spark, [*PATHS, *PATHS[:7]], vectors)
    assert {path: row.label for path, row in once.items()} == {path: row.label for path, row in twice.items()}


def test_an_identity_is_always_a_string(spark):
    paths = [path.replace("p", "004") for path in PATHS]
    rows = label_rows(spark, paths, embeddings_of(paths))
    assert {row.identity for row in rows.values()} == {f"004{person}" for person in range(5)}


def test_a_lists_own_identity_wins_over_the_index(spark):
    images = spark.createDataFrame([(path, int(path[1])) for path in PATHS], "path string, identity int")
    rows = label_rows(spark, images, embeddings_of(PATHS), id_key_index=-3)
    assert {row.identity for row in rows.values()} == {"0", "1", "2", "3", "4"}
    by_index = label_rows(spark, PATHS, embeddings_of(PATHS))
    assert {row.status for row in rows.values()} == {"ok"}
    assert rows.keys() == by_index.keys()
