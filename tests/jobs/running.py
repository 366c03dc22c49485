"""Jobs run as a user runs them, by spark-submit, or one after the other in one process, which is quicker."""

import json
import os
import pathlib
import subprocess
import sys
import sysconfig
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]


def environment(**changes):
    """The environment of a shell in which the tests' virtual environment is active."""
    scripts = sysconfig.get_path("scripts")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
    # Short runs end before the second compiler pays off; without it Java would make do with a code cache that fills up.
    quick = {"SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"}
    return kept | quick | {"PATH": scripts + os.pathsep + os.environ["PATH"], **changes}


def command(job, *arguments, conf=()):
    """Command line of a job on two cores."""
    settings = [
        word
        for entry in ("spark.master=local[2]", "spark.sql.shuffle.partitions=4", *conf)
        for word in ("--conf", entry)
    ]
    properties = ("--properties-file", str(ROOT / "conf" / "local.conf"))
    return ["spark-submit", *properties, *settings, str(ROOT / "jobs" / f"{job}.py"), *map(str, arguments)]


def submit(job, *arguments, conf=(), **changes):
    """Run a job to its end.

    Returns
    -------
    CompletedProcess
        With `stdout` and `stderr` as text.
    """
    line = command(job, *arguments, conf=conf)
    return subprocess.run(line, env=environment(**changes), capture_output=True, text=True, timeout=300, check=False)


class Resident:
    """A process that runs one job after the other on one Java, see `resident.py`."""

    def __init__(self):
        settings = " ".join(command("none")[1:-1])
        # A pipe of their own for the answers: Java writes to stdout too.
        answers, write_end = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.resident", str(write_end)],
            cwd=ROOT,
            env=environment(PYSPARK_SUBMIT_ARGS=f"{settings} pyspark-shell"),
            pass_fds=[write_end],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        os.close(write_end)
        self._answers = os.fdopen(answers, encoding="utf-8")

    def submit(self, job, *arguments):
        """Run a job to its end; returns an object like that of `submit`."""
        self._process.stdin.write(json.dumps({"job": job, "arguments": list(map(str, arguments))}) + "\n")
        self._process.stdin.flush()
        return types.SimpleNamespace(**json.loads(self._answers.readline()))

    def stop(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait(60)
        self._answers.close()


def message(result):
    """The one line in which a job says what is wrong; what Spark itself writes at its start is not the job's."""
    lines = [line for line in result.stderr.splitlines() if ": error: " in line]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]


def options(**values):
    """Flags of a job: image_root="a" is --image-root a."""
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
