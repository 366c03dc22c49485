"""Processes that die in the middle of a run."""

import signal
import time

import pytest

from tests.jobs.planted_job import assert_same_labels


def test_a_lost_executor_changes_nothing(spark, many_faces, many_labels, result_despite_lost_executor):
    assert_same_labels(many_faces.labels(spark, result_despite_lost_executor), many_labels)


def test_a_killed_driver_leaves_the_old_result_and_the_next_run_replaces_it(
    spark, cluster, many_faces, many_labels, result_despite_lost_executor
):
    destination = result_despite_lost_executor
    words = [*many_faces.arguments(destination, seed=5), "--overwrite"]
    run = cluster.start_run("generate_labels", *words, mode="client")
    run.wait_for_worker()
    assert cluster.names(f"many/{destination}") == ["labels", "summary.json"]
    run.signal(signal.SIGKILL)
    run.wait()
    assert_same_labels(many_faces.labels(spark, destination), many_labels)
    assert [name for name in cluster.names("many") if name.endswith(".incomplete")]
    run = cluster.run("generate_labels", *words, mode="client")
    assert run.returncode == 0, run.stderr
    new = many_faces.labels(spark, destination)
    assert new.keys() == many_labels.keys()
    assert any(row.label != many_labels[path].label for path, row in new.items())
    assert_nothing_is_left(cluster, "many")


def test_a_killed_application_leaves_no_result_and_the_next_run_succeeds(spark, cluster, many_faces, many_labels):
    words = many_faces.arguments("killed")
    run = cluster.start_run("generate_labels", *words, mode="cluster")
    run.wait_for_worker()
    cluster.hadoop.kill_application(run.application()["id"])
    run.wait()
    assert run.returncode != 0
    assert run.application()["finalStatus"] == "KILLED"
    assert "killed" not in cluster.names("many")
    run = cluster.run("generate_labels", *words, mode="cluster")
    assert run.returncode == 0, run.driver_log()
    assert_same_labels(many_faces.labels(spark, "killed"), many_labels)
    assert_nothing_is_left(cluster, "many")


def assert_nothing_is_left(cluster, folder):
    assert not [name for name in cluster.names(folder) if name.startswith(".")]
    # Spark's own files go when YARN has taken note of the end of an application.
    for _ in range(60):
        if not cluster.names(".sparkStaging"):
            return
        time.sleep(0.5)
    pytest.fail(f"left in .sparkStaging: {cluster.names('.sparkStaging')}")
