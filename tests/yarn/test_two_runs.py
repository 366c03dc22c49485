"""Runs at once: into the same destination, after one was killed, and into different ones; and what they listen at."""

import signal
import time

import pytest

from tests.jobs.running import message
from tests.processes import LOOPBACK, descendants, listening_addresses
from tests.yarn.labelling_runs import LabellingRun


def leases(cluster):
    """Folders of the runs that have a lease on the destination."""
    return [name for name in cluster.names("faces") if name.startswith(".one.")]


@pytest.fixture(scope="module")
def halted(cluster, faces):
    """A run that has taken its lease and stands still."""
    run = cluster.start_run("generate_labels", *faces.arguments("one"), mode="client")
    # The first heartbeat is the last that a lease consists of.
    run.wait_until(lambda: [lease for lease in leases(cluster) if "alive" in cluster.names(f"faces/{lease}")])
    run.signal(signal.SIGSTOP)
    yield run
    run.signal(signal.SIGKILL)


def test_a_second_run_into_the_same_destination_is_refused(cluster, faces, halted):
    second = cluster.start_run("generate_labels", *faces.arguments("one"), mode="client")
    listening = []
    while second.process.poll() is None:
        pids = [*cluster.hadoop.pids, halted.process.pid, second.process.pid]
        listening += listening_addresses({child for pid in pids for child in descendants(pid)})
        time.sleep(0.5)
    second.wait()
    assert second.returncode == 2, second.stderr
    application = halted.application()["id"]
    assert f"--score-dst faces/one: the run {application} on host " in message(second)
    assert "is writing to it; wait for its end, or choose another" in message(second)
    assert len(listening) > len(cluster.hadoop.pids)
    assert set(listening) <= LOOPBACK


def test_after_its_driver_was_killed_the_same_run_succeeds_beside_another(
    spark, cluster, faces, faces_labels, store_import, halted, tmp_path_factory
):
    halted.signal(signal.SIGKILL)
    halted.wait()
    assert "one" not in cluster.names("faces")
    assert leases(cluster)
    runs = [
        LabellingRun(cluster, faces, name, form, "client", tmp_path_factory.mktemp("events"), method)
        for name, form, method in (("one", "features", "sdd-fiqa"), ("two", "store", "margin"))
    ]
    for run in runs:
        run.wait()
        run.assert_labels(spark, faces_labels)
    assert not [name for name in cluster.names("faces") if name.startswith(".")]
