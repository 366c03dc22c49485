"""The search among identities: core-seconds for 10^9 products, beside those of the bare matrix product in the same run.

python -m tests.benchmarks.identity_search [IDENTITIES ...]
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import SparkConf, SparkContext

from tests.benchmarks.at_once import best_seconds
from tests.jobs.running import environment
from tests.processes import descendants

SIZES = (50_000, 100_000, 200_000)
DIMENSION = 128
_TILE, _TILES = 768, 70
_THRESHOLD, _CANDIDATES = 0.6, 3
_PERSONS_AT_ONCE = 50_000
_RUNS = 3
_TICKS = os.sysconf("SC_CLK_TCK")


def measured_search(identities, dimension=DIMENSION):
    """Seconds of the search among random centres, one in a hundred of which is a second name of another.

    Returns
    -------
    dict
        `seconds`, `core_seconds` of Java and workers in all, `core_seconds_1e9` for 10^9 products, `bare_1e9` of the
        matrix product alone, their `ratio`, and the number of `pairs` found.
    """
    cores = len(os.sched_getaffinity(0))
    bare = 1e9 * cores * best_seconds(cores, _bare_product, dimension) / (cores * _TILES * _TILE**2)
    with tempfile.TemporaryDirectory() as folder:
        _write_centres(pathlib.Path(folder, "centres"), identities, dimension)
        seconds, core_seconds, pairs = _searched(folder, identities, dimension)
    cost = core_seconds / (identities * (identities - 1) / 2 / 1e9)
    return {
        "identities": identities,
        "dimension": dimension,
        "seconds": seconds,
        "core_seconds": core_seconds,
        "core_seconds_1e9": cost,
        "bare_1e9": bare,
        "ratio": cost / bare,
        "pairs": pairs,
    }


def _bare_product(dimension):
    random = np.random.default_rng(os.getpid())
    a, b = (random.standard_normal((_TILE, dimension), dtype=np.float32) for _ in range(2))
    product = np.empty((_TILE, _TILE), np.float32)

    def work():
        for _ in range(_TILES):
            np.matmul(a, b.T, out=product)

    return work


def _write_centres(folder, identities, dimension):
    folder.mkdir()
    random = np.random.default_rng(0)
    for number, first in enumerate(range(0, identities, _PERSONS_AT_ONCE)):
        count = min(_PERSONS_AT_ONCE, identities - first)
        vectors = random.standard_normal((count, dimension), dtype=np.float32)
        others = random.choice(count, (2, count // 100), replace=False)
        vectors[others[0]] = vectors[others[1]] + 0.5 * vectors[others[0]]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        columns = {
            "identity_hash": random.integers(-(2**63), 2**63, count),
            "image_hash": np.zeros(count, np.int64),
            "embedding": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(4 * dimension), count, [None, pa.py_buffer(vectors.tobytes())]
            ).cast(pa.binary()),
        }
        pq.write_table(pa.table(columns), folder / f"{number}.parquet")


def _searched(folder, identities, dimension):
    """Wall and core-seconds of a search, the best of several, and the pairs found."""
    from fiqa_spark.cli import open_session
    from fiqa_spark.runtime.settings import Settings
    from fiqa_spark.runtime.sql_conf import planned_by_identity, planned_for_packs

    os.environ.update(environment(), PYSPARK_PYTHON=sys.executable)
    os.environ["PYSPARK_SUBMIT_ARGS"] = "--driver-memory 4g --conf spark.log.level=ERROR pyspark-shell"
    SparkContext._ensure_initialized()
    spark = open_session("search", SparkConf(), Settings(), folder)
    table = spark.read.parquet(f"{folder}/centres")
    with planned_by_identity(spark), planned_for_packs(spark):
        # Java compiles what it runs for seconds, whatever the size; the bare product is the best of several too.
        runs = [_one_search(table, identities, dimension) for _ in range(_RUNS)]
    spark.stop()
    return min(runs, key=lambda run: run[1])


def _one_search(table, identities, dimension):
    """Wall and core-seconds, and the pairs found."""
    from fiqa_spark.methods.identities.search import Vectors, most_alike

    before, begin = _core_seconds(), time.perf_counter()
    pairs = most_alike(Vectors(table, identities), None, dimension, _THRESHOLD, _CANDIDATES).count()
    return time.perf_counter() - begin, _core_seconds() - before, pairs // 2


def _core_seconds():
    """What this process and all that it started have taken of the processor."""
    total = 0
    for pid in descendants(os.getpid()):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        total += sum(map(int, fields[11:15]))
    return total / _TICKS


def measured_alone(identities):
    """The same in a process of its own, whose Java goes with it."""
    line = [sys.executable, "-m", __name__, str(identities)]
    return json.loads(subprocess.check_output(line, text=True, stderr=subprocess.DEVNULL).splitlines()[-1])


def main():
    for identities in map(int, sys.argv[1:] or SIZES):
        print(json.dumps(measured_search(identities)), flush=True)


if __name__ == "__main__":
    main()
