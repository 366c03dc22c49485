"""Values, not rules: what a small fixed list gives today. Whoever changes one of them changes everybody's labels."""

import pytest

from fiqa_spark.inputs.image_list import first_images, identified_images
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.matching.sample import draw_usable, rows_to_draw_from
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from tests import pinned_inputs
from tests.labelling import features_frame, images_frame, label_rows
from tests.unrecognizable_faces import score_rows

pytestmark = pytest.mark.lowest_versions

SAMPLED = {"fix_num": 2, "rounds": 3}
PATHS = pinned_inputs.paths()[::7]
LABELS = {
    "sampled": [
        22.6557,
        11.5259,
        29.0699,
        21.2562,
        22.5626,
        27.03,
        39.5059,
        13.6307,
        28.5945,
        46.0932,
        79.3795,
        76.6171,
    ],
    "exact": [10.4002, 0.1427, 4.9715, 6.8623, 25.1788, 0.0, 4.8257, 8.596, 20.4098, 9.4838, 86.3421, 76.6827],
}
ERS = [
    0.622112,
    0.121219,
    0.119,
    0.36442,
    0.378122,
    0.130775,
    0.137312,
    0.562805,
    0.630049,
    0.238896,
    0.786488,
    0.664241,
]
POOL = [
    "person_11/0.jpg",
    "person_16/2.jpg",
    "person_14/2.jpg",
    "person_19/2.jpg",
    "person_04/3.jpg",
    "person_15/1.jpg",
    "person_07/2.jpg",
    "person_02/2.jpg",
    "person_14/0.jpg",
    "person_19/0.jpg",
    "person_17/1.jpg",
    "person_10/1.jpg",
]


@pytest.fixture(scope="module")
def features(spark):
    return features_frame(spark, pinned_inputs.vectors()).persist()


@pytest.mark.parametrize("estimator", ["sampled", "exact"])
def test_labels_are_those_of_ever(spark, features, estimator):
    rows = label_rows(spark, pinned_inputs.paths(), features, estimator=estimator, **SAMPLED, **pinned_inputs.SETTINGS)
    assert [rows[path].label for path in PATHS] == pytest.approx(LABELS[estimator], abs=1e-3)


def test_scores_are_those_of_ever(spark, features):
    settings = {key: pinned_inputs.SETTINGS[key] for key in ("id_key_index", "seed")}
    rows = score_rows(spark, pinned_inputs.paths(), features, **settings)
    assert [rows[path].ers for path in PATHS] == pytest.approx(ERS, abs=1e-5)


def test_the_pool_is_that_of_ever(spark, features):
    settings = LabelSettings(**pinned_inputs.SETTINGS)
    images = identified_images(images_frame(spark, pinned_inputs.paths()), settings, settings.id_key_index)
    first = first_images(images, rows_to_draw_from(settings.pool_size))
    vectors = keyed_features(features, settings.id_key_index)
    pool = draw_usable(images, vectors, first, len(pinned_inputs.paths()), settings.pool_size)
    assert pool.frame["path"].tolist()[: len(POOL)] == POOL
    assert len(pool.frame) == settings.pool_size
