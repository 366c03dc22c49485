"""Runs as a user sends them: halted while another wants the same place, then killed, and then once more."""

import os
import signal
import time

import pytest

from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import message
from tests.processes import LOOPBACK, descendants, listening_addresses
from tests.yarn.every_job import LABELS, descriptions, to_log_events

TWO_EXECUTORS = {
    "spark.executor.cores": 1,
    "spark.dynamicAllocation.initialExecutors": 2,
    "spark.dynamicAllocation.maxExecutors": 2,
}
STEPS = {"reading the list", "drawing the pool", "computing distances", "writing labels"}
SUMMARY = "faces/result/summary.json"


def again(faces):
    """Words of a run that replaces the first result; no Python worker is needed before the distances are computed."""
    return [*faces.arguments("result", "bytes"), "--overwrite"]


@pytest.fixture(scope="module")
def old_summary(cluster, every_job):
    """Text of the summary of a first result, which lies there while the application of every job goes on."""
    every_job.run.wait_until(lambda: "distances" in cluster.names("faces"))
    cluster.copy("faces/distances", "faces/result")
    return cluster.read(SUMMARY)


@pytest.fixture(scope="module")
def halted(cluster, faces, old_summary):
    """A run in cluster mode that is to replace the result, and stands still in the middle."""
    run = cluster.start_run("generate_labels", *again(faces), mode="cluster")
    run.wait_for_worker()
    run.halt_driver()
    yield run
    run.signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def second(cluster, faces, halted):
    """A run in client mode into the same place, and the addresses at which anything of Hadoop or of it listens."""
    settings = {"spark.app.name": "labels of today", "spark.dynamicAllocation.initialExecutors": 0}
    run = cluster.start_run("generate_labels", *again(faces), mode="client", **settings)
    listening = set()
    while run.process.poll() is None:
        pids = {child for pid in (*cluster.hadoop.pids, run.process.pid) for child in descendants(pid)}
        listening |= set(listening_addresses(pids))
        time.sleep(0.5)
    run.wait()
    return run, listening


def test_a_second_run_into_the_same_destination_is_refused(halted, second):
    run, listening = second
    assert run.returncode == 2, run.stderr
    said = message(run)
    assert f"--score-dst faces/result: the run {halted.application().id} on host " in said
    assert "is writing to it; wait for its end, or choose another" in said
    application = run.application()
    assert (application.name, application.final_status) == ("labels of today", "FAILED")
    assert listening
    assert listening <= LOOPBACK


@pytest.fixture(scope="module")
def killed(halted, second):
    """The run that stood still, now that YARN was told to kill it."""
    halted.kill()
    halted.wait()
    return halted


def test_a_killed_application_leaves_the_old_result(cluster, killed, old_summary):
    assert killed.returncode != 0
    assert killed.application().final_status == "KILLED"
    assert cluster.names("faces/result") == LABELS
    assert cluster.read(SUMMARY) == old_summary


def test_the_next_run_replaces_the_old_result_whatever_a_killed_driver_left_and_whatever_executor_is_lost(
    spark, cluster, faces, labels_of_distances, killed, old_summary, tmp_path
):
    assert [name for name in beside_the_result(cluster) if name.endswith(".incomplete")]
    run = cluster.start_run("generate_labels", *again(faces), mode="client", **TWO_EXECUTORS, **to_log_events(tmp_path))
    os.kill(run.wait_for_worker(), signal.SIGKILL)
    run.wait()
    assert run.returncode == 0, run.stderr
    begin, lost, end = map(run.stderr.index, ("drawing the pool: ", "Lost executor", "computing distances: "))
    assert begin < lost < end
    assert cluster.read(SUMMARY) != old_summary
    assert_same_labels(faces.labels(spark, "result"), labels_of_distances)
    assert cluster.names("faces/result") == LABELS
    assert_nothing_is_left(cluster, run)
    assert_is_shown(run, "fiqa-spark generate_labels", tmp_path)


def beside_the_result(cluster):
    """Names that only runs into it use."""
    return [name for name in cluster.names("faces") if name.startswith(".result.")]


def assert_is_shown(run, name, events):
    """ResourceManager and stages show what a person looks for."""
    application = run.application()
    assert application.name == name
    assert "fiqa-spark" in application.tags
    assert application.final_status == "SUCCEEDED"
    assert descriptions(events) == STEPS


def assert_nothing_is_left(cluster, run):
    assert not beside_the_result(cluster)
    # Spark's own files go when YARN has taken note of the end of an application.
    for _ in range(60):
        if run.application().id not in cluster.names(".sparkStaging"):
            return
        time.sleep(0.5)
    pytest.fail(f"left in .sparkStaging: {cluster.names('.sparkStaging')}")
