"""How often a vector is moved or sorted, read from the physical plan."""

import json
import re
import shutil

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fiqa_spark import LabelSettings, RecognizabilitySettings
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import open_features
from fiqa_spark.inputs.feature_store import DESCRIPTION_FILE, open_store, write_store
from fiqa_spark.inputs.image_list import check_images, identified_images
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.matching.join import Matching
from fiqa_spark.methods.ers.scores import scored_images, scores_in, templates_in
from fiqa_spark.pipelines.jobs import GenerateLabelsSettings
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.storage import Storage
from tests.labelling import embeddings_of, features_frame, images_frame, paths_of
from tests.opened_features import opened

PATHS = paths_of([5, 4, 6, 1])


def write(spark, folder, index=-2, paths=PATHS, precision="float32"):
    features = keyed_features(features_frame(spark, embeddings_of(paths)), index).table
    vectors = features.withColumnRenamed("key", "path").select("path", "feature", "problem")
    told = {"index": index, "rows": len(paths), "dimension": 24, "precision": precision}
    return write_store(Storage(spark), vectors, str(folder), **told)


def write_older(spark, folder):
    """Write a store of version 2, with a row an image."""
    images = keyed_features(features_frame(spark, embeddings_of(PATHS)), -2).table.withColumnRenamed("key", "path")
    images.write.parquet(str(folder))
    description = {"format_version": 2, "dimension": 24, "rows": len(PATHS), "buckets": 2, "files": 2}
    (folder / DESCRIPTION_FILE).write_text(json.dumps({**description, "id_key_index": -2}), encoding="utf-8")


@pytest.fixture(scope="module")
def store(spark, tmp_path_factory):
    """A store, in a folder that Spark would take for a pattern, which matches nothing here."""
    folder = tmp_path_factory.mktemp("stores") / "it's a store[1]"
    write(spark, folder)
    return folder


@pytest.fixture(scope="module")
def features(spark, store, tmp_path_factory):
    """The same vectors, an image a row and in a store, that workers see and that only Spark does, and in packs."""
    plain = keyed_features(features_frame(spark, embeddings_of(PATHS)), -2)
    seen = open_store(spark, Storage(spark), str(store))
    folder = tmp_path_factory.mktemp("plain")
    features_frame(spark, embeddings_of(PATHS)).write.parquet(str(folder / "features"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_features, "_SCATTERED_BYTES", 0)
        packs = opened(spark, PATHS, folder / "features", folder / "staging").put_together(3)
    return {"plain": plain, "store": seen._replace(seen=None), "files": seen, "packs": packs}


def nodes(plan):
    """A physical plan and all below it."""
    plan = plan.executedPlan() if plan.nodeName() == "AdaptiveSparkPlan" else plan
    yield plan
    for number in range(plan.children().size()):
        yield from nodes(plan.children().apply(number))


def moves(table, name):
    """Number of nodes of a name that rows with vectors pass."""
    plan = table._jdf.queryExecution().executedPlan()
    return sum(node.nodeName() == name and has_vectors(node) for node in nodes(plan))


def has_vectors(node):
    return re.search("features?#", node.output().mkString(" ")) is not None


@pytest.mark.parametrize(
    ("form", "index", "exchanges", "sorts"),
    [
        pytest.param("plain", -2, 1, 1, marks=pytest.mark.lowest_versions),
        pytest.param("store", -2, 0, 0, marks=pytest.mark.lowest_versions),
        pytest.param("files", -2, 0, 0, marks=pytest.mark.lowest_versions),
        ("packs", -2, 0, 0),
        ("plain", -1, 2, 2),
        # Taken apart first, as its identities are none of the list.
        pytest.param("store", -1, 2, 2, marks=pytest.mark.lowest_versions),
    ],
)
def test_vectors_move_once_from_plain_parquet_and_never_from_a_store(
    spark, features, monkeypatch, form, index, exchanges, sorts
):
    monkeypatch.setattr("fiqa_spark.inputs.vectors._PARTITIONS_AT_LEAST", 3)
    settings, features = LabelSettings(id_key_index=index), features[form]
    images = identified_images(images_frame(spark, PATHS), settings, features.id_key_index)
    listed = check_images(images, settings, 10)
    assert listed.identities_in_keys == (index == -2)
    with planned_by_identity(spark):
        joined = Matching(images, features, listed, index).joined(24)
        assert (moves(joined.table, "Exchange"), moves(joined.table, "Sort")) == (exchanges, sorts)
        # Where workers see the files, Spark has no vector at all.
        plan = joined.table._jdf.queryExecution().executedPlan()
        assert any(map(has_vectors, nodes(plan))) == (form in ("plain", "store"))
        # The scores add no move of their own, and neither do templates.
        centroid = np.ones(24, np.float32) / 24**0.5
        scores = scored_images(joined, centroid, RecognizabilitySettings(), templates=True)
        assert (moves(scores, "Exchange"), moves(scores, "Sort")) == (exchanges, sorts)
        found = templates_in(scores).collect()
        assert len(found) == len({path.split("/")[index] for path in PATHS})
        assert sum(row.images for row in found) == len(PATHS)


@pytest.mark.parametrize("form", ["plain", pytest.param("store", marks=pytest.mark.lowest_versions)])
def test_where_few_images_are_wanted_the_other_vectors_stay_where_they_are_read(spark, features, form):
    settings, features = LabelSettings(id_key_index=-2), features[form]
    few = [path for path in PATHS if path.startswith("p2")]
    images = identified_images(images_frame(spark, few), settings, features.id_key_index)
    listed = check_images(images, settings, 10, several_identities=False)
    with planned_by_identity(spark):
        joined = Matching(images, features, listed, -2, few=len(few)).joined(24)
        exchanges = 1 if form == "plain" else 0
        assert (moves(joined.table, "Exchange"), moves(joined.table, "Sort")) == (exchanges, exchanges)
        plan = joined.table._jdf.queryExecution().executedPlan()
        # What a merge or a shuffle takes has passed the keys that are wanted.
        [merge] = [node for node in nodes(plan) if node.nodeName() == "SortMergeJoin"]
        takers = (
            [node for node in nodes(merge.right()) if node.nodeName() == "Exchange"] if exchanges else [merge.right()]
        )
        filtered = [
            sum(below.nodeName() == "BroadcastHashJoin" for below in nodes(one)) for one in filter(has_vectors, takers)
        ]
        assert filtered == [1]
        scores = scored_images(joined, np.ones(24, np.float32), RecognizabilitySettings(), templates=False)
        assert scores_in(scores).table.where("ers is not null").count() == len(few)


@pytest.mark.lowest_versions
def test_the_session_gets_its_own_settings_back(spark):
    key = "spark.sql.requireAllClusterKeysForCoPartition"
    before = spark.conf.get(key)
    with pytest.raises(ZeroDivisionError), planned_by_identity(spark):
        assert spark.conf.get(key) == "false"
        raise ZeroDivisionError
    assert spark.conf.get(key) == before == "true"


def vector_of(row, path):
    """A vector of a row, as the documents say."""
    number = list(row["keys"]).index(path)
    if row["lengths"] is not None:
        raise ValueError("vectors of several lengths")
    if row["norms"] is None:
        return np.frombuffer(row["features"], "<f4").reshape(len(row["keys"]), -1)[number]
    vector = np.frombuffer(row["features"], "<i2").reshape(len(row["keys"]), -1)[number].astype(np.float32)
    return vector / np.linalg.norm(vector) * row["norms"][number]


@pytest.mark.lowest_versions
@pytest.mark.parametrize("precision", ["float32", "int16"])
def test_a_store_is_read_by_pandas_as_the_documents_say(spark, tmp_path, precision):
    description = write(spark, tmp_path / "store", precision=precision)
    assert (description["rows"], description["dimension"]) == (len(PATHS), 24)
    table = pd.read_parquet(tmp_path / "store")
    assert sorted(map(sorted, table["keys"])) == [
        [f"p{p}/{n}" for n in range(size)] for p, size in enumerate([5, 4, 6, 1])
    ]
    for path, vector in embeddings_of(PATHS).items():
        key = path.removesuffix(".jpg")
        [row] = [row for _, row in table.iterrows() if key in row["keys"]]
        tolerance = 0 if precision == "float32" else np.abs(vector).max() / 32767
        np.testing.assert_allclose(vector_of(row, key), vector, atol=tolerance, rtol=0)
    files = list((tmp_path / "store").glob("part-*.parquet"))
    assert len(files) == description["files"]
    for file in files:
        rows = pd.read_parquet(file)
        assert rows["identity_key"].is_monotonic_increasing
        assert all(np.all(np.diff(hashes) > 0) for hashes in rows["key_hashes"])


@pytest.mark.lowest_versions
def test_a_store_is_written_in_row_groups_that_are_read_one_by_one(spark, tmp_path, monkeypatch):
    vector_bytes = 4 * 24
    monkeypatch.setattr("fiqa_spark.inputs.feature_store._ROW_GROUP_BYTES", 400 * vector_bytes)
    write(spark, tmp_path / "store", paths=paths_of([100] * 40))
    for file in (tmp_path / "store").glob("*.parquet"):
        assert pq.ParquetFile(file).num_row_groups >= 3


def test_a_store_is_read_by_duckdb_as_the_documents_say(store, tmp_path, monkeypatch):
    shutil.copytree(store, tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    query = """
        SELECT features, list_position(keys, 'p0/1') - 1, len(keys)
        FROM 'store/*.parquet' WHERE list_contains(keys, 'p0/1')
    """
    [(features, number, images)] = duckdb.sql(query).fetchall()
    vector = np.frombuffer(features, "<f4").reshape(images, -1)[number]
    np.testing.assert_array_equal(vector, embeddings_of(PATHS)["p0/1.jpg"])


def test_a_store_of_an_earlier_version_is_read_an_image_a_row(spark, features, tmp_path, caplog):
    write_older(spark, tmp_path / "older")
    settings, storage = GenerateLabelsSettings(feature_root=str(tmp_path / "older"), id_key_index=-2), Storage(spark)
    paths = images_frame(spark, PATHS)
    older = open_features.open_features(spark, storage, paths, settings, str(tmp_path / "staging"), Steps(spark))
    assert "is of an earlier version, with a row an image; import it again" in caplog.text
    assert (older.id_key_index, older.stored) == (-2, None)
    # Whoever reads features takes it for plain ones.
    found, expected = (
        sorted(each.table.select("key", "identity_key", "key_hash", "feature").collect())
        for each in (older, features["plain"])
    )
    assert found == expected
    assert set(older.table.columns) == set(features["plain"].table.columns)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format_version": 99}, "format version 99, not one of 1, 2, 3; import the features again"),
        ({"format_version": [1]}, "format version"),
        ({"files": 77}, "of the 77 files"),
        ({"buckets": "x"}, "not the desc"),
        ({"precision": "int4"}, "not the desc"),
    ],
)
def test_a_store_of_another_version_or_in_pieces_is_told(spark, store, tmp_path, change, said):
    shutil.copytree(store, tmp_path / "store")
    description = json.loads((store / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    (tmp_path / "store" / DESCRIPTION_FILE).write_text(json.dumps(description | change), encoding="utf-8")
    with pytest.raises(InputError, match=said) as raised:
        open_store(spark, Storage(spark), str(tmp_path / "store"))
    assert raised.value.path.startswith(str(tmp_path / "store"))
    assert raised.value.remedy == "import the features again"
