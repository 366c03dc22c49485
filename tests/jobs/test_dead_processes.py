"""What dies, is ended or has no room while a job runs by spark-submit: one line that tells it, and no half result."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from typing import NamedTuple

import numpy as np
import pytest

from tests.jobs.inputs import stored_vectors
from tests.jobs.running import ROOT, command, environment, message, options
from tests.processes import descendants, processes, program
from tests.yarn.several_jobs import BETWEEN, RESULT

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="looks for processes as Linux tells them")

TICKS = 3
FIQA = "import sys; from fiqa_spark.cli import console; sys.exit(console())"
IMAGES, DIMENSION = 20_000, 256


class Matrix:
    """So many features that a run can be disturbed while workers read them."""

    def __init__(self, folder):
        self.folder = folder
        vectors = np.random.default_rng(0).standard_normal((IMAGES, DIMENSION), np.float32)
        np.save(folder / "features.npy", vectors)
        lines = (f"p{number // 10}/{number % 10}.jpg\n" for number in range(IMAGES))
        (folder / "rows.txt").write_text("".join(lines), encoding="utf-8")

    def to_import(self, destination):
        """Arguments of a job that imports the features."""
        places = {"source": self.folder / "features.npy", "rows_list": self.folder / "rows.txt"}
        return options(**places, dst=self.folder / destination, id_key_index=-2)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    return Matrix(tmp_path_factory.mktemp("matrix"))


class Run:
    """A command that runs in a session of processes of its own."""

    def __init__(self, folder, line, **changes):
        self._files = folder / "stdout", folder / "stderr"
        with self._files[0].open("w") as stdout, self._files[1].open("w") as stderr:
            places = {"stdout": stdout, "stderr": stderr, "start_new_session": True}
            self.process = subprocess.Popen(list(map(str, line)), env=environment(**changes), **places)

    def said(self):
        """What stands on stdout and stderr by now."""
        return [file.read_text(encoding="utf-8") for file in self._files]

    def wait_until(self, condition, *, disturb=lambda pid: None):
        """Wait until something holds, or for the end; meanwhile `disturb` is called with the process id."""
        deadline = time.monotonic() + 200
        while self.process.poll() is None and not condition():
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
                pytest.fail(f"nothing happened: {self.said()}")
            disturb(self.process.pid)
            time.sleep(0.1)

    def signal(self, number):
        """Send a signal to the command and all that it started."""
        os.killpg(self.process.pid, number)

    def result(self, **disturb):
        """The result, at the end."""
        self.wait_until(lambda: False, **disturb)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, *self.said())


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts a command: ``start(line, VARIABLE="value")``."""
    return lambda line, **changes: Run(tmp_path_factory.mktemp("said"), line, **changes)


def limited(line, file_bytes):
    """The same command, none of whose processes may write a file of more bytes."""
    return ["sh", "-c", f'ulimit -f {file_bytes // 512} && exec "$@"', "sh", *line]


def told(result):
    """The one line that a job says, beside the steps that it took and what Java and Spark say as they start."""
    assert result.returncode == 2, result.stderr
    assert_says_no_more(result.stderr)
    return message(result)


def assert_says_no_more(stderr):
    assert not re.search(r"^\s+at |Exception|\bERROR\b", stderr, re.MULTILINE), stderr


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_busy_workers(root):
    """Kill the Python workers of a process that have computed a while; the daemon that forks them stays."""
    ours = descendants(root) & set(processes(b"pyspark.worker"))
    kill(pid for pid in ours if parent_and_ticks(pid)[0] in ours and parent_and_ticks(pid)[1] >= TICKS)


def parent_and_ticks(pid):
    """Id of the process that started another, and the hundredths of a second for which that has computed."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rsplit(b")", 1)[1].split()
        return int(fields[1]), int(fields[11]) + int(fields[12])
    return None, 0


@pytest.fixture(scope="module")
def earlier(matrix):
    """A store of an earlier run, which killed runs are to replace."""
    rows = matrix.folder / "few.npy"
    np.save(rows, np.eye(4, dtype=np.float32))
    (matrix.folder / "few.txt").write_text("p0/0.jpg\np0/1.jpg\np1/0.jpg\np1/1.jpg\n", encoding="utf-8")
    return {"source": rows, "rows_list": matrix.folder / "few.txt", "dst": matrix.folder / "kept", "id_key_index": -2}


def three_jobs(matrix):
    """Command of three jobs in one process: one that computes, one of a list too large for Java, one that replaces."""
    # Behind sound lines one of zeros, which takes no room on the disk, and more than there is in memory.
    huge = matrix.folder / "huge.txt"
    huge.write_text("p0/0.jpg\n" * 10_000, encoding="utf-8")
    os.truncate(huge, 600 << 20)
    places = {"image_list_file": huge, "feature_root": matrix.folder / "features.npy"}
    jobs = [
        ["import_features", *matrix.to_import("killed")],
        ["generate_labels", *options(**places, score_dst=matrix.folder / "memory", id_key_index=-2)],
        ["import_features", *matrix.to_import("kept"), "--overwrite"],
    ]
    line = command("", conf=("spark.driver.memory=600m",))
    line[-1] = ROOT / "tests" / "yarn" / "several_jobs.py"
    return [*line, *(word for job in jobs for word in (BETWEEN, *job))]


class Disturbed(NamedTuple):
    """Three jobs in one process, of which the first lost its workers, and the process was killed in the third."""

    results: list
    """Of the jobs that came to an end."""
    stderr: str
    """What was said beside."""
    meanwhile: dict
    """What the store held that the third job was replacing."""


@pytest.fixture(scope="module")
def disturbed(matrix, earlier, start, run_job):
    assert run_job("import_features", *options(**earlier)).returncode == 0
    run = start(three_jobs(matrix), PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'jobs'}")
    run.wait_until(lambda: run.said()[0].count(RESULT) > 0, disturb=kill_busy_workers)
    # What Python prints, Java hands on, perhaps when the next job has begun.
    run.wait_until(lambda: run.said()[0].count(RESULT) > 1)
    run.wait_until(lambda: list(matrix.folder.glob(".kept.*.incomplete")))
    meanwhile = stored_vectors(matrix.folder / "kept")
    run.signal(signal.SIGKILL)
    run.process.wait(60)
    stdout, stderr = run.said()
    results = [json.loads(line.removeprefix(RESULT)) for line in stdout.splitlines() if line.startswith(RESULT)]
    assert len(results) == 2, f"exit code {run.process.returncode}: {stdout}{stderr}"
    return Disturbed([types.SimpleNamespace(**result) for result in results], stderr, meanwhile)


def test_killed_workers_are_told_in_one_line(matrix, disturbed):
    line = told(disturbed.results[0])
    assert "a Python worker died, most likely ended by the system as memory was short; give the machine more" in line
    assert "lower --process-num" in line
    assert_says_no_more(disturbed.stderr)
    assert not (matrix.folder / "killed").exists()
    assert not list(matrix.folder.glob(".killed*"))


def test_a_task_that_is_out_of_memory_is_told_in_one_line(disturbed):
    line = told(disturbed.results[1])
    assert "Java is out of memory (" in line
    assert "raise spark.driver.memory" in line
    assert_says_no_more(disturbed.stderr)


def test_a_killed_run_with_overwrite_leaves_the_old_result_and_a_whole_one_replaces_it(
    matrix, earlier, disturbed, run_job
):
    old = {f"p{row // 2}/{row % 2}": vector.tobytes() for row, vector in enumerate(np.eye(4, dtype=np.float32))}
    assert disturbed.meanwhile == stored_vectors(matrix.folder / "kept") == old
    assert list(matrix.folder.glob(".kept*"))
    np.save(earlier["source"], 2 * np.eye(4, dtype=np.float32))
    result = run_job("import_features", *options(**earlier), "--overwrite")
    assert result.returncode == 0, result.stderr
    new = stored_vectors(matrix.folder / "kept")
    assert new.keys() == old.keys()
    assert all(new[key] != old[key] for key in old)
    assert not list(matrix.folder.glob(".kept*"))


def test_a_terminated_run_leaves_no_result(matrix, start):
    run = start(command("import_features", *matrix.to_import("terminated")))
    run.wait_until(lambda: list(matrix.folder.glob(".terminated.*.incomplete")))
    run.signal(signal.SIGTERM)
    assert run.process.wait(60) == 128 + signal.SIGTERM
    assert not (matrix.folder / "terminated").exists()


def test_java_that_is_killed_is_told_in_one_line(matrix, start):
    def kill_java(root):
        started = descendants(root)
        if started & set(processes(b"pyspark.worker")):
            kill(pid for pid in started if program(pid) == "java")

    run = start([sys.executable, "-c", FIQA, "import-features", *matrix.to_import("java")], PYTHONPATH=str(ROOT))
    line = told(run.result(disturb=kill_java))
    assert "Java, in which Spark runs, died, most likely ended by the system as memory was short; give" in line


def test_java_with_less_memory_than_spark_needs_is_told_in_one_line(matrix, start):
    line = command("import_features", *matrix.to_import("small"), conf=("spark.driver.memory=300m",))
    said = r"Java has \d+ bytes, and Spark needs \d+; raise spark\.driver\.memory"
    assert re.search(said, told(start(line).result()))


def test_files_that_outgrow_a_limit_are_told_and_a_temporary_folder_that_is_none_does_no_harm(matrix, start):
    line = limited(command("import_features", *matrix.to_import("limited")), 2 << 20)
    result = start(line, TMPDIR=str(matrix.folder / "rows.txt")).result()
    assert "File too large: no file may be as large as one of this run; raise the limit (ulimit -f)" in told(result)


def test_no_room_for_the_files_of_spark_is_told_in_one_line(matrix, start, tmp_path):
    # That of the configuration, spark.local.dir, is held by the tests of the function that looks at both.
    line = limited(command("import_features", *matrix.to_import("full")), 1 << 15)
    result = start(line, SPARK_LOCAL_DIRS=str(tmp_path / "spark")).result()
    shown = (
        rf"error: SPARK_LOCAL_DIRS '{tmp_path}/spark': nothing can be written there \(File too large\); make room, or"
    )
    assert re.search(shown, told(result))


@pytest.mark.parametrize("way", ["fiqa", "python"])
def test_a_temporary_folder_of_java_that_is_none_is_told_before_java_starts(matrix, start, way):
    words = ["-c", FIQA, "export-labels"] if way == "fiqa" else [ROOT / "jobs" / "export_labels.py"]
    line = [sys.executable, *words, "--labels", "x", "--dst", "y", "--format", "csv"]
    folder = matrix.folder / "rows.txt" / "tmp"
    result = start(line, PYTHONPATH=str(ROOT), SPARK_SUBMIT_OPTS=f"-Djava.io.tmpdir={folder}").result()
    said = f"export_labels: error: java.io.tmpdir '{folder}': nothing can be written there (Not a directory); make room"
    assert result.stderr.startswith(said)
    assert (result.returncode, result.stderr.count("\n"), result.stdout) == (2, 1, "")
