"""What dies or has no room while a job runs by spark-submit: one line that tells it, and exit code 2."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from tests.jobs.planted_job import Planted
from tests.jobs.running import ROOT, command, environment, message
from tests.processes import descendants, processes, program

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="looks for processes as Linux tells them")

TICKS = 10
START = "import sys; from fiqa_spark.cli import console; sys.exit(console())"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """So many images that a run can be disturbed while it computes."""
    return Planted(tmp_path_factory.mktemp("large"), identities=2000, dimension=256)


def run(line, *, disturb=lambda pid: None, **changes):
    """Run a command; while it runs, `disturb` is called with its process id again and again."""
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        places = {"stdout": stdout, "stderr": stderr, "start_new_session": True}
        with subprocess.Popen(list(map(str, line)), env=environment(**changes), **places) as process:
            deadline = time.monotonic() + 200
            while process.poll() is None and time.monotonic() < deadline:
                disturb(process.pid)
                time.sleep(0.1)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        said = []
        for stream in (stdout, stderr):
            stream.seek(0)
            said.append(stream.read())
    return subprocess.CompletedProcess(line, process.returncode, *said)


def limited(line, file_bytes):
    """The same command, none of whose processes may write a file of more bytes."""
    return ["sh", "-c", f'ulimit -f {file_bytes // 512} && exec "$@"', "sh", *line]


def told(result):
    """The one line that a job says, beside the steps that it took and what Java and Spark say as they start."""
    assert result.returncode == 2, result.stderr
    assert not re.search(r"^\s+at |Exception|\bERROR\b", result.stderr, re.MULTILINE), result.stderr
    return message(result)


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_busy_workers(root):
    """Kill the Python workers of a process that have computed a while; the daemon that forks them stays."""
    ours = descendants(root) & set(processes(b"pyspark.daemon"))
    kill(pid for pid in ours if parent_and_ticks(pid)[0] in ours and parent_and_ticks(pid)[1] >= TICKS)


def parent_and_ticks(pid):
    """Id of the process that started another, and the hundredths of a second for which that has computed."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rsplit(b")", 1)[1].split()
        return int(fields[1]), int(fields[11]) + int(fields[12])
    return None, 0


def test_killed_workers_are_told_in_one_line(large):
    result = run(command("generate_labels", *large.arguments("killed")), disturb=kill_busy_workers)
    line = told(result)
    assert "a Python worker died, most likely ended by the system as memory was short; give the machine more" in line
    assert "lower --process-num" in line
    assert not (large.folder / "killed").exists()
    assert not list(large.folder.glob(".killed*"))


def test_java_that_is_killed_is_told_in_one_line(large):
    def kill_java(root):
        started = descendants(root)
        if started & set(processes(b"pyspark.daemon")):
            kill(pid for pid in started if program(pid) == "java")

    line = [sys.executable, "-c", START, "generate-labels", *large.arguments("java")]
    result = run(line, disturb=kill_java, PYTHONPATH=str(ROOT))
    assert "Java, in which Spark runs, died, most likely ended by the system as memory was short; give" in told(result)


def test_a_task_that_is_out_of_memory_is_told_in_one_line(large):
    # Behind sound lines one of zeros, which takes no room on the disk, and more than there is in memory.
    huge = large.folder / "huge.txt"
    huge.write_text("p0/0.jpg\n" * 10_000, encoding="utf-8")
    os.truncate(huge, 600 << 20)
    words = large.arguments("memory", image_list_file=huge)
    result = run(command("generate_labels", *words, conf=("spark.driver.memory=600m",)))
    assert "Java is out of memory (" in told(result)
    assert "raise spark.driver.memory" in told(result)


def test_java_with_less_memory_than_spark_needs_is_told_in_one_line(large):
    result = run(command("generate_labels", *large.arguments("small"), conf=("spark.driver.memory=300m",)))
    assert re.search(r"Java has \d+ bytes, and Spark needs \d+; raise spark\.driver\.memory", told(result))


def test_files_that_outgrow_a_limit_are_told_in_one_line_and_a_temporary_folder_that_is_none_does_no_harm(large):
    line = limited(command("generate_labels", *large.arguments("limited")), 2 << 20)
    result = run(line, TMPDIR=str(large.folder / "images.txt"))
    assert "File too large: no file may be as large as one of this run; raise the limit (ulimit -f)" in told(result)


def test_no_room_for_the_files_of_spark_is_told_in_one_line(large, tmp_path):
    # That of the configuration, spark.local.dir, is held by the tests of the function that looks at both.
    line = limited(command("generate_labels", *large.arguments("full")), 1 << 15)
    result = run(line, SPARK_LOCAL_DIRS=str(tmp_path / "spark"))
    shown = (
        rf"error: SPARK_LOCAL_DIRS '{tmp_path}/spark': nothing can be written there \(File too large\); make room, or"
    )
    assert re.search(shown, told(result))


@pytest.mark.parametrize("way", ["fiqa", "python"])
def test_a_temporary_folder_of_java_that_is_none_is_told_before_java_starts(large, way):
    words = ["-c", START, "export-labels"] if way == "fiqa" else [ROOT / "jobs" / "export_labels.py"]
    line = [sys.executable, *words, "--labels", "x", "--dst", "y", "--format", "csv"]
    folder = large.folder / "images.txt" / "tmp"
    result = run(line, PYTHONPATH=str(ROOT), SPARK_SUBMIT_OPTS=f"-Djava.io.tmpdir={folder}")
    said = f"export_labels: error: java.io.tmpdir '{folder}': nothing can be written there (Not a directory); make room"
    assert result.stderr.startswith(said)
    assert (result.returncode, result.stderr.count("\n"), result.stdout) == (2, 1, "")
