"""Processes that die in the middle of a run."""

import os
import signal
import time

import pytest

from tests.jobs.planted_job import assert_same_labels

TWO_EXECUTORS = {
    "spark.executor.cores": 1,
    "spark.dynamicAllocation.initialExecutors": 2,
    "spark.dynamicAllocation.maxExecutors": 2,
}


def test_a_killed_application_leaves_no_result_and_the_next_run_succeeds(
    spark, cluster, many_faces, many_labels, result_after_kill
):
    assert_same_labels(many_faces.labels(spark, result_after_kill), many_labels)
    assert_nothing_is_left(cluster, "many")


def test_a_killed_driver_leaves_the_old_result_and_the_next_run_replaces_it_whatever_executor_is_lost(
    spark, cluster, many_faces, many_labels, result_after_kill
):
    words = [*many_faces.arguments(result_after_kill, seed=5), "--overwrite"]
    run = cluster.start_run("generate_labels", *words, mode="client")
    run.wait_for_worker()
    assert cluster.names(f"many/{result_after_kill}") == ["labels", "reference", "summary.json"]
    run.signal(signal.SIGKILL)
    run.wait()
    assert_same_labels(many_faces.labels(spark, result_after_kill), many_labels)
    assert [name for name in cluster.names("many") if name.endswith(".incomplete")]
    run = cluster.start_run("generate_labels", *words, mode="client", **TWO_EXECUTORS)
    os.kill(run.wait_for_worker(), signal.SIGKILL)
    expected = many_faces.local_labels(spark, seed=5)
    run.wait()
    assert run.returncode == 0, run.stderr
    begin, lost, end = map(run.stderr.index, ("drawing the pool: ", "Lost executor", "computing distances: "))
    assert begin < lost < end
    assert_same_labels(many_faces.labels(spark, result_after_kill), expected)
    assert any(expected[path].label != row.label for path, row in many_labels.items())
    assert_nothing_is_left(cluster, "many")


def assert_nothing_is_left(cluster, folder):
    assert not [name for name in cluster.names(folder) if name.startswith(".")]
    # Spark's own files go when YARN has taken note of the end of an application.
    for _ in range(60):
        if not cluster.names(".sparkStaging"):
            return
        time.sleep(0.5)
    pytest.fail(f"left in .sparkStaging: {cluster.names('.sparkStaging')}")
