import os
import pathlib
import subprocess
import sys

import pytest

from fiqa_spark.destination import Destination
from fiqa_spark.errors import DestinationError
from fiqa_spark.storage import Storage


@pytest.fixture
def destination(spark, tmp_path):
    """Make a destination ``out`` in an empty folder that may be overwritten."""

    def make(overwrite=True):
        path = str(tmp_path / "out")
        return Destination(Storage(spark), path, overwrite=overwrite, own_entries=("result.txt",))

    return make


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def publish(destination, text):
    """Publish a folder that holds one file."""
    result = pathlib.Path(destination.staging.removeprefix("file:"), "result")
    result.mkdir()
    (result / "result.txt").write_text(text, encoding="utf-8")
    destination.publish("result")


def test_the_result_appears_when_it_is_published_and_not_before(destination, tmp_path):
    with destination() as place:
        assert not (tmp_path / "out").exists()
        publish(place, "new")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "result.txt").read_text(encoding="utf-8") == "new"


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


def ended_run():
    """Name of a run whose process has ended, as the run itself would have chosen it."""
    code = "from fiqa_spark.destination import _run_of_this_process as name; print(name())"
    root = pathlib.Path(__file__).resolve().parents[2]
    line = [sys.executable, "-c", code]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def test_what_a_killed_run_left_is_removed_and_what_others_may_be_writing_is_not(destination, tmp_path):
    (tmp_path / f".out.{ended_run()}.incomplete" / "labels").mkdir(parents=True)
    elsewhere = ".out.another-host.org-123-456.incomplete"
    for name in (elsewhere, ".out-of-sight"):
        (tmp_path / name).mkdir()
    with destination() as place:
        publish(place, "new")
    assert names(tmp_path) == [".out-of-sight", elsewhere, "out"]


def test_a_result_on_its_way_out_comes_back_when_its_run_was_killed(destination, tmp_path):
    replaced = tmp_path / f".out.{ended_run()}.replaced"
    replaced.mkdir()
    (replaced / "result.txt").write_text("old", encoding="utf-8")
    with pytest.raises(DestinationError, match=r"exists and holds 'result\.txt'"), destination(overwrite=False):
        pass
    assert names(tmp_path) == ["out"]


def test_a_zombie_has_ended():
    from fiqa_spark.destination import _started

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
