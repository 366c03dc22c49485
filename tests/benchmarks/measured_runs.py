"""Whole commands, process start to exit: wall time, processor time, and peaks of memory."""

import contextlib
import os
import pathlib
import subprocess
import sys
import threading
import time
from typing import NamedTuple

from tests.jobs.running import ROOT, environment
from tests.processes import descendants

_PAUSE = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")


class Measured(NamedTuple):
    """What one command took."""

    seconds: float
    """Wall time from the start of the process to its exit."""
    processor_seconds: float
    """Processor time of the process and all that it started, as `Watch` sees it."""
    java_mib: float
    """Peak resident memory of the largest Java process."""
    worker_mib: float
    """Peak resident memory of the largest Python worker."""
    other_mib: float
    """Peak resident memory of the largest of all other processes: the driver's Python, or a script."""


def measured_job(job, *arguments, conf=()):
    """Run ``spark-submit jobs/<job>.py`` as the README says; raises if it fails."""
    settings = [word for entry in conf for word in ("--conf", entry)]
    return _measured(["spark-submit", "--properties-file", "conf/local.conf", *settings, f"jobs/{job}.py", *arguments])


def measured_module(name, *arguments):
    """Run ``python -m <name>``; raises if it fails."""
    return _measured([sys.executable, "-m", name, *arguments])


def _measured(words):
    line = list(map(str, words))
    plain = {name: value for name, value in environment().items() if name != "SPARK_SUBMIT_OPTS"}
    # What earlier commands left on its way to the disk is no part of this one.
    os.sync()
    begin = time.perf_counter()
    process = subprocess.Popen(line, cwd=ROOT, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with Watch(process.pid) as seen:
        output, errors = process.communicate()
        seconds = time.perf_counter() - begin
    if process.returncode:
        raise RuntimeError(f"{' '.join(line)}: exit code {process.returncode}\n{output}{errors}")
    return Measured(seconds, seen.processor_seconds, *(seen.peak_mib(kind) for kind in ("java", "worker", "other")))


class Watch:
    """Looks at a process and its descendants, twenty times a second, while the block runs.

    Nobody waits for Spark's Python workers, so that the kernel adds their time to that of no other process. Here each
    process counts with what it had when it was last seen: what it did in its last twentieth of a second is missed.

    Parameters
    ----------
    root : int
        Id of the process.
    """

    def __init__(self, root):
        self._root, self._peaks, self._ticks = root, {}, {}
        self._done, self._thread = threading.Event(), threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    @property
    def processor_seconds(self):
        """User and system time of all processes seen so far."""
        return sum(self._ticks.values()) / _TICKS

    def peak_mib(self, kind):
        """Largest resident size of a process of a kind, `java`, `worker` or `other`; 0 if there was none."""
        return self._peaks.get(kind, 0) / 1024

    def _run(self):
        while not self._done.wait(_PAUSE):
            for pid in descendants(self._root):
                # It may end meanwhile.
                with contextlib.suppress(OSError, ValueError, IndexError):
                    self._look_at(pid, pathlib.Path("/proc", str(pid)))

    def _look_at(self, pid, process):
        fields = (process / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        self._ticks[pid] = int(fields[11]) + int(fields[12])
        command = (process / "cmdline").read_bytes().split(b"\0")
        kind = "worker" if b"pyspark.worker" in command else "java" if b"java" in command[0] else "other"
        status = (process / "status").read_text(encoding="utf-8")
        self._peaks[kind] = max(int(status.split("VmHWM:")[1].split()[0]), self._peaks.get(kind, 0))
