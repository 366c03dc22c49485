import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import pytest
from py4j.protocol import Py4JJavaError

from fiqa_spark.errors import DestinationError
from fiqa_spark.runtime.destination import Destination
from fiqa_spark.runtime.run_lease import RunLease
from fiqa_spark.runtime.storage import Storage


@pytest.fixture
def destination(spark, tmp_path):
    """Make a destination ``out`` in an empty folder that may be overwritten."""

    def make(overwrite=True):
        path = str(tmp_path / "out")
        return Destination(
            Storage(spark),
            path,
            setting="dst",
            overwrite=overwrite,
            own_entries=("result.txt",),
            application="application_2_0002",
        )

    return make


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def publish(destination, text):
    """Publish a folder that holds one file."""
    result = pathlib.Path(destination.staging.removeprefix("file:"), "result")
    result.mkdir(parents=True)
    (result / "result.txt").write_text(text, encoding="utf-8")
    destination.publish("result")


def test_the_result_appears_when_it_is_published_and_not_before(destination, tmp_path):
    with destination() as place:
        assert not (tmp_path / "out").exists()
        publish(place, "new")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "result.txt").read_text(encoding="utf-8") == "new"


def test_a_folder_never_takes_the_place_of_a_file(destination, tmp_path):
    (tmp_path / "out").write_text("a list of images", encoding="utf-8")
    with pytest.raises(DestinationError, match="is a file, which is no result of this job"), destination():
        pass
    assert (tmp_path / "out").read_text(encoding="utf-8") == "a list of images"
    assert names(tmp_path) == ["out"]


def test_a_failure_leaves_nothing(destination, tmp_path):
    with pytest.raises(RuntimeError), destination():
        raise RuntimeError
    assert names(tmp_path) == []


def test_the_old_result_stays_until_the_new_one_is_published(destination, tmp_path):
    with destination() as place:
        publish(place, "old")
    with destination() as place:
        assert (tmp_path / "out" / "result.txt").read_text(encoding="utf-8") == "old"
        publish(place, "new")
        assert (tmp_path / "out" / "result.txt").read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["out"]


def test_an_empty_folder_is_no_result(destination, tmp_path):
    (tmp_path / "out").mkdir()
    with destination(overwrite=False) as place:
        publish(place, "new")
    assert names(tmp_path / "out") == ["result.txt"]


def lease_of_another(spark, folder, machine=None, started=None):
    """Leave the lease of another run, of this process unless another is named."""
    lease = RunLease(Storage(spark), str(folder), "out", "application_1_0001")
    own, pid, since, unique = lease._run.split("-")
    lease._run = f"{machine or own}-{pid}-{started or since}-{unique}"
    lease.folder, lease.replaced = lease.folder_of(lease._run), lease.replaced_by(lease._run)
    lease.take()
    lease._ended.set()
    run = {"application": "application_1_0001", "host": "node-7"}
    pathlib.Path(lease.folder, "run.json").write_text(json.dumps(run), encoding="utf-8")
    return lease


ENDED = {"started": "before"}
ELSEWHERE = {"machine": "another"}


def age(lease, seconds):
    """Make all that a run left look older."""
    for path in (*pathlib.Path(lease.folder).iterdir(), pathlib.Path(lease.folder)):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_what_a_killed_run_of_this_machine_left_is_removed(spark, destination, tmp_path):
    lease = lease_of_another(spark, tmp_path, **ENDED)
    (pathlib.Path(lease.folder) / "result" / "labels").mkdir(parents=True)
    (tmp_path / ".out-of-sight").mkdir()
    with destination() as place:
        publish(place, "new")
    assert names(tmp_path) == [".out-of-sight", "out"]


def test_the_later_of_two_runs_is_refused_and_leaves_the_first_alone(destination, tmp_path):
    with destination() as first:
        with (
            pytest.raises(DestinationError, match=r"the run application_2_0002 on host .+ is writing to it; wait"),
            destination(),
        ):
            pass
        publish(first, "first")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "result.txt").read_text(encoding="utf-8") == "first"


def test_a_run_is_not_refused_by_a_later_one(spark, destination, tmp_path, monkeypatch):
    entered = []
    find_others = RunLease.others

    def enter_between(lease):
        """Let a second run take its lease just after the first has."""
        if not entered:
            entered.append(lease)
            with pytest.raises(DestinationError, match="is writing to it"), destination():
                pass
            lease_of_another(spark, tmp_path)
        return find_others(lease)

    monkeypatch.setattr(RunLease, "others", enter_between)
    with destination() as first:
        publish(first, "first")
    assert (tmp_path / "out" / "result.txt").read_text(encoding="utf-8") == "first"


def test_a_run_on_another_host_that_has_been_silent_for_long_is_removed_at_once(spark, destination, tmp_path):
    age(lease_of_another(spark, tmp_path, **ELSEWHERE), 3600)
    begin = time.monotonic()
    with destination() as place:
        publish(place, "new")
    assert names(tmp_path) == ["out"]
    assert time.monotonic() - begin < RunLease.seconds_until_dead / 2


def test_a_run_on_another_host_is_waited_for_until_it_counts_as_dead(spark, destination, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(RunLease, "seconds_until_dead", 2)
    lease_of_another(spark, tmp_path, **ELSEWHERE)
    with caplog.at_level("INFO", "fiqa_spark"), destination() as place:
        publish(place, "new")
    assert names(tmp_path) == ["out"]
    assert "for a heartbeat of the run application_1_0001 on host node-7" in caplog.text


def test_a_run_on_another_host_that_shows_heartbeats_is_left_alone(spark, destination, tmp_path):
    lease = lease_of_another(spark, tmp_path, **ELSEWHERE)
    age(lease, 20)
    threading.Timer(3, lease._beat).start()
    with (
        pytest.raises(DestinationError, match="the run application_1_0001 on host node-7 is writing to it"),
        destination(),
    ):
        pass
    assert names(tmp_path) == [pathlib.Path(lease.folder).name]


def test_a_run_that_was_killed_before_it_could_tell_anything_is_removed_at_once(spark, destination, tmp_path):
    folder = pathlib.Path(lease_of_another(spark, tmp_path, **ENDED).folder)
    for file in folder.iterdir():
        file.unlink()
    begin = time.monotonic()
    with destination() as place:
        publish(place, "new")
    assert names(tmp_path) == ["out"]
    assert time.monotonic() - begin < RunLease.seconds_until_dead / 2


def test_a_run_that_was_taken_for_dead_publishes_nothing(destination, tmp_path):
    with pytest.raises(DestinationError, match="took this one for dead"), destination() as place:
        lease = next(tmp_path.glob(".out.*.incomplete"))
        shutil.rmtree(lease)
        publish(place, "half")
    assert names(tmp_path) == []


def test_a_lease_that_tells_nothing_of_its_run_counts_by_its_age(destination, tmp_path):
    lease = tmp_path / ".out.another-1-1-abc.incomplete"
    lease.mkdir()
    (lease / "run.json").write_text("[1]", encoding="utf-8")
    os.utime(lease, (0, 0))
    os.utime(lease / "run.json", (0, 0))
    with destination() as place:
        publish(place, "new")
    assert names(tmp_path) == ["out"]


def test_a_result_on_its_way_out_comes_back_when_its_run_was_killed(spark, destination, tmp_path):
    replaced = pathlib.Path(lease_of_another(spark, tmp_path, **ENDED).replaced)
    replaced.mkdir()
    (replaced / "result.txt").write_text("old", encoding="utf-8")
    with pytest.raises(DestinationError, match=r"exists and holds 'result\.txt'"), destination(overwrite=False):
        pass
    assert names(tmp_path) == ["out"]


def test_a_folder_is_never_moved_into_another(spark, tmp_path):
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    with pytest.raises(Py4JJavaError, match="FileAlreadyExistsException"):
        Storage(spark).rename(str(tmp_path / "from"), str(tmp_path / "to"))
    assert names(tmp_path) == ["from", "to"]


def test_a_zombie_has_ended():
    from fiqa_spark.runtime.run_lease import _started

    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert _started(process.pid) is None
    process.wait()
    assert _started(process.pid) is None
    assert _started(os.getpid()) is not None


def test_a_result_that_appeared_meanwhile_is_not_replaced_unasked(destination, tmp_path):
    with pytest.raises(DestinationError, match="exists and holds"), destination(overwrite=False) as place:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "result.txt").write_text("another run's", encoding="utf-8")
        publish(place, "new")
    assert (tmp_path / "out" / "result.txt").read_text(encoding="utf-8") == "another run's"
    assert names(tmp_path) == ["out"]
