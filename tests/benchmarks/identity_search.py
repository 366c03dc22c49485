"""The search among identities: core-seconds for 10^9 products, beside those of the bare matrix product in the same run.

python -m tests.benchmarks.identity_search [IDENTITIES ...]
"""

import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import SparkConf, SparkContext

from tests.jobs.running import environment
from tests.processes import descendants

SIZES = (50_000, 100_000, 200_000)
DIMENSION = 128
_TILE = 768
_THRESHOLD, _CANDIDATES = 0.6, 3
_PERSONS_AT_ONCE = 50_000
# Java compiles what it runs for seconds, whatever the size: the first runs do not count.
_FIRST_RUNS, _RUNS = 3, 5
# As much as a search of 60,000; the machine's speed changes from minute to minute, hardly from second to second.
_BARE_PRODUCTS_AT_MOST = 1.8e9
_TICKS = os.sysconf("SC_CLK_TCK")


def measured_search(identities, dimension=DIMENSION):
    """Core-seconds of the search among random centres, one in a hundred of which is a second name of another.

    Returns
    -------
    dict
        `seconds` and `core_seconds` of Java and workers in all, `core_seconds_1e9` for 10^9 products, `bare_1e9` of the
        matrix product alone, which is measured after every search, each the median of several runs; the median of the
        `ratios` of a search and the bare product after it; the number of `pairs` found.
    """
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        raise RuntimeError("set OPENBLAS_NUM_THREADS=1")
    products = identities * (identities - 1) / 2 / 1e9
    with tempfile.TemporaryDirectory() as folder:
        _write_centres(pathlib.Path(folder, "centres"), identities, dimension)
        runs = _searched(folder, identities, dimension)
    ratios = [run["core_seconds"] / products / run["bare_1e9"] for run in runs]
    median = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return {
        "identities": identities,
        "dimension": dimension,
        **median,
        "core_seconds_1e9": median["core_seconds"] / products,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def _bare_1e9(pool, cores, identities, dimension):
    """Core-seconds of 10^9 products in tiles, every core at work, of as many as a search has, up to a limit."""
    products = min(identities**2 / 2, _BARE_PRODUCTS_AT_MOST)
    tiles = max(1, round(products / cores / _TILE**2))
    seconds = pool.starmap(_bare_seconds, [(tiles, dimension)] * cores, chunksize=1)
    return 1e9 * sum(seconds) / (cores * tiles * _TILE**2)


def _bare_seconds(tiles, dimension):
    random = np.random.default_rng(os.getpid())
    a, b = (random.standard_normal((_TILE, dimension), dtype=np.float32) for _ in range(2))
    product = np.empty((_TILE, _TILE), np.float32)
    begin = time.process_time()
    for _ in range(tiles):
        np.matmul(a, b.T, out=product)
    return time.process_time() - begin


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
    """Every run: seconds and core-seconds of a search, the pairs found, and the bare product after it."""
    from fiqa_spark.cli import open_session
    from fiqa_spark.runtime.settings import Settings
    from fiqa_spark.runtime.sql_conf import planned_by_identity, planned_for_packs

    os.environ.update(environment(), PYSPARK_PYTHON=sys.executable)
    os.environ["PYSPARK_SUBMIT_ARGS"] = "--driver-memory 4g --conf spark.log.level=ERROR pyspark-shell"
    SparkContext._ensure_initialized()
    spark = open_session("search", SparkConf(), Settings(), folder)
    table = spark.read.parquet(f"{folder}/centres")
    cores, runs = len(os.sched_getaffinity(0)), []
    with (
        multiprocessing.get_context("spawn").Pool(cores) as pool,
        planned_by_identity(spark),
        planned_for_packs(spark),
    ):
        for _ in range(_FIRST_RUNS + _RUNS):
            run = _one_search(table, identities, dimension)
            runs.append(run | {"bare_1e9": _bare_1e9(pool, cores, identities, dimension)})
    spark.stop()
    return runs[_FIRST_RUNS:]


def _one_search(table, identities, dimension):
    from fiqa_spark.methods.identities.search import Vectors, most_alike

    before, begin = _core_seconds(), time.perf_counter()
    pairs = most_alike(Vectors(table, identities), None, dimension, _THRESHOLD, _CANDIDATES).count()
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "core_seconds": _core_seconds() - before, "pairs": pairs // 2}


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
