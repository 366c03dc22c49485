"""Jobs run as a user runs them, by spark-submit, or in the tests' own session, which is much quicker."""

import contextlib
import io
import logging
import os
import pathlib
import subprocess
import sys
import sysconfig
import traceback
import types

from pyspark import SparkConf

from fiqa_spark.cli import error_line, parse_flags, resolved_settings, run_job
from fiqa_spark.errors import FiqaError

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROPERTIES = ROOT / "conf" / "local.conf"
# What ends before Java's second compiler pays off does without it, as a test's process and session do; Java would make
# do with a small code cache then. What compilers made need not be proven sound again.
_UNPROVEN = "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
QUICK_JAVA = f"-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m {_UNPROVEN}"
# Where other processes want the cores too, several threads that collect garbage wait for one another.
ONE_COLLECTOR = "-XX:+UseSerialGC"
# The archive of classes that make setup leaves.
CLASSES = f"-XX:SharedArchiveFile={sys.prefix}/java-classes.jsa -Xlog:cds=off -Xlog:cds+dynamic=off"


def environment(**changes):
    """The environment of a shell in which the tests' virtual environment is active."""
    scripts = sysconfig.get_path("scripts")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
    return kept | {"SPARK_SUBMIT_OPTS": QUICK_JAVA, "PATH": scripts + os.pathsep + os.environ["PATH"], **changes}


def command(job, *arguments, conf=()):
    """Command line of a job on two cores."""
    settings = [
        word
        for entry in ("spark.master=local[2]", "spark.sql.shuffle.partitions=4", *conf)
        for word in ("--conf", entry)
    ]
    return [
        "spark-submit",
        "--properties-file",
        str(PROPERTIES),
        *settings,
        str(ROOT / "jobs" / f"{job}.py"),
        *map(str, arguments),
    ]


def submit(job, *arguments, conf=(), **changes):
    """Run a job to its end.

    Returns
    -------
    CompletedProcess
        With `stdout` and `stderr` as text.
    """
    line = command(job, *arguments, conf=conf)
    return subprocess.run(line, env=environment(**changes), capture_output=True, text=True, timeout=300, check=False)


def run_in(spark, job, *arguments, conf=()):
    """Run a job to its end in a session that is there already, which is much quicker.

    Parameters
    ----------
    spark : SparkSession
        Its context and cores serve the job; settings and views of its SQL do not, and stay as they are.
    job : str
    *arguments
    conf : iterable of str
        Settings of the job as the Spark configuration would hold them, ``spark.fiqa.rounds=2``.

    Returns
    -------
    SimpleNamespace
        What `submit` returns of a process: `returncode`, `stdout` and `stderr`.
    """
    session, settings, code = spark.newSession(), None, 0
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _log_lines(job, err):
        try:
            configuration = SparkConf(False).setAll(entry.split("=", 1) for entry in conf)
            settings = resolved_settings(job, parse_flags(job, list(map(str, arguments))), configuration)
            print(run_job(session, job, settings))
        except FiqaError as error:
            code = 2
            print(error_line(job, error, settings), file=sys.stderr)
        except Exception:
            code = 1
            traceback.print_exc()
        finally:
            # A job leaves what it kept to the end of its process. Here the next would be served from it if its plan
            # looks the same, even over files that were written anew.
            session.catalog.clearCache()
    return types.SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


@contextlib.contextmanager
def _log_lines(job, stream):
    """While a job runs, its log goes to a stream, in the form that the command line gives it."""
    log = logging.getLogger("fiqa_spark")
    before = log.handlers, log.level, log.propagate
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(f"{job}: %(message)s"))
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.handlers, log.propagate = before[0], before[2]
        log.setLevel(before[1])


def message(result):
    """The one line in which a job says what is wrong; what Spark itself writes at its start is not the job's."""
    lines = [line for line in result.stderr.splitlines() if ": error: " in line]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]


def options(**values):
    """Flags of a job: image_root="a" is --image-root a."""
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
