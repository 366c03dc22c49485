import copy
import io
import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from pyspark.serializers import ChunkedStream

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.image_list import CheckedList, first_images, identified_images
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.kernels.embeddings import embeddings_and_norms, unit_embeddings
from fiqa_spark.matching import sample
from fiqa_spark.matching.sample import UsableImages, draw_usable, rows_to_draw_from
from fiqa_spark.methods.pool import Pool, draw_pool, pool_of
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from tests.labelling import embeddings_of, features_frame, images_frame, paths_of

PATHS = paths_of([40, 60, 50, 90, 60])


SETTINGS = LabelSettings(id_key_index=-2, seed=3)
VECTORS = embeddings_of(PATHS)
FEW = {path: vector for path, vector in VECTORS.items() if path.endswith("0.jpg")}


@pytest.fixture(scope="module")
def images(spark):
    return identified_images(images_frame(spark, PATHS), SETTINGS, -2).persist()


@pytest.fixture(scope="module")
def features(spark):
    return keyed_features(features_frame(spark, VECTORS).persist(), -2)


@pytest.fixture(scope="module")
def order(images):
    """All paths by the hashes of their images."""
    return [row.path for row in images.orderBy("image_hash").collect()]


def pool_in(images, vectors, pool_size):
    features = keyed_features(features_frame(images.sparkSession, vectors), -2)
    first = first_images(images, rows_to_draw_from(pool_size))
    return draw_pool(images, features, CheckedList(len(PATHS), True, first), pool_size)


@pytest.mark.parametrize("pool_size", [1000, 20])
def test_the_pool_is_the_usable_images_of_the_smallest_hashes(images, order, pool_size):
    vectors = {**VECTORS, **{path: VECTORS[path] * 0 for path in PATHS[::17]}}
    pool = pool_in(images, vectors, pool_size)
    expected = [path for path in order if vectors[path].any()][:pool_size]
    assert list(pool.identities) == [path.split("/")[0] for path in expected]
    np.testing.assert_array_equal(pool.embeddings, unit_embeddings(np.array([vectors[path] for path in expected]))[0])


def test_the_pool_is_full_where_most_features_are_broken(images, order):
    vectors = {path: vector if path in FEW else vector * np.nan for path, vector in VECTORS.items()}
    pool = pool_in(images, vectors, 20)
    expected = [path for path in order if path in FEW][:20]
    assert list(pool.identities) == [path.split("/")[0] for path in expected]


def capped(paths, order, size, per_identity):
    """The first of these paths in an order, at most so many of each identity, by a plain loop."""
    seen, taken = Counter(), []
    for path in order:
        if path in paths and seen[path.split("/")[0]] < per_identity and len(taken) < size:
            seen[path.split("/")[0]] += 1
            taken.append(path)
    return taken


def sample_in(images, rows, features, size, per_identity):
    first = first_images(images, rows_to_draw_from(size, per_identity))
    return draw_usable(images, features, first, rows, size, per_identity)


@pytest.mark.parametrize(("size", "per_identity"), [(7, 3), (40, 3), (1000, 1)])
def test_a_sample_takes_the_smallest_hashes_of_each_identity(images, features, order, size, per_identity):
    repeated = images.where(images.path.isin(PATHS[::3]))
    drawn = sample_in(images.union(repeated), len(PATHS) + len(PATHS[::3]), features, size, per_identity)
    expected = capped(set(PATHS), order, size, per_identity)
    assert drawn.frame["path"].tolist() == expected
    np.testing.assert_array_equal(drawn.embeddings, unit_embeddings(np.array([VECTORS[path] for path in expected]))[0])


@pytest.mark.parametrize(("size", "damage"), [(12, "broken"), (1000, "missing")])
def test_others_take_the_place_of_those_that_are_not_usable(spark, images, order, size, damage):
    sound = {path for path in PATHS if int(path.split("/")[1].removesuffix(".jpg")) % 9 == 0}
    broken = {path: VECTORS[path] * np.nan for path in PATHS if path not in sound and damage == "broken"}
    features = keyed_features(features_frame(spark, {path: VECTORS[path] for path in sound} | broken), -2)
    drawn = sample_in(images, len(PATHS), features, size, 3)
    assert drawn.frame["path"].tolist() == capped(sound, order, size, 3)


def test_vectors_are_looked_for_once_where_the_first_images_are_usable(images, features, monkeypatch):
    monkeypatch.setattr(sample, "first_images", None)
    drawn = sample_in(images, len(PATHS), features, 40, None)
    assert len(drawn.frame) == 40


def test_not_all_vectors_are_looked_at_where_most_features_are_merely_missing(spark, images, order, monkeypatch):
    monkeypatch.setattr(sample, "keys_of_usable", None)
    drawn = sample_in(images, len(PATHS), keyed_features(features_frame(spark, FEW), -2), 20, None)
    assert drawn.frame["path"].tolist() == [path for path in order if path in FEW][:20]


def drawn_in_memory(count):
    """Images of several identities by chance, as they are drawn."""
    numbers = np.random.default_rng(0).integers(0, 5, count)
    names, hashes = np.array(["a", "b", "c", "d", "e"])[numbers], np.arange(-2, 3)[numbers] * 1_000_000_007
    frame = pd.DataFrame({schemas.IDENTITY: names, schemas.IDENTITY_HASH: hashes})
    embeddings, norms, _ = embeddings_and_norms(np.array(list(VECTORS.values()))[:count])
    return UsableImages(frame, embeddings, norms)


def test_positions_of_an_identity_are_those_at_which_it_stands():
    pool = pool_of(drawn_in_memory(100), 100)
    hashes = np.append(np.unique(pool.identity_hashes), np.int64(12345))
    positions = pool.positions(hashes)
    assert sorted(np.concatenate(list(positions.values())).tolist()) == list(range(100))
    assert len(hashes) - 1 not in positions
    for number, places in positions.items():
        assert (np.diff(places) > 0).all()
        assert {pool.identity_hashes[place] for place in places} == {hashes[number]}


def test_a_pool_of_one_identity_is_refused():
    with pytest.raises(InputError, match="pool_size 1: all images drawn are of identity"):
        pool_of(drawn_in_memory(1), 1)


def test_the_pool_can_be_broadcast_where_spark_encrypts_what_it_keeps_on_disk():
    random = np.random.default_rng(0)
    embeddings, usable = unit_embeddings(random.standard_normal((4000, 24)).astype(np.float32))
    assert usable.all()
    pool = Pool(embeddings, tuple(f"p{number}" for number in range(4000)), random.integers(0, 2**62, 4000))
    # What PySpark writes broadcasts to in that case.
    pickle.dump(pool, ChunkedStream(io.BytesIO(), 8192), 5)
    for held, expected in zip(copy.copy(pool), pool, strict=True):
        np.testing.assert_array_equal(held, expected)
