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


def test_features_are_imported_in_cluster_mode(cluster, store):
    assert store.application()["finalStatus"] == "SUCCEEDED"
    assert "features of length 16" in store.driver_log()
    assert "_feature_store.json" in cluster.names("faces/store")


@pytest.mark.parametrize("form", ["store", "features"], ids=["store", "tree"])
def test_labels_are_those_of_local_mode(spark, cluster, faces, faces_labels, store, tmp_path, form):
    # Both modes at once, which takes less time than one after the other.
    runs = {mode: started(cluster, faces, tmp_path / mode, mode, form) for mode in ("client", "cluster")}
    for mode, run in runs.items():
        run.wait()
        assert run.returncode == 0, run.stderr + run.driver_log()
        assert_same_labels(faces.labels(spark, f"{mode}-{form}"), faces_labels)
        assert cluster.names(f"faces/{mode}-{form}") == ["labels", "summary.json"]
        # What a person finds in the ResourceManager, and in the list of stages.
        application = run.application()
        assert application["name"] == {"client": "fiqa-spark generate_labels", "cluster": "generate_labels.py"}[mode]
        assert "fiqa-spark" in application["applicationTags"].split(",")
        assert application["finalStatus"] == "SUCCEEDED"
        assert descriptions(tmp_path / mode) == (STEPS if form == "features" else STEPS - {"importing features"})


def started(cluster, faces, log, mode, form):
    """A run in one of the modes that leaves its events in a folder."""
    log.mkdir()
    events = {"enabled": "true", "dir": log.as_uri(), "compress": "false", "rolling.enabled": "false"}
    settings = {f"spark.eventLog.{key}": value for key, value in events.items()}
    return cluster.start_run("generate_labels", *faces.arguments(f"{mode}-{form}", form), mode=mode, **settings)


def descriptions(folder):
    """Descriptions of all stages in an event log."""
    events = [json.loads(line) for path in folder.rglob("*") if path.is_file() for line in path.open(encoding="utf-8")]
    submitted = [event for event in events if event["Event"] == "SparkListenerStageSubmitted"]
    return {event["Properties"].get("spark.job.description") for event in submitted}


def test_labels_are_exported_in_client_mode(cluster, many_labels, result_despite_lost_executor):
    words = options(labels=f"many/{result_despite_lost_executor}", format="csv", dst="many/labels.csv")
    run = cluster.run("export_labels", *words, mode="client")
    assert run.returncode == 0, run.stderr
    lines = cluster.hadoop.dfs("-cat", "many/labels.csv").splitlines()
    assert lines[0].startswith("path,identity,label,")
    assert len(lines) == len(many_labels) + 1
    assert cluster.names("many").count("labels.csv") == 1
