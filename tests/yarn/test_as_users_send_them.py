"""Runs as a user sends them: killed, or halted while another wants the same place, and then once more."""

import os
import signal
import time

import pytest

from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import message
from tests.processes import LOOPBACK, descendants, listening_addresses
from tests.yarn.every_job import ONE_ROUND, descriptions, to_log_events

TWO_EXECUTORS = {
    "spark.executor.cores": 1,
    "spark.dynamicAllocation.initialExecutors": 2,
    "spark.dynamicAllocation.maxExecutors": 2,
}
RESULT = ["labels", "reference", "summary.json"]
STEPS = {"reading the list", "drawing the pool", "computing distances", "writing labels"}


def again(many_faces):
    """Words of a run that replaces the first result."""
    return [*many_faces.arguments("result"), "--overwrite"]


@pytest.fixture(scope="module")
def killed(cluster, many_faces, every_job):
    """A run in cluster mode that YARN was told to kill, while the application of every job, with a result, goes on."""
    every_job.run.wait_until(lambda: "result" in cluster.names("many"))
    run = cluster.start_run("generate_labels", *again(many_faces), mode="cluster")
    run.wait_for_worker()
    cluster.hadoop.kill_application(run.application()["id"])
    run.wait()
    return run


def test_a_killed_application_leaves_the_old_result(cluster, killed):
    assert killed.returncode != 0
    assert killed.application()["finalStatus"] == "KILLED"
    assert cluster.names("many/result") == RESULT


@pytest.fixture(scope="module")
def halted(cluster, many_faces, killed):
    """A run in client mode that is to replace the result too, and stands still in the middle."""
    run = cluster.start_run("generate_labels", *again(many_faces), mode="client")
    run.wait_for_worker()
    run.signal(signal.SIGSTOP)
    yield run
    run.signal(signal.SIGKILL)


def test_a_second_run_into_the_same_destination_is_refused(cluster, many_faces, halted):
    settings = {"spark.app.name": "labels of today", "spark.dynamicAllocation.initialExecutors": 0}
    second = cluster.start_run("generate_labels", *again(many_faces), mode="client", **settings)
    listening = []
    while second.process.poll() is None:
        pids = [*cluster.hadoop.pids, halted.process.pid, second.process.pid]
        listening += listening_addresses({child for pid in pids for child in descendants(pid)})
        time.sleep(0.5)
    second.wait()
    assert second.returncode == 2, second.stderr
    said = message(second)
    assert f"--score-dst many/result: the run {halted.application()['id']} on host " in said
    assert "is writing to it; wait for its end, or choose another" in said
    application = second.application()
    assert (application["name"], application["finalStatus"]) == ("labels of today", "FAILED")
    assert len(listening) > len(cluster.hadoop.pids)
    assert set(listening) <= LOOPBACK


def test_a_killed_driver_leaves_the_old_result_and_the_next_run_replaces_it_whatever_executor_is_lost(
    spark, cluster, many_faces, many_labels, halted, tmp_path
):
    assert cluster.names("many/result") == RESULT
    halted.signal(signal.SIGKILL)
    halted.wait()
    assert_same_labels(many_faces.labels(spark, "result"), many_faces.local_labels(spark, **ONE_ROUND))
    assert [name for name in cluster.names("many") if name.endswith(".incomplete")]
    run = cluster.start_run(
        "generate_labels", *again(many_faces), mode="client", **TWO_EXECUTORS, **to_log_events(tmp_path)
    )
    os.kill(run.wait_for_worker(), signal.SIGKILL)
    run.wait()
    assert run.returncode == 0, run.stderr
    begin, lost, end = map(run.stderr.index, ("drawing the pool: ", "Lost executor", "computing distances: "))
    assert begin < lost < end
    assert_same_labels(many_faces.labels(spark, "result"), many_labels)
    assert cluster.names("many/result") == RESULT
    assert_nothing_is_left(cluster, run)
    assert_is_shown(run, "fiqa-spark generate_labels", tmp_path)


def assert_is_shown(run, name, events):
    """ResourceManager and stages show what a person looks for."""
    application = run.application()
    assert application["name"] == name
    assert "fiqa-spark" in application["applicationTags"].split(",")
    assert application["finalStatus"] == "SUCCEEDED"
    assert descriptions(events) == STEPS


def assert_nothing_is_left(cluster, run):
    assert not [name for name in cluster.names("many") if name.startswith(".")]
    # Spark's own files go when YARN has taken note of the end of an application.
    for _ in range(60):
        if run.application()["id"] not in cluster.names(".sparkStaging"):
            return
        time.sleep(0.5)
    pytest.fail(f"left in .sparkStaging: {cluster.names('.sparkStaging')}")
