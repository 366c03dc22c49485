"""Labels from a store, an identity a row, are those from features an image a row, whatever list meets them."""

import numpy as np
import pytest

from fiqa_spark import LabelSettings, MarginSettings, RecognizabilitySettings, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.feature_store import open_store, write_store
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.matching.packs import facts_of
from fiqa_spark.methods.ers import scores
from fiqa_spark.methods.ers.scores import scores_in
from fiqa_spark.methods.ers.scoring import score_images
from fiqa_spark.methods.ers.ui_centroid import given_centroid
from fiqa_spark.methods.labelling import Given, labelled
from fiqa_spark.methods.margin import margins
from fiqa_spark.methods.margin.labelling import MarginMethod
from fiqa_spark.methods.sdd_fiqa.labelling import SddFiqaMethod
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.storage import Storage
from tests.labelling import SMALL, embeddings_of, features_frame, images_frame, paths_of

SIZES = [120, 4, 6, 1, 30, 9]
PATHS = paths_of(SIZES)


@pytest.fixture(scope="module")
def vectors():
    """Vectors of most images, some of no use or of another length, and of images that are not listed."""
    found = embeddings_of(PATHS)
    for path in ("p0/7.jpg", "p1/2.jpg", "p4/0.jpg"):
        del found[path]
    found["p0/9.jpg"] = None
    found["p2/1.jpg"] = np.full(24, np.nan, np.float32)
    found["p2/3.jpg"] = np.zeros(24, np.float32)
    found["p0/11.jpg"] = found["p0/11.jpg"][:20]
    return {**found, **{f"{path}x.jpg": vector for path, vector in embeddings_of(paths_of([50, 3]), seed=5).items()}}


@pytest.fixture(scope="module")
def images(spark):
    """All images, an identity of which there is no feature, and images that are listed twice or have no identity."""
    repeated = ["p0/3.jpg", "p0/3.jpg", "p4/8.jpg", "p0/7.jpg"]
    return images_frame(spark, [*PATHS, *repeated, "p9/1.jpg", "p9/2.jpg", "alone.jpg"])


def store_of(spark, folder, vectors, precision, repeated=()):
    table = keyed_features(features_frame(spark, vectors), -2).table.withColumnRenamed("key", "path")
    table = table.select("path", "feature", "problem")
    for path in repeated:
        table = table.union(table.where(table.path == path))
    told = {"index": -2, "rows": len(vectors), "dimension": 24, "precision": precision}
    write_store(Storage(spark), table, str(folder), **told)
    return open_store(spark, Storage(spark), str(folder))


@pytest.fixture(scope="module")
def features(spark, tmp_path_factory, vectors):
    """The same vectors an image a row, and in two stores where the largest identity is cut into several rows."""
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fiqa_spark.inputs.feature_store._IMAGES_OF_A_ROW", 32)
        stores = {name: store_of(spark, folder / name, vectors, name) for name in ("float32", "int16")}
    return {"plain": keyed_features(features_frame(spark, vectors).persist(), -2), **stores}


def labels_of(method, settings, images, features):
    spark = images.sparkSession
    with planned_by_identity(spark):
        found = labelled(method(settings), images, features, settings, Steps(spark), Given())
        rows = found.labels.select(*found.kind.schema.names).collect()
    assert len({row.path for row in rows}) == len(rows)
    return {row.path: row.asDict() for row in rows}, found.counts


def assert_alike(found, expected, tolerance):
    assert set(found) == set(expected)
    for path, row in expected.items():
        for name, value in row.items():
            if isinstance(value, (float, list)):
                assert found[path][name] == pytest.approx(value, abs=tolerance), (path, name)
            else:
                assert found[path][name] == value, (path, name)


# What takes most columns of the images along.
HALVES = MarginSettings(id_key_index=-2, half_mates=True, load_feature=True)


@pytest.fixture
def in_small_batches(monkeypatch):
    """The largest identity is too large for a batch."""
    for module in (margins, scores):
        monkeypatch.setattr(module, "_BYTES_AT_ONCE", 40 * 24 * 4)


@pytest.mark.lowest_versions
@pytest.mark.usefixtures("in_small_batches")
def test_a_store_gives_the_labels_of_plain_features(images, features):
    expected, counts = labels_of(MarginMethod, HALVES, images, features["plain"])
    statuses = {row["status"] for row in expected.values()}
    assert {"ok", "missing_feature", "invalid_feature"} <= statuses
    found, found_counts = labels_of(MarginMethod, HALVES, images, features["float32"])
    assert_alike(found, expected, 1e-4)
    assert found_counts == counts


@pytest.mark.usefixtures("in_small_batches")
def test_a_store_gives_the_scores_of_plain_features(spark, images, features):
    settings = RecognizabilitySettings(id_key_index=-2)
    centroid = given_centroid(np.arange(24, dtype=np.float32), {"source": "argument"}, setting="ui_centroid")
    found = []
    for form in ("plain", "int16"):
        with planned_by_identity(spark):
            scoring = score_images(images, features[form], settings, Steps(spark), known=centroid, templates=True)
            rows = scores_in(scoring.packs).table.select(*schemas.RECOGNIZABILITY.names).collect()
        assert facts_of(scoring.packs).sums[schemas.OTHER_LENGTH] == 1
        found.append(({row.path: row.asDict() for row in rows}, scoring.counts.listed))
    # Whole numbers move a similarity by some 1e-4 at 24 values.
    assert_alike(found[1][0], found[0][0], 2e-3)
    assert found[1][1] == found[0][1]


# Whatever the type of its values: keys are met before vectors are looked at.
def test_a_key_that_the_store_has_twice_is_told(spark, tmp_path, images, vectors):
    store = store_of(spark, tmp_path / "store", vectors, "int16", repeated=["p4/5"])
    with pytest.raises(InputError, match="2 features have the key 'p4/5'"):
        labels_of(SddFiqaMethod, LabelSettings(**SMALL), images, store)
