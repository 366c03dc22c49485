import numpy as np
import pytest
from pyspark.sql import functions as F

from fiqa_spark.errors import InputError
from fiqa_spark.features import keyed_features
from fiqa_spark.image_list import distinct_images
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.matching import join_features
from fiqa_spark.pool import draw_pool
from fiqa_spark.settings import LabelSettings
from tests.labelling import embeddings_of, features_frame, images_frame, label_rows, paths_of

PATHS = paths_of([40, 60, 50, 90, 60])


def pool_of(spark, vectors, pool_size):
    images = distinct_images(images_frame(spark, PATHS), LabelSettings(id_key_index=-2, seed=3))
    features = keyed_features(features_frame(spark, vectors), "")
    joined = join_features(images, features)
    order = [row.path for row in joined.select("path").where(F.col("matched")).orderBy("image_hash").collect()]
    return draw_pool(joined, features, pool_size, "keys"), order


@pytest.mark.parametrize("pool_size", [1000, 300, 20])
def test_the_pool_is_the_usable_images_of_the_smallest_hashes(spark, pool_size):
    vectors = embeddings_of(PATHS)
    for path in PATHS[::17]:
        vectors[path] = vectors[path] * 0
    pool, order = pool_of(spark, vectors, pool_size)
    expected = [path for path in order if vectors[path].any()][:pool_size]
    assert list(pool.identities) == [path.split("/")[0] for path in expected]
    np.testing.assert_array_equal(pool.embeddings, unit_embeddings(np.array([vectors[path] for path in expected]))[0])


def test_the_pool_is_full_where_most_features_are_broken(spark):
    vectors = embeddings_of(PATHS)
    for path in PATHS:
        if int(path.split("/")[1].removesuffix(".jpg")) % 10:
            vectors[path] = vectors[path] * np.nan
    pool, order = pool_of(spark, vectors, 20)
    expected = [path for path in order if not np.isnan(vectors[path][0])][:20]
    assert list(pool.identities) == [path.split("/")[0] for path in expected]


def test_positions_of_an_identity_are_those_at_which_it_stands(spark):
    pool, _ = pool_of(spark, embeddings_of(PATHS), 100)
    positions = pool.positions()
    assert sorted(np.concatenate(list(positions.values())).tolist()) == list(range(100))
    for identity, places in positions.items():
        assert {pool.identities[place] for place in places} == {identity}


def test_a_pool_of_one_identity_is_refused(spark):
    with pytest.raises(InputError, match="--pool-size 1: all images drawn are of identity"):
        label_rows(spark, PATHS, embeddings_of(PATHS), pool_size=1)
