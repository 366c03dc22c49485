"""Every job in client mode and in cluster mode, with features in every form that HDFS can hold."""

import json
import pathlib

import pytest

from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import options
from tests.yarn.hadoop import JARS

STEPS = {"importing features", "reading the list", "drawing the pool", "computing distances", "writing labels"}


def test_hadoop_is_of_the_version_of_sparks_own_client():
    import pyspark

    jars = pathlib.Path(pyspark.__file__).parent / "jars"
    client = {path.name.removeprefix("hadoop-client-api-") for path in jars.glob("hadoop-client-api-*.jar")}
    server = {path.name.removeprefix("hadoop-hdfs-") for path in JARS.glob("hadoop-hdfs-[0-9]*.jar")}
    assert client == server


@pytest.fixture(scope="module")
def labelling(cluster, faces, tmp_path_factory):
    """(Form of features, mode) to a run and the folder of its events; as many at once as can be."""
    logs, modes = tmp_path_factory.mktemp("events"), ("client", "cluster")
    runs = {("features", mode): started(cluster, faces, logs, mode, "features") for mode in modes}
    words = options(source=f"{faces.name}/features", dst=f"{faces.name}/store", id_key_index=-2)
    runs["import"] = cluster.run("import_features", *words, mode="cluster"), None
    runs |= {("store", mode): started(cluster, faces, logs, mode, "store") for mode in modes}
    for run, _ in runs.values():
        run.wait()
    return runs


def test_features_are_imported_in_cluster_mode(cluster, labelling):
    run, _ = labelling["import"]
    assert run.returncode == 0, run.driver_log()
    assert run.application()["finalStatus"] == "SUCCEEDED"
    assert "features of length 16" in run.driver_log()
    assert "_feature_store.json" in cluster.names("faces/store")


@pytest.mark.parametrize("mode", ["client", "cluster"])
@pytest.mark.parametrize("form", ["store", "features"], ids=["store", "tree"])
def test_labels_are_those_of_local_mode(spark, cluster, faces, faces_labels, labelling, form, mode):
    run, events = labelling[form, mode]
    assert run.returncode == 0, run.stderr + run.driver_log()
    assert_same_labels(faces.labels(spark, f"{mode}-{form}"), faces_labels)
    assert cluster.names(f"faces/{mode}-{form}") == ["labels", "summary.json"]
    # What a person finds in the ResourceManager, and in the list of stages.
    application = run.application()
    assert application["name"] == {"client": "fiqa-spark generate_labels", "cluster": "generate_labels.py"}[mode]
    assert "fiqa-spark" in application["applicationTags"].split(",")
    assert application["finalStatus"] == "SUCCEEDED"
    assert descriptions(events) == (STEPS if form == "features" else STEPS - {"importing features"})


def started(cluster, faces, logs, mode, form):
    """A run in one of the modes, and the folder that it leaves its events in."""
    log = logs / f"{mode}-{form}"
    log.mkdir()
    events = {"enabled": "true", "dir": log.as_uri(), "compress": "false", "rolling.enabled": "false"}
    settings = {f"spark.eventLog.{key}": value for key, value in events.items()}
    return cluster.start_run("generate_labels", *faces.arguments(f"{mode}-{form}", form), mode=mode, **settings), log


def descriptions(folder):
    """Descriptions of all stages in an event log."""
    events = [json.loads(line) for path in folder.rglob("*") if path.is_file() for line in path.open(encoding="utf-8")]
    submitted = [event for event in events if event["Event"] == "SparkListenerStageSubmitted"]
    return {event["Properties"].get("spark.job.description") for event in submitted}


def test_labels_are_exported_in_client_mode(cluster, many_labels, result_despite_lost_executor):
    words = options(labels=f"many/{result_despite_lost_executor}", format="csv", dst="many/labels.csv")
    run = cluster.run("export_labels", *words, mode="client")
    assert run.returncode == 0, run.stderr
    lines = cluster.read("many/labels.csv").splitlines()
    assert lines[0].startswith("path,identity,label,")
    assert len(lines) == len(many_labels) + 1
    assert cluster.names("many").count("labels.csv") == 1
