"""Labels depend on seed, keys and identities alone."""

import numpy as np
import pytest

from tests.labelling import embeddings_of, features_frame, images_frame, label_rows, paths_of

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


@pytest.mark.parametrize("partitions", [1, 7])
def test_the_number_of_partitions_changes_nothing(spark, reference, monkeypatch, partitions):
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    monkeypatch.setattr("fiqa_spark.inputs.vectors._PARTITIONS_AT_LEAST", partitions)
    try:
        images = images_frame(spark, PATHS).repartition(partitions)
        features = features_frame(spark, embeddings_of(PATHS)).repartition(partitions)
        assert_same(label_rows(spark, images, features), reference)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", 2)


def test_order_batches_and_features_that_no_image_has_change_nothing(spark, reference):
    random = np.random.default_rng(5)
    vectors = embeddings_of(PATHS)
    vectors["stranger/1.jpg"] = vectors["p0/0.jpg"]
    shuffled = {path: vectors[path] for path in random.permutation(list(vectors)).tolist()}
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 5)
    try:
        assert_same(label_rows(spark, random.permutation(PATHS).tolist(), shuffled), reference)
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")


def test_scaling_the_features_and_keeping_them_in_memory_changes_nothing(spark, reference):
    vectors = {path: vector * (number + 1) for number, (path, vector) in enumerate(embeddings_of(PATHS).items())}
    assert_same(label_rows(spark, PATHS, vectors, load_feature=True), reference)


def test_another_seed_gives_another_draw(spark, reference):
    rows = label_rows(spark, PATHS, embeddings_of(PATHS), seed=1)
    assert any(abs(rows[path].label - reference[path].label) > 1 for path in PATHS if rows[path].label is not None)


def test_the_exact_estimator_has_no_draw_of_its_own(spark):
    vectors = embeddings_of(PATHS)
    settings = {"estimator": "exact", "pool_size": 1000}
    first = label_rows(spark, PATHS, vectors, **settings)
    assert_same(label_rows(spark, PATHS, vectors, seed=9, **settings), first)
    assert first["p0/0.jpg"].intra_count == 29
    assert first["p0/0.jpg"].inter_count == len(PATHS) - 30
    assert len(first["p0/0.jpg"].round_labels) == 1
    assert first["p0/0.jpg"].distance_std == 0
