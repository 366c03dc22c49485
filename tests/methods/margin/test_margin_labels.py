"""Margin labels of two DataFrames: what they are, and what they do not depend on."""

import re
import zlib
from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest

from fiqa_spark import MarginSettings, schemas
from fiqa_spark.errors import FiqaError, SettingsError
from fiqa_spark.kernels.embeddings import embeddings_and_norms
from fiqa_spark.matching.identity_sample import Drawn
from fiqa_spark.matching.sample import UsableImages
from fiqa_spark.methods.margin.learning import reference_of
from fiqa_spark.runtime.frames_by_arrow import distributed
from tests.conftest import DATA
from tests.golden_margins import at_hand, golden_faces
from tests.labelling import embeddings_of, features_frame, images_frame, margin_rows, paths_of
from tests.naive_margins import naive_margins
from tests.session_settings import session_with

COLUMNS = ("margin", "margin_std", "prior", "stranger_similarity", "label")
SIZES = [60, 5, 2, 33, 1, 9, 4, 4, 1, 7]
PATHS = paths_of(SIZES)


def binary_features(spark, paths, features):
    frame = pd.DataFrame({"path": paths, "feature": [row.tobytes() for row in features]})
    return distributed(spark, frame, "path string, feature binary")


def assert_same(found, expected, tolerance=1e-5):
    assert found.keys() == expected.keys()
    for path, row in expected.items():
        assert (found[path].status, found[path].mates) == (row.status, row.mates), path
        for column in COLUMNS:
            assert found[path][column] == (
                None
                if row[column] is None
                else pytest.approx(row[column], abs=tolerance * (100 if column == "label" else 1))
            ), (path, column)


@pytest.fixture(scope="module")
def hard(spark):
    """Images of all kinds, their vectors, and their rows."""
    vectors = embeddings_of([*PATHS, "alone.jpg", "stranger.jpg"])
    del vectors["p0/7.jpg"]
    vectors["p0/8.jpg"] = np.full(24, np.nan)
    vectors["p3/2.jpg"] = vectors["p3/2.jpg"] * 0
    listed = [*PATHS, "p0/9.jpg", "p3/1.jpg", "p3/1.jpg", "alone.jpg", "stranger.jpg", "p99/none.jpg"]
    return listed, vectors, margin_rows(spark, listed, vectors, intra_pool_size=9)


@pytest.fixture(scope="module")
def halves(spark, hard):
    """The rows where mates are those of a half."""
    return margin_rows(spark, *hard[:2], intra_pool_size=9, half_mates=True)


@at_hand
def test_golden_margins_of_real_faces(spark):
    # Those of the other models are held by the kernels' tests.
    faces = golden_faces("lfw_ncnn")
    features = binary_features(spark, faces.paths, faces.features)
    rows = margin_rows(spark, distributed(spark, pd.DataFrame({"path": faces.paths}), "path string"), features)
    for column in ("mates", *COLUMNS):
        found = np.array([rows[path][column] for path in faces.paths])
        np.testing.assert_allclose(found, faces.expected[column], atol=0.2 if column == "label" else 1e-3)


def test_margins_of_real_faces_are_those_of_the_plain_loop_whatever_their_norms(spark):
    paths = pd.read_csv(DATA / "lfw_sample.csv")["path"].tolist()[:140]
    features = np.load(DATA / "lfw_sample.npy", allow_pickle=False).astype(np.float32)[:140]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    features *= np.random.default_rng(0).uniform(1, 9, (len(features), 1)).astype(np.float32)
    names = [path.split("/")[-2] for path in paths]
    folds = np.array([zlib.crc32(name.encode()) % 5 for name in names])
    identities = np.unique(names, return_inverse=True)[1]
    expected = naive_margins(features, identities, identities, range(len(paths)), folds)
    rows = margin_rows(spark, paths, dict(zip(paths, features, strict=True)))
    places = {"margin": expected.margins, "margin_std": expected.deviations, "prior": expected.priors}
    for column, values in {**places, "stranger_similarity": expected.strangers}.items():
        np.testing.assert_allclose([rows[path][column] for path in paths], values, atol=1e-4)
    for path, margin in zip(paths, expected.margins, strict=True):
        label = 100 * np.clip((margin - expected.lo) / (expected.hi - expected.lo), 0, 1)
        assert rows[path].label == pytest.approx(label, abs=0.01)


def test_every_usable_image_has_a_label_and_a_status_that_says_where_it_comes_from(hard):
    _, _, rows = hard
    statuses = {path: row.status for path, row in rows.items()}
    assert statuses["p0/7.jpg"] == statuses["p99/none.jpg"] == "missing_feature"
    assert statuses["p0/8.jpg"] == statuses["p3/2.jpg"] == "invalid_feature"
    for path in ("p4/0.jpg", "p8/0.jpg", "alone.jpg", "stranger.jpg"):
        assert (statuses[path], rows[path].mates) == ("predicted", 0)
        assert rows[path].margin == rows[path].prior
    assert rows["alone.jpg"].identity is None
    for row in rows.values():
        assert (row.label is None) == (row.status in ("missing_feature", "invalid_feature"))
        assert all((row[column] is None) == (row.label is None) for column in COLUMNS)
        assert row.label is None or (0 <= row.label <= 100 and row.margin_std > 0)
    # 58 usable images, the first 9 of which count: they meet the other 8, and others meet all 9.
    assert sorted(row.mates for path, row in rows.items() if path.startswith("p0/") and row.label is not None) == [
        *[8] * 9,
        *[9] * 49,
    ]


@pytest.mark.parametrize("half_mates", [False, True])
def test_order_partitions_and_waiting_on_disk_change_no_margin(spark, monkeypatch, hard, halves, half_mates):
    listed, vectors, expected = hard
    shuffled = np.random.default_rng(1).permutation(listed).tolist()
    images = images_frame(spark, shuffled).repartition(7)
    settings = {"intra_pool_size": 9, "half_mates": half_mates, "load_feature": not half_mates}
    monkeypatch.setattr("fiqa_spark.methods.margin.margins._BYTES_AT_ONCE", 4 * 24 * 8)
    with session_with(spark, {"spark.sql.execution.arrow.maxRecordsPerBatch": "7"}):
        assert_same(margin_rows(spark, images, vectors, **settings), halves if half_mates else expected)


def test_half_mates_are_those_of_one_half_and_strangers_leave_out_the_whole_identity(hard, halves):
    _, _, whole = hard
    own = defaultdict(Counter)
    for path, row in halves.items():
        assert (row.stranger_similarity is None) == (row.label is None)
        if row.label is not None:
            assert row.stranger_similarity == pytest.approx(whole[path].stranger_similarity, abs=1e-6)
            own[row.identity][row.mates + 1] += 1
    # Of identities that are not too large every image of a half has the others of it as mates.
    sizes = {number: own[f"p{number}"] for number in (1, 2, 5, 6, 7, 9)}
    for number, images in sizes.items():
        assert sum(images) in (SIZES[number], SIZES[number] / 2)
        assert all(count in (size, 2 * size) for size, count in images.items())
    assert sum(len(images) == 2 for images in sizes.values()) > 2


def drawn_in_memory(sizes):
    """What is drawn of identities of such sizes, with the folds of their names."""
    paths = paths_of(sizes)
    names = [path.split("/")[0] for path in paths]
    hashes = np.array([int(name.removeprefix("p")) for name in names])
    embeddings, norms, _ = embeddings_and_norms(np.array(list(embeddings_of(paths).values())))
    folds = [zlib.crc32(name.encode()) % 5 for name in names]
    columns = {schemas.IDENTITY: names, schemas.IDENTITY_HASH: hashes, schemas.FOLD: folds}
    pool = UsableImages(pd.DataFrame(columns), embeddings, norms)
    mates = np.array(sizes)[hashes] > 1
    return Drawn(pool, UsableImages(pool.frame[mates], embeddings[mates], norms[mates]))


def test_without_mates_nothing_can_be_learned():
    settings = MarginSettings(pool_size=9)
    with pytest.raises(FiqaError, match="no identity has two images with a usable feature"):
        reference_of(drawn_in_memory([1] * 9), settings)
    assert reference_of(drawn_in_memory([1] * 9 + [4] * 9), settings).numbers["sample_images"] == 36


def test_what_cannot_be_learned_from_is_refused(spark):
    paths = [f"{name}/{number}.jpg" for name in ("p4", "p5") for number in range(3)]
    assert len({zlib.crc32(path.split("/")[0].encode()) % 5 for path in paths}) == 1
    with pytest.raises(FiqaError, match="of 1 fold"):
        margin_rows(spark, paths, embeddings_of(paths))


def test_a_sample_that_does_not_fit_in_memory_is_refused_with_one_that_does_and_tells_about_the_same(
    spark, monkeypatch
):
    paths = paths_of([6] * 60)
    vectors, free = features_frame(spark, embeddings_of(paths)).persist(), 160_000
    many = margin_rows(spark, paths, vectors, pool_size=40)
    monkeypatch.setattr("fiqa_spark.methods.margin.learning.free_bytes", lambda spark: free)
    with pytest.raises(SettingsError, match=r"360 images of 24 values need .* GB of memory") as refusal:
        margin_rows(spark, paths, vectors, pool_size=40)
    assert refusal.value.setting == "reference_sample"
    fits = int(re.search(r"use (\d+) images", refusal.value.remedy)[1])
    assert 200 < fits < 320
    few = margin_rows(spark, paths, vectors, pool_size=40, reference_sample=fits)
    labels = np.array([(few[path].label, many[path].label) for path in paths])
    assert np.abs(labels[:, 0] - labels[:, 1]).max() > 0.01
    assert np.corrcoef(labels.T)[0, 1] > 0.95
    with pytest.raises(SettingsError, match="a smaller `pool_size`"):
        margin_rows(spark, paths, vectors, pool_size=350, reference_sample=10)
    vectors.unpersist()
