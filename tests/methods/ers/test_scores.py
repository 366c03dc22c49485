"""ERS from two DataFrames: what is found, and what every image gets."""

import os
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from fiqa_spark import FiqaError, schemas
from fiqa_spark.inputs.image_list import first_images, identified_images
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.ers import mean_direction, recognizability_scores
from fiqa_spark.matching.sample import UsableImages, draw_usable, rows_to_draw_from
from fiqa_spark.methods.ers.clustering import clusters_at
from fiqa_spark.methods.ers.scores import scores_in, templates_in
from fiqa_spark.methods.ers.scoring import score_images
from fiqa_spark.methods.ers.settings import RecognizabilitySettings
from fiqa_spark.methods.ers.ui_centroid import found_centroid, given_centroid
from fiqa_spark.runtime.driver_memory import free_bytes
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_by_identity
from tests.labelling import features_frame, images_frame
from tests.session_settings import session_with
from tests.unrecognizable_faces import DIMENSION, SMALL, planted_faces, score_rows

FACES = planted_faces()
UNUSABLE = {
    "large0/100.jpg": np.full(DIMENSION, np.nan),
    "large0/101.jpg": np.full(DIMENSION, np.inf),
    "large0/102.jpg": np.zeros(DIMENSION),
    "large0/103.jpg": np.ones(3),
    "large0/104.jpg": None,
}
"""Images whose features cannot be used."""
VECTORS = {
    **{**FACES.vectors, **UNUSABLE, "alone.jpg": FACES.vectors["p8/0.jpg"]},
    # The name of a feature need not have an extension, and an identity may have a single image.
    "single/1": FACES.vectors["p9/0.jpg"],
}
REPEATED = ["large0/007.jpg", "large0/007.jpg", "p3/0.jpg"]
LISTED = [*FACES.paths, *REPEATED, "single/1.jpg", "alone.jpg", "p9/none.jpg"]
"""Images of all kinds."""
WITH_FEATURE = LISTED[:-1]


def scoring_of(images, features, *, ui_centroid=None, templates=False, **settings):
    """All that was learned on the way to scores."""
    known = None if ui_centroid is None else given_centroid(ui_centroid, {"source": "argument"}, setting="ui_centroid")
    settings = RecognizabilitySettings(**{**SMALL, **settings})
    spark = images.sparkSession
    with planned_by_identity(spark):
        keyed = keyed_features(features, -2)
        return score_images(images, keyed, settings, Steps(spark), known=known, templates=templates)


def rows_of(scoring):
    """Path to row of the scores."""
    return {row.path: row for row in scores_in(scoring.packs).table.select(*schemas.RECOGNIZABILITY.names).collect()}


@pytest.fixture(scope="module")
def features(spark):
    return features_frame(spark, VECTORS).persist()


@pytest.fixture(scope="module")
def scoring(spark, features):
    """All that is learned from the planted faces."""
    return scoring_of(images_frame(spark, LISTED), features, templates=True)


@pytest.fixture(scope="module")
def reference(scoring):
    return rows_of(scoring)


def sample_in_memory(faces, per_identity=2):
    """The first images of each identity, as they are drawn for clustering."""
    numbers, paths = Counter(), []
    for path in faces.paths:
        numbers[path.split("/")[0]] += 1
        paths += [path] if numbers[path.split("/")[0]] <= per_identity else []
    hashes = np.unique([path.split("/")[0] for path in paths], return_inverse=True)[1]
    embeddings = unit_embeddings(np.array([faces.vectors[path] for path in paths]))[0]
    frame = pd.DataFrame({schemas.PATH: paths, schemas.IDENTITY_HASH: hashes})
    return UsableImages(frame, embeddings, np.ones(len(paths)))


def centroid_in_memory(faces, per_identity=2, **settings):
    return found_centroid(sample_in_memory(faces, per_identity), RecognizabilitySettings(**{**SMALL, **settings}))


def test_the_planted_cluster_is_found_among_identities_that_are_larger(scoring):
    found = scoring.centroid.provenance
    assert found["cluster"]["images"] == found["cluster"]["identities"] == len(FACES.unrecognizable) == 45
    assert found["sample"]["identities"] == 63
    assert 0.8 < found["cluster"]["cohesion"] < 1
    assert found["next_largest"]["identities"] < 10
    planted = np.array([FACES.vectors[path] for path in FACES.unrecognizable])
    mean = unit_embeddings(planted)[0].mean(axis=0, dtype=np.float64)
    assert found["cluster"]["cohesion"] == pytest.approx(np.linalg.norm(mean), abs=1e-6)
    np.testing.assert_allclose(scoring.centroid.vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert np.linalg.norm(scoring.centroid.vector.astype(np.float64)) == pytest.approx(1, abs=1e-6)
    # With the single image of its identity.
    assert scoring.counts.recognizable == len(FACES.paths) + 1 - len(UNUSABLE) - 45


def test_unrecognizable_images_alone_are_below_gamma(reference):
    scored = {path: row for path, row in reference.items() if row.status == schemas.OK}
    assert {path for path, row in scored.items() if not row.recognizable} == FACES.unrecognizable
    for row in scored.values():
        assert 0 <= row.ers <= 1
        assert row.recognizable == (row.ers >= 0.6)


def test_every_image_gets_a_row_and_those_without_score_a_reason(reference):
    assert reference.keys() == set(LISTED)
    reasons = {
        **dict.fromkeys(UNUSABLE, schemas.INVALID_FEATURE),
        "p9/none.jpg": schemas.MISSING_FEATURE,
        "alone.jpg": schemas.NO_IDENTITY,
    }
    assert {path: row.status for path, row in reference.items() if row.status != schemas.OK} == reasons
    for path in reasons:
        assert (reference[path].ers, reference[path].recognizable) == (None, None)


def test_without_the_cap_a_large_identity_may_still_not_be_taken_for_the_cluster():
    found = centroid_in_memory(FACES, per_identity=1000).provenance
    assert found["sample"]["images"] == len(FACES.paths)
    assert found["cluster"]["identities"] == 45


def test_no_cluster_is_refused_with_its_figures():
    with pytest.raises(FiqaError, match="no cluster of unrecognizable images") as error:
        centroid_in_memory(planted_faces(unrecognizable=29))
    figures = "has 29 images of 29 identities (cohesion 0.", "and 30 images of 10 identities are needed"
    for part in (*figures, "cluster_threshold 0.5: ", "`cluster_sample` 1000", "`ui_list_file`", "`ui_centroid`"):
        assert part in str(error.value)


def test_a_cluster_of_few_identities_is_refused():
    faces = planted_faces(large=(40,), small=20, unrecognizable=9)
    with pytest.raises(FiqaError, match=r"9 images of 9 identities .* and 30 images of 10 identities are needed"):
        centroid_in_memory(faces, per_identity=1000)


def test_a_centroid_close_to_the_mean_of_all_is_told(caplog, monkeypatch):
    # The command line hands the package's messages on itself.
    monkeypatch.setattr("fiqa_spark.methods.ers.ui_centroid._log.propagate", True)
    some = planted_faces(large=(40,))
    centroid_in_memory(some)
    assert "close to the mean" not in caplog.text
    centroid_in_memory(some, cluster_threshold=-0.5)
    assert "the UI centroid lies close to the mean of all embeddings" in caplog.text
    assert "raise --cluster-threshold" in caplog.text


def test_a_clustering_for_which_the_memory_is_not_there_does_not_begin(spark, features, monkeypatch):
    monkeypatch.setattr("fiqa_spark.methods.ers.scoring.free_bytes", lambda spark: 300_000)
    monkeypatch.delattr("fiqa_spark.methods.ers.scoring.found_centroid")
    with pytest.raises(FiqaError, match=r"complete linkage of 125 images of 128 values needs .* GB are free; use \d+"):
        score_rows(spark, LISTED, features, linkage="complete")


def test_the_memory_that_is_free_is_a_part_of_what_there_is(spark):
    there_is = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_bytes(spark) < there_is


def test_the_number_of_partitions_and_the_order_change_not_a_bit(spark, features, reference, monkeypatch):
    monkeypatch.setattr("fiqa_spark.inputs.vectors._PARTITIONS_AT_LEAST", 7)
    with session_with(spark, {"spark.sql.shuffle.partitions": 7}):
        images = images_frame(spark, np.random.default_rng(5).permutation(WITH_FEATURE).tolist()).repartition(7)
        in_another_order = features.repartition(7).sortWithinPartitions(F.xxhash64("path"))
        assert score_rows(spark, images, in_another_order) == {path: reference[path] for path in WITH_FEATURE}


def test_a_given_centroid_batches_and_waiting_on_disk_change_not_a_bit(
    spark, features, scoring, reference, monkeypatch
):
    expected = {row.identity: row for row in templates_in(scoring.packs).collect()}
    images = images_frame(spark, LISTED)
    monkeypatch.setattr("fiqa_spark.methods.ers.scores._BYTES_AT_ONCE", 4 * DIMENSION * 8)
    with session_with(spark, {"spark.sql.execution.arrow.maxRecordsPerBatch": "7"}):
        with_templates = scoring_of(images, features, ui_centroid=scoring.centroid.vector, templates=True)
        assert rows_of(with_templates) == reference
        found = {row.identity: row for row in templates_in(with_templates.packs).collect()}
    assert found.keys() == expected.keys()
    for identity, row in found.items():
        assert (row.images, row.recognizable_images) == expected[identity][2:]
        np.testing.assert_allclose(row.template, expected[identity].template, atol=1e-6)


def test_scaling_and_rotating_the_features_changes_no_score(reference):
    random = np.random.default_rng(3)
    rotation = np.linalg.qr(random.standard_normal((DIMENSION, DIMENSION)))[0]
    turned = {path: random.uniform(0.01, 100) * vector @ rotation for path, vector in FACES.vectors.items()}
    centroid = centroid_in_memory(FACES._replace(vectors=turned)).vector
    usable = [path for path in FACES.paths if path not in UNUSABLE]
    embeddings = unit_embeddings(np.float32([turned[path] for path in usable]))[0]
    found = recognizability_scores(embeddings, centroid, clip=True)
    np.testing.assert_allclose(found, [reference[path].ers for path in usable], atol=1e-5)


def test_a_given_centroid_of_any_length_scores_one_image_as_the_full_run_does(spark, features, scoring, reference):
    rows = score_rows(spark, ["p1/0.jpg"], features, ui_centroid=(8 * scoring.centroid.vector).tolist())
    assert rows == {"p1/0.jpg": reference["p1/0.jpg"]}


def test_gamma_tells_who_is_recognizable_and_without_clipping_scores_go_up_to_2(spark):
    vectors = {
        **{"a/1.jpg": np.array([1.0, 0]), "a/2.jpg": np.array([-1.0, 0]), "a/3.jpg": np.array([0.5, 0.75**0.5])},
        **{"b/1.jpg": np.array([-0.6, 0.8]), "b/2.jpg": np.array([0, 1.0])},
    }
    rows = score_rows(spark, list(vectors), vectors, ui_centroid=[3.0, 0.0], no_clip=True, gamma=1.0)
    np.testing.assert_allclose([rows[path].ers for path in vectors], [0, 2, 0.5, 1.6, 1], atol=1e-6)
    # An image at gamma is.
    assert [rows[path].recognizable for path in vectors] == [False, True, False, True, True]


def test_templates_are_weighted_by_the_scores_of_the_usable_images(spark):
    unit = np.eye(3)
    vectors = {
        **{"a/1.jpg": unit[1], "a/2.jpg": 5 * np.array([0.6, 0, 0.8]), "a/3.jpg": unit[0], "a/4.jpg": unit[2] * np.nan},
        **{"b/1.jpg": unit[0], "c/1.jpg": unit[2] * 0, "d/1.jpg": unit[2], "d/2.jpg": -unit[0]},
    }
    frames = images_frame(spark, list(vectors)), features_frame(spark, vectors)
    scoring = scoring_of(*frames, ui_centroid=unit[0], templates=True, gamma=0.5)
    rows = {row.identity: row for row in templates_in(scoring.packs).collect()}
    # Scores of a: 1, 0.4 and 0; of d: 1 and 1, clipped.
    expected = {"a": [0.4 * 0.6, 1, 0.4 * 0.8], "d": [-1, 0, 1]}
    for identity, sum_of_weighted in expected.items():
        np.testing.assert_allclose(
            rows[identity].template, sum_of_weighted / np.linalg.norm(sum_of_weighted), atol=1e-6
        )
    assert rows["b"].template is None
    assert rows["c"].template is None
    counts = {identity: (row.images, row.recognizable_images) for identity, row in rows.items()}
    assert counts == {"a": (3, 1), "b": (1, 0), "c": (0, 0), "d": (2, 2)}


def test_a_centroid_of_another_length_than_the_features_is_refused(spark, features):
    with pytest.raises(FiqaError, match=r"ui_centroid: the UI centroid has 5 values, and 4 of 4 features have"):
        score_rows(spark, FACES.paths[:4], features, ui_centroid=np.ones(5))


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        (np.ones((2, DIMENSION)), r"shape \(2, 128\); expected \(dimension,\)"),
        (np.zeros(DIMENSION), "is zero or not finite"),
        (np.full(DIMENSION, np.nan), "is zero or not finite"),
    ],
    ids=["matrix", "zero", "not finite"],
)
def test_a_centroid_that_is_no_direction_is_refused(spark, features, vector, said):
    with pytest.raises(FiqaError, match=f"ui_centroid: {said}"):
        score_rows(spark, LISTED[:1], features, ui_centroid=vector)


def auc(clean, degraded):
    """Share of pairs in which the clean image has the higher score; equal ones count half."""
    degraded = np.sort(degraded)
    below, up_to = (np.searchsorted(degraded, clean, side) for side in ("left", "right"))
    return (below + up_to).mean() / 2 / len(degraded)


# Of 400 images, two a person would leave too few for clusters at every threshold.
PER_IDENTITY = {"sample": 4, "whole": 2}


def test_degraded_images_of_real_faces_are_told_from_clean_ones_at_any_sensible_threshold(spark, real_faces):
    paths, features, degraded = real_faces[1:]
    table = features_frame(spark, dict(zip(paths, features, strict=True))).persist()
    settings = RecognizabilitySettings(id_key_index=-2, cluster_per_identity=PER_IDENTITY[real_faces.name])
    sample = sample_of(spark, paths, table, settings)
    identities = sample.frame[schemas.IDENTITY_HASH].to_numpy(np.int64)
    embeddings = unit_embeddings(features)[0]
    is_degraded = np.array([path in degraded for path in paths])
    scores = {}
    for threshold in (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7):
        cluster = clusters_at(sample.embeddings, identities, settings.linkage, threshold)[0]
        centroid = mean_direction(sample.embeddings[cluster.members].mean(axis=0, dtype=np.float64))
        scores[threshold] = recognizability_scores(embeddings, centroid, clip=True)
        clean = scores[threshold][~is_degraded]
        assert auc(clean, scores[threshold][is_degraded]) >= 0.975
        assert clean.min() >= settings.gamma
    # What was computed here without Spark is what a whole run gives.
    drawn = {key: getattr(settings, key) for key in ("cluster_sample", "cluster_per_identity")}
    rows = score_rows(spark, paths, table, cluster_threshold=0.5, **drawn)
    np.testing.assert_allclose([rows[path].ers for path in paths], scores[0.5], atol=1e-6)
    table.unpersist()


def sample_of(spark, paths, table, settings):
    """The sample of a list that is clustered."""
    images = identified_images(images_frame(spark, paths), settings, settings.id_key_index)
    vectors = keyed_features(table, settings.id_key_index)
    size, per_identity = settings.cluster_sample, settings.cluster_per_identity
    first = first_images(images, rows_to_draw_from(size, per_identity))
    return draw_usable(images, vectors, first, len(paths), size, per_identity)
