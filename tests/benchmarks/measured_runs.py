"""Whole commands, process start to exit, with the peak memory of Java and of the largest Python worker."""

import contextlib
import pathlib
import subprocess
import threading
import time
from typing import NamedTuple

from tests.jobs.running import ROOT, environment
from tests.processes import descendants

_PAUSE = 0.05


class Measured(NamedTuple):
    """What one command took."""

    seconds: float
    """Wall time from the start of the process to its exit."""
    java_mib: float
    """Peak resident memory of the largest Java process."""
    worker_mib: float
    """Peak resident memory of the largest Python worker."""


def measured_job(job, *arguments, conf=()):
    """Run ``spark-submit jobs/<job>.py`` as the README says; raises if it fails."""
    settings = [word for entry in conf for word in ("--conf", entry)]
    line = ["spark-submit", "--properties-file", "conf/local.conf", *settings, f"jobs/{job}.py", *map(str, arguments)]
    plain = {name: value for name, value in environment().items() if name != "SPARK_SUBMIT_OPTS"}
    begin = time.perf_counter()
    process = subprocess.Popen(line, cwd=ROOT, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peaks, done = {}, threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks, done))
    watcher.start()
    output, errors = process.communicate()
    seconds = time.perf_counter() - begin
    done.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(line)}: exit code {process.returncode}\n{output}{errors}")
    return Measured(seconds, peaks.get("java", 0) / 1024, peaks.get("worker", 0) / 1024)


def _watch(root, peaks, done):
    """Keep the largest resident sizes seen, in KiB, of the descendants of a process."""
    while not done.wait(_PAUSE):
        for process in (pathlib.Path("/proc", str(pid)) for pid in descendants(root)):
            with contextlib.suppress(OSError, ValueError, IndexError):
                command = (process / "cmdline").read_bytes().split(b"\0")
                kind = "worker" if b"pyspark.daemon" in command else "java" if b"java" in command[0] else None
                status = (process / "status").read_text(encoding="utf-8")
                peak = int(status.split("VmHWM:")[1].split()[0])
                peaks[kind] = max(peak, peaks.get(kind, 0))
