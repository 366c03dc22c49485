"""Jobs run as a user runs them: spark-submit in a process of its own."""

import os
import pathlib
import subprocess
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[2]


def environment(**changes):
    """The environment of a shell in which the tests' virtual environment is active."""
    scripts = sysconfig.get_path("scripts")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
    # Short runs end before the second compiler pays off.
    quick = {"SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1"}
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


def message(result):
    """The one line in which a job says what is wrong; what Spark itself writes at its start is not the job's."""
    lines = [line for line in result.stderr.splitlines() if ": error: " in line]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]


def options(**values):
    """Flags of a job: image_root="a" is --image-root a."""
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
