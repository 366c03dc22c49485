"""Labels depend on seed, keys and identities alone."""

import contextlib

import numpy as np
import pytest

from tests.labelling import embeddings_of, features_frame, images_frame, label_rows, paths_of
from tests.session_settings import session_with

PATHS = paths_of([30, 2, 9, 17, 1, 6, 12, 3])
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def reference(spark):
    return label_rows(spark, PATHS, embeddings_of(PATHS))


def assert_same(rows, reference):
    assert rows.keys() == reference.keys()
    for path, row in rows.items():
        expected = reference[path]
        assert (row.status, row.identity) == (expected.status, expected.identity)
        assert (row.intra_count, row.inter_count) == (expected.intra_count, expected.inter_count)
        assert (row.label is None) == (expected.label is None)
        if row.label is not None:
            assert row.label == pytest.approx(expected.label, abs=TOLERANCE)
            np.testing.assert_allclose(row.round_labels, expected.round_labels, atol=TOLERANCE)


@contextlib.contextmanager
def in_partitions(spark, partitions, rows_at_once):
    """Spark works in so many partitions, and rows cross to Python so many at a time."""
    settings = {
        "spark.sql.shuffle.partitions": partitions,
        "spark.sql.execution.arrow.maxRecordsPerBatch": rows_at_once,
    }
    with pytest.MonkeyPatch.context() as patch, session_with(spark, settings):
        patch.setattr("fiqa_spark.inputs.vectors._PARTITIONS_AT_LEAST", partitions)
        yield


def test_one_partition_order_small_batches_and_features_that_no_image_has_change_nothing(spark, reference):
    random = np.random.default_rng(5)
    vectors = embeddings_of(PATHS)
    vectors["stranger/1.jpg"] = vectors["p0/0.jpg"]
    shuffled = {path: vectors[path] for path in random.permutation(list(vectors)).tolist()}
    with in_partitions(spark, 1, 5):
        images = images_frame(spark, random.permutation(PATHS).tolist()).coalesce(1)
        assert_same(label_rows(spark, images, features_frame(spark, shuffled).coalesce(1)), reference)


def test_many_partitions_scaling_and_keeping_features_in_memory_change_nothing(spark, reference):
    vectors = {path: vector * (number + 1) for number, (path, vector) in enumerate(embeddings_of(PATHS).items())}
    with in_partitions(spark, 7, 4096):
        frames = images_frame(spark, PATHS).repartition(7), features_frame(spark, vectors).repartition(7)
        assert_same(label_rows(spark, *frames, load_feature=True), reference)


def test_another_seed_gives_another_draw(spark, reference):
    rows = label_rows(spark, PATHS, embeddings_of(PATHS), seed=1)
    assert any(abs(rows[path].label - reference[path].label) > 1 for path in PATHS if rows[path].label is not None)


def test_the_exact_estimator_has_no_draw_of_its_own(spark):
    vectors = embeddings_of(PATHS)
    settings = {"estimator": "exact", "pool_size": 1000}
    first = label_rows(spark, PATHS, vectors, **settings)
    # Nor one among mates that are no more than count.
    assert_same(label_rows(spark, PATHS, vectors, seed=9, intra_pool_size=30, **settings), first)
    assert first["p0/0.jpg"].intra_count == 29
    assert first["p0/0.jpg"].inter_count == len(PATHS) - 30
    assert len(first["p0/0.jpg"].round_labels) == 1
    assert first["p0/0.jpg"].distance_std == 0
