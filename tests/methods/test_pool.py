import copy
import io
import pickle
from collections import Counter

import numpy as np
import pytest
from pyspark.serializers import ChunkedStream

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.image_list import CheckedList, first_images, identified_images
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.matching import sample
from fiqa_spark.matching.sample import draw_usable, rows_to_draw_from
from fiqa_spark.methods.pool import Pool, draw_pool
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from tests.labelling import embeddings_of, features_frame, images_frame, label_rows, paths_of

PATHS = paths_of([40, 60, 50, 90, 60])


@pytest.fixture(scope="module")
def order(spark):
    """All paths by the hashes of their images."""
    images = identified_images(images_frame(spark, PATHS), LabelSettings(id_key_index=-2, seed=3), -2)
    return [row.path for row in images.orderBy("image_hash").collect()]


def pool_of(spark, vectors, pool_size):
    images = identified_images(images_frame(spark, PATHS), LabelSettings(id_key_index=-2, seed=3), -2)
    features = keyed_features(features_frame(spark, vectors), -2)
    first = first_images(images, rows_to_draw_from(pool_size))
    return draw_pool(images, features, CheckedList(len(PATHS), True, first), pool_size)


@pytest.mark.parametrize("pool_size", [1000, 300, 20])
def test_the_pool_is_the_usable_images_of_the_smallest_hashes(spark, order, pool_size):
    vectors = embeddings_of(PATHS)
    for path in PATHS[::17]:
        vectors[path] = vectors[path] * 0
    pool = pool_of(spark, vectors, pool_size)
    expected = [path for path in order if vectors[path].any()][:pool_size]
    assert list(pool.identities) == [path.split("/")[0] for path in expected]
    np.testing.assert_array_equal(pool.embeddings, unit_embeddings(np.array([vectors[path] for path in expected]))[0])


def test_the_pool_is_full_where_most_features_are_broken(spark, order):
    vectors = embeddings_of(PATHS)
    for path in PATHS:
        if int(path.split("/")[1].removesuffix(".jpg")) % 10:
            vectors[path] = vectors[path] * np.nan
    pool = pool_of(spark, vectors, 20)
    expected = [path for path in order if not np.isnan(vectors[path][0])][:20]
    assert list(pool.identities) == [path.split("/")[0] for path in expected]


def test_the_pool_is_full_where_most_features_are_missing(spark, order):
    vectors = {path: vector for path, vector in embeddings_of(PATHS).items() if path.endswith("0.jpg")}
    pool = pool_of(spark, vectors, 20)
    expected = [path for path in order if path in vectors][:20]
    assert list(pool.identities) == [path.split("/")[0] for path in expected]


def capped(paths, order, size, per_identity):
    """The first of these paths in an order, at most so many of each identity, by a plain loop."""
    seen, taken = Counter(), []
    for path in order:
        if path in paths and seen[path.split("/")[0]] < per_identity and len(taken) < size:
            seen[path.split("/")[0]] += 1
            taken.append(path)
    return taken


def sample_of(spark, paths, vectors, size, per_identity):
    images = identified_images(images_frame(spark, paths), LabelSettings(id_key_index=-2, seed=3), -2)
    features = keyed_features(features_frame(spark, vectors), -2)
    first = first_images(images, rows_to_draw_from(size, per_identity))
    return draw_usable(images, features, first, len(paths), size, per_identity)


@pytest.mark.parametrize(("size", "per_identity"), [(3, 1), (7, 3), (40, 3), (1000, 1), (1000, 3)])
def test_a_sample_takes_the_smallest_hashes_of_each_identity(spark, order, size, per_identity):
    vectors, listed = embeddings_of(PATHS), [*PATHS, *PATHS[::3]]
    drawn = sample_of(spark, listed, vectors, size, per_identity)
    expected = capped(set(PATHS), order, size, per_identity)
    assert drawn.frame["path"].tolist() == expected
    np.testing.assert_array_equal(drawn.embeddings, unit_embeddings(np.array([vectors[path] for path in expected]))[0])


@pytest.mark.parametrize(("size", "damage"), [(7, "missing"), (7, "broken"), (12, "broken"), (1000, "missing")])
def test_others_take_the_place_of_those_that_are_not_usable(spark, order, size, damage):
    vectors = embeddings_of(PATHS)
    for path in [path for path in PATHS if int(path.split("/")[1].removesuffix(".jpg")) % 9]:
        if damage == "missing":
            del vectors[path]
        else:
            vectors[path] = vectors[path] * np.nan
    drawn = sample_of(spark, PATHS, vectors, size, 3)
    usable = {path for path, vector in vectors.items() if np.isfinite(vector).all()}
    assert drawn.frame["path"].tolist() == capped(usable, order, size, 3)


def test_vectors_are_looked_for_once_where_the_first_images_are_usable(spark, monkeypatch):
    monkeypatch.setattr(sample, "first_images", None)
    drawn = sample_of(spark, PATHS, embeddings_of(PATHS), 40, None)
    assert len(drawn.frame) == 40


def test_not_all_vectors_are_looked_at_where_features_are_merely_missing(spark, order, monkeypatch):
    monkeypatch.setattr(sample, "keys_of_usable", None)
    vectors = {path: vector for path, vector in embeddings_of(PATHS).items() if path.endswith("0.jpg")}
    drawn = sample_of(spark, PATHS, vectors, 20, None)
    assert drawn.frame["path"].tolist() == [path for path in order if path in vectors][:20]


def test_positions_of_an_identity_are_those_at_which_it_stands(spark):
    pool = pool_of(spark, embeddings_of(PATHS), 100)
    hashes = np.append(np.unique(pool.identity_hashes), np.int64(12345))
    positions = pool.positions(hashes)
    assert sorted(np.concatenate(list(positions.values())).tolist()) == list(range(100))
    assert len(hashes) - 1 not in positions
    for number, places in positions.items():
        assert (np.diff(places) > 0).all()
        assert {pool.identity_hashes[place] for place in places} == {hashes[number]}


def test_a_pool_of_one_identity_is_refused(spark):
    with pytest.raises(InputError, match="pool_size 1: all images drawn are of identity"):
        label_rows(spark, PATHS, embeddings_of(PATHS), pool_size=1)


def test_the_pool_can_be_broadcast_where_spark_encrypts_what_it_keeps_on_disk():
    random = np.random.default_rng(0)
    embeddings, usable = unit_embeddings(random.standard_normal((4000, 24)).astype(np.float32))
    assert usable.all()
    pool = Pool(embeddings, tuple(f"p{number}" for number in range(4000)), random.integers(0, 2**62, 4000))
    # What PySpark writes broadcasts to in that case.
    pickle.dump(pool, ChunkedStream(io.BytesIO(), 8192), 5)
    for held, expected in zip(copy.copy(pool), pool, strict=True):
        np.testing.assert_array_equal(held, expected)
