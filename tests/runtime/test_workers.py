"""How a Python worker ends that Spark has left."""

import gc
import pathlib
import signal
import socket
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest

from fiqa_spark.runtime.workers import in_worker

pytestmark = pytest.mark.lowest_versions

_ANSWERS_TO_NOBODY = """
import sys
from fiqa_spark.runtime.workers import in_worker

print(in_worker(len)("begun"), file=sys.stderr, flush=True)
sys.stdin.read()
with open(1, "wb", closefd=False) as answer:
    answer.write(b"end")
print("never said", file=sys.stderr)
"""


def test_an_answer_to_a_closed_connection_ends_the_process_silently():
    here, there = socket.socketpair()
    worker = subprocess.Popen(
        [sys.executable, "-c", _ANSWERS_TO_NOBODY],
        stdin=subprocess.PIPE,
        stdout=there,
        stderr=subprocess.PIPE,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
    )
    there.close()
    here.close()
    _, said = worker.communicate(timeout=60)
    assert said == "5\n"
    assert worker.returncode == -signal.SIGPIPE


def test_a_worker_of_spark_is_ended_by_a_closed_connection(spark):
    @in_worker
    def ignored_signals(frames):
        for _ in frames:
            lines = pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
            status = dict(line.split(":", 1) for line in lines)
            yield pd.DataFrame({"ignored": [int(status["SigIgn"], 16)]})

    ignored = spark.range(1).mapInPandas(ignored_signals, "ignored long").first().ignored
    assert not ignored & 1 << signal.SIGPIPE - 1


def test_a_worker_of_spark_does_not_look_for_garbage_among_its_modules_after_every_task(spark):
    @in_worker
    def objects(frames):
        for _ in frames:
            yield pd.DataFrame(
                {"kept": [gc.get_freeze_count()], "arrays": [any(each is pa.Table for each in gc.get_objects())]}
            )

    # What pandas, pyarrow and Spark consist of; a type of theirs is among what is kept.
    for _ in range(2):
        found = spark.range(1).mapInPandas(objects, "kept long, arrays boolean").first()
        assert found.kept > 20_000
        assert not found.arrays


def test_annotations_stay_for_spark_to_read():
    @in_worker
    def doubled(values: pd.Series) -> pd.Series:
        return 2 * values

    assert doubled.__annotations__ == {"values": pd.Series, "return": pd.Series}
