"""Every job in the mode that it is scheduled in, with features in every form that HDFS can hold."""

import pathlib

import pytest

from tests.jobs.running import options
from tests.yarn.hadoop import JARS
from tests.yarn.labelling_runs import LabellingRun


def test_hadoop_is_of_the_version_of_sparks_own_client():
    import pyspark

    jars = pathlib.Path(pyspark.__file__).parent / "jars"
    client = {path.name.removeprefix("hadoop-client-api-") for path in jars.glob("hadoop-client-api-*.jar")}
    server = {path.name.removeprefix("hadoop-hdfs-") for path in JARS.glob("hadoop-hdfs-[0-9]*.jar")}
    assert client == server


@pytest.fixture(scope="module")
def in_cluster_mode(request, cluster, faces, tmp_path_factory):
    """Form of features to a run, and the run of the import; in client mode, `test_two_runs` has the forms."""

    def started(form, **method):
        folder = tmp_path_factory.mktemp("events")
        return LabellingRun(cluster, faces, f"cluster-{form}", form, "cluster", folder, **method)

    # Asked for here, and not by the test, so that the import goes on beside the run that does without it.
    runs = {"features": started("features"), "import": request.getfixturevalue("store_import")}
    runs["store"] = started("store", method="margin")
    for run in runs.values():
        run.wait()
    return runs


def test_features_are_imported_in_cluster_mode(cluster, in_cluster_mode):
    run = in_cluster_mode["import"]
    assert run.returncode == 0, run.driver_log()
    assert run.application()["finalStatus"] == "SUCCEEDED"
    assert "features of length 16" in run.driver_log()
    assert "_feature_store.json" in cluster.names("faces/store")


@pytest.mark.parametrize("form", ["store", "features"], ids=["margins of a store", "distances of a tree"])
def test_labels_are_those_of_local_mode(spark, faces_labels, in_cluster_mode, form):
    in_cluster_mode[form].assert_labels(spark, faces_labels)


def test_labels_are_exported_in_client_mode(cluster, many_labels, result_after_kill):
    words = options(labels=f"many/{result_after_kill}", format="csv", dst="many/labels.csv")
    run = cluster.run("export_labels", *words, mode="client")
    assert run.returncode == 0, run.stderr
    lines = cluster.read("many/labels.csv").splitlines()
    assert lines[0].startswith("path,identity,label,")
    assert len(lines) == len(many_labels) + 1
    assert cluster.names("many").count("labels.csv") == 1
