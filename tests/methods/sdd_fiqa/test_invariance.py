"""Labels depend on seed, keys and identities alone."""

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


def test_partitions_order_batches_scaling_and_features_that_no_image_has_change_nothing(spark, reference, monkeypatch):
    """Neither do identities that wait on disk, nor features that are kept in memory."""
    random = np.random.default_rng(5)
    vectors = {path: vector * (number + 1) for number, (path, vector) in enumerate(embeddings_of(PATHS).items())}
    vectors["stranger/1.jpg"] = vectors["p0/0.jpg"]
    shuffled = {path: vectors[path] for path in random.permutation(list(vectors)).tolist()}
    settings = {"spark.sql.shuffle.partitions": 7, "spark.sql.execution.arrow.maxRecordsPerBatch": 5}
    monkeypatch.setattr("fiqa_spark.inputs.vectors._PARTITIONS_AT_LEAST", 7)
    monkeypatch.setattr("fiqa_spark.methods.sdd_fiqa.distances._BYTES_AT_ONCE", 4 * 24 * 8)
    with session_with(spark, settings):
        images = images_frame(spark, random.permutation(PATHS).tolist()).repartition(7)
        features = features_frame(spark, shuffled).repartition(7)
        assert_same(label_rows(spark, images, features, load_feature=True), reference)


def test_one_partition_changes_nothing(spark, reference, monkeypatch):
    monkeypatch.setattr("fiqa_spark.inputs.vectors._PARTITIONS_AT_LEAST", 1)
    with session_with(spark, {"spark.sql.shuffle.partitions": 1}):
        images, features = images_frame(spark, PATHS), features_frame(spark, embeddings_of(PATHS))
        assert_same(label_rows(spark, images.coalesce(1), features.coalesce(1)), reference)
