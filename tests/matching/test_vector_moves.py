"""How often a vector is moved or sorted, read from the physical plan."""

import json

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fiqa_spark import LabelSettings, RecognizabilitySettings, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.feature_store import DESCRIPTION_FILE, open_store, write_store
from fiqa_spark.inputs.image_list import check_images, identified_images
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.matching.join import Matching, join_features
from fiqa_spark.methods.ers.scores import scored_images, templates_of
from fiqa_spark.methods.labelling import Given, labelled
from fiqa_spark.methods.sdd_fiqa.labelling import SddFiqaMethod
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.storage import Storage
from tests.labelling import SMALL, embeddings_of, features_frame, images_frame, paths_of

PATHS = paths_of([5, 4, 6, 1])


def write(spark, folder, index=-2, paths=PATHS):
    features = keyed_features(features_frame(spark, embeddings_of(paths)), index).table
    vectors = features.withColumnRenamed("key", "path").select("path", "feature", "problem")
    return write_store(Storage(spark), vectors, str(folder), index=index, rows=len(paths), dimension=24)


def make_older(folder):
    """Turn a store into one of version 1, whose column of identity keys had another name."""
    for file in folder.glob("part-*.parquet"):
        table = pq.read_table(file)
        names = ["cluster" if name == "identity_key" else name for name in table.column_names]
        assert "cluster" in names
        # As Spark keeps it, with its own idea of the schema.
        metadata = {key: value.replace(b"identity_key", b"cluster") for key, value in table.schema.metadata.items()}
        pq.write_table(table.rename_columns(names).replace_schema_metadata(metadata), file, compression="none")
    description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    assert description["format_version"] == 2
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description | {"format_version": 1}), encoding="utf-8")
    # Java checks files against it, if there is one.
    for file in folder.glob(".*.crc"):
        file.unlink()


def features_of(spark, form, tmp_path):
    if form == "plain":
        return keyed_features(features_frame(spark, embeddings_of(PATHS)), -2)
    # Spark would take it for a pattern, which matches nothing here.
    folder = tmp_path / "it's a store[1]"
    write(spark, folder)
    if form == "older store":
        make_older(folder)
    return open_store(spark, Storage(spark), str(folder))


def nodes(plan):
    """A physical plan and all below it."""
    plan = plan.executedPlan() if plan.nodeName() == "AdaptiveSparkPlan" else plan
    yield plan
    for number in range(plan.children().size()):
        yield from nodes(plan.children().apply(number))


def moves(table, name):
    """Number of nodes of a name that rows with vectors pass."""
    plan = table._jdf.queryExecution().executedPlan()
    return sum(node.nodeName() == name and "feature#" in node.output().mkString(" ") for node in nodes(plan))


@pytest.mark.parametrize(
    ("form", "index", "exchanges", "sorts"),
    [
        pytest.param("plain", -2, 1, 1, marks=pytest.mark.lowest_versions),
        pytest.param("store", -2, 0, 0, marks=pytest.mark.lowest_versions),
        ("older store", -2, 0, 0),
        ("plain", -1, 2, 2),
        pytest.param("store", -1, 1, 1, marks=pytest.mark.lowest_versions),
    ],
)
def test_vectors_move_once_from_plain_parquet_and_never_from_a_store(
    spark, tmp_path, monkeypatch, form, index, exchanges, sorts
):
    monkeypatch.setattr("fiqa_spark.inputs.vectors._PARTITIONS_AT_LEAST", 3)
    settings = LabelSettings(id_key_index=index)
    features = features_of(spark, form, tmp_path)
    images = identified_images(images_frame(spark, PATHS), settings, features.id_key_index)
    identities_in_keys = check_images(images, settings, 10).identities_in_keys
    assert identities_in_keys == (index == -2)
    with planned_by_identity(spark):
        joined = join_features(images, features, 3, identities_in_keys=identities_in_keys)
        assert (moves(joined, "Exchange"), moves(joined, "Sort")) == (exchanges, sorts)
        assert joined.where("matched").count() == len(PATHS)
        # The scores add no move of their own, and neither do templates.
        centroid = np.ones(24, np.float32) / 24**0.5
        scores = scored_images(joined, 3, centroid, RecognizabilitySettings(), templates=True)
        assert (moves(scores, "Exchange"), moves(scores, "Sort")) == (exchanges, sorts)
        assert templates_of(scores).count() == len({path.split("/")[index] for path in PATHS})
        assert scores.where("ers is not null").count() == len(PATHS)


@pytest.mark.parametrize(
    ("form", "exchanges"), [("plain", 1), pytest.param("store", 0, marks=pytest.mark.lowest_versions)]
)
def test_where_few_images_are_wanted_the_other_vectors_stay_where_they_are_read(spark, tmp_path, form, exchanges):
    settings = LabelSettings(id_key_index=-2)
    features = features_of(spark, form, tmp_path)
    few = [path for path in PATHS if path.startswith("p2")]
    images = identified_images(images_frame(spark, few), settings, features.id_key_index)
    listed = check_images(images, settings, 10, several_identities=False)
    with planned_by_identity(spark):
        joined, _ = Matching(images, features, listed, -2, few=len(few)).joined(24)
        assert (moves(joined, "Exchange"), moves(joined, "Sort")) == (exchanges, exchanges)
        plan = joined._jdf.queryExecution().executedPlan()
        # What a merge or a shuffle takes has passed the keys that are wanted.
        [merge] = [node for node in nodes(plan) if node.nodeName() == "SortMergeJoin"]
        takers = (
            [node for node in nodes(merge.right()) if node.nodeName() == "Exchange"] if exchanges else [merge.right()]
        )
        with_vectors = [node for node in takers if "feature#" in node.output().mkString(" ")]
        assert [sum(below.nodeName() == "BroadcastHashJoin" for below in nodes(one)) for one in with_vectors] == [1]
        assert joined.where("matched").count() == len(few)


@pytest.mark.lowest_versions
def test_the_session_gets_its_own_settings_back(spark):
    key = "spark.sql.requireAllClusterKeysForCoPartition"
    before = spark.conf.get(key)
    with pytest.raises(ZeroDivisionError), planned_by_identity(spark):
        assert spark.conf.get(key) == "false"
        raise ZeroDivisionError
    assert spark.conf.get(key) == before == "true"


@pytest.mark.lowest_versions
def test_a_store_is_read_by_pandas_as_the_readme_says(spark, tmp_path):
    description = write(spark, tmp_path / "store")
    assert description["rows"] == len(PATHS)
    assert description["dimension"] == 24
    table = pd.read_parquet(tmp_path / "store")
    vectors = np.stack([np.frombuffer(feature, "<f4") for feature in table["feature"]])
    expected = {path.removesuffix(".jpg"): vector for path, vector in embeddings_of(PATHS).items()}
    np.testing.assert_array_equal(vectors, [expected[path] for path in table["path"]])
    files = list((tmp_path / "store").glob("part-*.parquet"))
    assert len(files) == description["files"]
    for file in files:
        rows = pd.read_parquet(file)
        assert rows.equals(rows.sort_values(["identity_key", "key_hash", "path"]))


@pytest.mark.lowest_versions
def test_a_store_is_written_in_row_groups_that_are_read_one_by_one(spark, tmp_path, monkeypatch):
    vector_bytes = 4 * 24
    monkeypatch.setattr("fiqa_spark.inputs.feature_store._ROW_GROUP_BYTES", 400 * vector_bytes)
    write(spark, tmp_path / "store", paths=paths_of([1000]))
    [file] = (tmp_path / "store").glob("*.parquet")
    assert pq.ParquetFile(file).num_row_groups >= 3


def test_a_store_is_read_by_duckdb_as_the_readme_says(spark, tmp_path, monkeypatch):
    write(spark, tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    [(path, feature)] = duckdb.sql("SELECT path, feature FROM 'store/*.parquet' WHERE path = 'p0/1'").fetchall()
    assert path == "p0/1"
    np.testing.assert_array_equal(np.frombuffer(feature, "<f4"), embeddings_of(PATHS)["p0/1.jpg"])


def test_a_store_of_version_1_gives_the_same_labels(spark, tmp_path):
    settings = LabelSettings(**SMALL)
    images = images_frame(spark, PATHS)
    labels = []
    write(spark, tmp_path / "store")
    for change in (lambda folder: None, make_older):
        change(tmp_path / "store")
        features = open_store(spark, Storage(spark), str(tmp_path / "store"))
        with planned_by_identity(spark):
            labelling = labelled(SddFiqaMethod(settings), images, features, settings, Steps(spark), Given())
            labels.append(sorted(labelling.labels.select(*schemas.LABELS.names).collect()))
    assert labels[0] == labels[1]
    assert {row.status for row in labels[0]} == {"ok", "too_few_images"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format_version": 99}, "format version 99, not 1 or 2; import the features again"),
        ({"format_version": [1]}, "format version"),
        ({"files": 77}, "of the 77 files"),
        ({"buckets": "x"}, "not the desc"),
    ],
)
def test_a_store_of_another_version_or_in_pieces_is_told(spark, tmp_path, change, said):
    description = write(spark, tmp_path / "store")
    (tmp_path / "store" / DESCRIPTION_FILE).write_text(json.dumps(description | change), encoding="utf-8")
    with pytest.raises(InputError, match=said) as raised:
        open_store(spark, Storage(spark), str(tmp_path / "store"))
    assert raised.value.path.startswith(str(tmp_path / "store"))
    assert raised.value.remedy == "import the features again"
