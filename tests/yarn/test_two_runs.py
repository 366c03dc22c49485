"""Two runs at once, and what they and the cluster listen at."""

import signal
import time

import pytest

from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import message
from tests.processes import LOOPBACK, descendants, listening_addresses


@pytest.fixture
def claimed(cluster, faces):
    """A run that has claimed its destination and waits."""
    run = cluster.start_run("generate_labels", *faces.arguments("one"), mode="client")
    run.wait_until(lambda: [name for name in cluster.names("faces") if name.startswith(".one.")])
    run.signal(signal.SIGSTOP)
    yield run
    run.signal(signal.SIGKILL)


def test_two_runs_at_once(spark, cluster, faces, faces_labels, claimed):
    second = cluster.start_run("generate_labels", *faces.arguments("one"), mode="client")
    listening = []
    while second.process.poll() is None:
        pids = [*cluster.hadoop.pids, claimed.process.pid, second.process.pid]
        listening += listening_addresses({child for pid in pids for child in descendants(pid)})
        time.sleep(0.5)
    second.wait()
    assert second.returncode == 2, second.stderr
    application = claimed.application()["id"]
    assert f"--score-dst faces/one: the run {application} on host " in message(second)
    assert "is writing to it; wait for its end, or choose another" in message(second)
    assert len(listening) > len(cluster.hadoop.pids)
    assert set(listening) <= LOOPBACK

    elsewhere = cluster.start_run("generate_labels", *faces.arguments("two"), mode="client")
    claimed.signal(signal.SIGCONT)
    for run, name in ((claimed, "one"), (elsewhere, "two")):
        run.wait()
        assert run.returncode == 0, run.stderr
        assert_same_labels(faces.labels(spark, name), faces_labels)
    assert not [name for name in cluster.names("faces") if name.startswith(".")]
