"""What is told of Python workers that die or do not start, and of memory that is not there; provoked where possible."""

import os
import signal
import sys

import numpy as np
import pytest
from py4j.protocol import Py4JError
from pyspark import SparkConf
from pyspark.errors import PySparkException

from fiqa_spark.errors import DestinationError, InputError, MachineError, SettingsError
from fiqa_spark.runtime.spark_failures import as_user_error, told_to_users
from fiqa_spark.runtime.writable_folders import check_local_folders

pytestmark = pytest.mark.lowest_versions

ONE_WORKER_DIED = "a Python worker died, most likely ended by the system as memory was short; give the machine more"


def killed(frames):
    for _ in frames:
        os.kill(os.getpid(), signal.SIGKILL)
    yield from ()


def of_too_much_memory(frames):
    for frame in frames:
        np.empty(1 << 60, np.uint8)
        yield frame


def passed_on(frames):
    yield from frames


def told_of(spark, function, rows=10):
    with pytest.raises(MachineError) as caught, told_to_users():
        spark.range(rows).mapInPandas(function, "id long").collect()
    return str(caught.value)


@pytest.mark.parametrize("rows", [10, 3_000_000], ids=["few rows", "rows on their way"])
def test_a_killed_worker_is_told(spark, rows):
    assert told_of(spark, killed, rows).startswith(ONE_WORKER_DIED)


def test_a_worker_without_memory_is_told(spark):
    line = told_of(spark, of_too_much_memory)
    assert line.startswith("a Python worker is out of memory (Unable to allocate 1.00 EiB for an array")
    assert "lower `process_num`" in line


def executable(folder, text):
    script = folder / "python"
    script.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    script.chmod(0o755)
    return str(script)


STARTS = {
    "not there": (
        lambda folder: str(folder / "none"),
        "the workers' Python '{folder}/none' cannot be started; set PYSPARK_PYTHON",
    ),
    "cannot import": (
        lambda folder: executable(folder, "echo first >&2; echo ImportError: libcrypt >&2; exit 1"),
        "the workers' Python ends as it starts (ImportError: libcrypt); set PYSPARK_PYTHON",
    ),
    "says nothing": (lambda folder: executable(folder, "exit 3"), ONE_WORKER_DIED),
    "lacks packages": (
        lambda folder: executable(folder, f'exec {sys.executable} -S "$@"'),
        "the workers' Python lacks ",
    ),
}


@pytest.mark.parametrize(("python", "said"), STARTS.values(), ids=STARTS)
def test_a_worker_that_does_not_start_is_told(spark, monkeypatch, tmp_path, python, said):
    monkeypatch.setattr(spark.sparkContext, "pythonExec", python(tmp_path))
    assert told_of(spark, passed_on).startswith(said.format(folder=tmp_path))


@pytest.mark.parametrize(
    ("failure", "kind", "shown"),
    [
        pytest.param(
            "java.lang.OutOfMemoryError: Java heap space\n\tat java.base/java.util.Arrays.copyOf",
            MachineError,
            "Java is out of memory (Java heap space); raise spark.driver.memory, on a cluster spark.executor",
            id="heap",
        ),
        pytest.param(
            "org.apache.spark.memory.SparkOutOfMemoryError: [UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 64 bytes\n",
            MachineError,
            "Java is out of memory ([UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 64 bytes); raise spark.driver",
            id="memory of a task",
        ),
        pytest.param(
            "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource",
            MachineError,
            "the system starts no more threads or processes; raise the limit (ulimit -u), or lower `process_num`",
            id="threads",
        ),
        pytest.param(
            'java.io.IOException: Cannot run program "chmod": error=12, Cannot allocate memory\n',
            MachineError,
            "the system starts no more threads or processes; raise the limit (ulimit -u), or lower `process_num`",
            id="processes",
        ),
        pytest.param(
            "[INVALID_DRIVER_MEMORY.SYSTEM_MEMORY] Insufficient driver memory: System memory 259522560 must be at "
            "least 471859200. Please increase",
            MachineError,
            "Java has 259522560 bytes, and Spark needs 471859200; raise spark.driver.memory, on a cluster "
            "spark.executor.memory too",
            id="less memory than Spark starts with",
        ),
        pytest.param(
            "Lost task 1.3 in stage 2.0 (TID 9) (n7 executor 4): ExecutorLostFailure (executor 4 exited caused by one "
            "of the running tasks) Reason: Container killed by YARN for exceeding physical memory limits.\nDriver",
            MachineError,
            "an executor was lost (Container killed by YARN for exceeding physical memory limits.); see its log; if it "
            "had too little memory, raise spark.executor.memory and spark.executor.memoryOverhead",
            id="executor",
        ),
        pytest.param(
            "org.apache.spark.api.python.PythonException: [PYTHON_VERSION_MISMATCH] Python in worker has different "
            "version: 3.9 than that in driver: 3.12, PySpark cannot",
            MachineError,
            "the workers run Python 3.9, and the driver 3.12; set PYSPARK_PYTHON to the Python of the driver",
            id="another Python",
        ),
        pytest.param(
            "java.net.SocketException: Connection reset\n\tat java.base/java.net.SocketOutputStream.write(S.java:1)\n"
            "\tat java.base/java.io.DataOutputStream.write(D.java:1)\n"
            "\tat org.apache.spark.api.python.PythonRDD$.write(P.scala:1)\n",
            MachineError,
            ONE_WORKER_DIED,
            id="worker killed while rows were on their way",
        ),
        pytest.param(
            "java.io.EOFException\n\tat java.base/java.io.DataInputStream.readInt(D.java:1)\n"
            "\tat org.apache.spark.api.python.PythonWorkerFactory.createSocket$1(P.scala:1)\n",
            MachineError,
            ONE_WORKER_DIED,
            id="worker killed before it had begun",
        ),
        pytest.param(
            "java.io.IOException: Failed to create a temp directory (under /data/full) after 10 attempts!",
            MachineError,
            "/data/full: Spark can keep no files there; make room there, or choose another by spark.local.dir",
            id="temporary folder of Java",
        ),
        pytest.param(
            "[Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/x']",
            MachineError,
            "Python can keep no files in '/tmp', '/var/tmp', '/x'; make room there, or set TMPDIR to another folder",
            id="temporary folders of Python",
        ),
        pytest.param(
            "java.io.FileNotFoundException: /scratch/blockmgr-1/0c/temp_shuffle_2 (Read-only file system)\n\tat",
            DestinationError,
            "/scratch/blockmgr-1/0c/temp_shuffle_2: read-only file system; choose another place",
            id="read-only disk",
        ),
        pytest.param(
            "OSError: [Errno 122] Disk quota exceeded: '/home/a/x'",
            DestinationError,
            "Disk quota exceeded; make room at the destination and in spark.local.dir, and run again",
            id="quota of a local disk",
        ),
        pytest.param(
            "Answer from Java side is empty",
            MachineError,
            "Java, in which Spark runs, died, most likely ended by the system as memory was short; give the machine "
            "more memory, or lower spark.driver.memory and `process_num`",
            id="Java",
        ),
        pytest.param(
            "java.lang.IllegalArgumentException: Pathname /a:b from hdfs://n1/a:b is not a valid DFS filename.\n",
            InputError,
            "/a:b: is no name that HDFS takes; rename it",
            id="name that HDFS does not take",
        ),
    ],
)
def test_a_text_is_put_into_a_sentence_with_the_way_out(failure, kind, shown):
    error = as_user_error(Exception(failure))
    assert type(error) is kind
    assert str(error).startswith(shown)


def test_a_broken_pipe_of_others_is_no_dead_worker():
    failure = "java.io.IOException: Broken pipe\n\tat java.base/sun.nio.ch\n\tat org.apache.hadoop.net.Socket\n"
    assert as_user_error(Exception(failure)) is None


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PySparkException("No space left on device")])
def test_what_can_be_mended_is_raised_with_its_cause(error):
    with pytest.raises(DestinationError, match="No space left on device; make room") as caught, told_to_users():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), Py4JError("Trace"), ValueError("No space left")])
def test_another_fault_passes_as_it_is(error):
    with pytest.raises(type(error)) as caught, told_to_users():
        raise error
    assert caught.value is error


def check_folders(spark, folders):
    check_local_folders(spark._jvm, SparkConf(False).set("spark.local.dir", ",".join(map(str, folders))))


def test_a_folder_that_spark_can_write_to_is_made_and_left_empty(spark, tmp_path):
    check_folders(spark, [tmp_path / "new" / "er"])
    assert list((tmp_path / "new" / "er").iterdir()) == []


@pytest.mark.parametrize("place", ["file/below", "file"])
def test_a_folder_that_spark_cannot_write_to_is_told(spark, tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError) as caught:
        check_folders(spark, [tmp_path / place])
    line = str(caught.value)
    assert line.startswith(f"spark.local.dir '{tmp_path / place}': nothing can be written there (")
    assert line.endswith("; make room, or choose another folder")


def test_of_several_folders_one_is_enough(spark, tmp_path):
    (tmp_path / "file").touch()
    check_folders(spark, [tmp_path / "file", tmp_path / "good"])
