"""The arithmetic limit: the bare float32 matrix product that all rounds of all images come to, on all cores at once."""

import multiprocessing
import os
import time

import numpy as np

_ROWS, _COLUMNS, _REPEATS = 65_536, 12 * 26, 7


def floor_microseconds(cores, dimension):
    """Core-microseconds an image of (images, dimension) @ (dimension, 312), best of seven, one process a core.

    The number of BLAS threads is taken from the environment, which must say one.
    """
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        raise RuntimeError("set OPENBLAS_NUM_THREADS=1")
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(cores)
    with context.Pool(cores, initializer=_keep, initargs=(barrier,)) as pool:
        seconds = pool.map(_products, [dimension] * cores, chunksize=1)
    return 1e6 * min(max(at_once) for at_once in zip(*seconds, strict=True)) / _ROWS


def _keep(barrier):
    global _barrier  # noqa: PLW0603 - a barrier can only be handed over when a process starts.
    _barrier = barrier


def _products(dimension):
    """Seconds of each product; all processes begin each of them together."""
    random = np.random.default_rng(os.getpid())
    images = random.standard_normal((_ROWS, dimension), dtype=np.float32)
    others = random.standard_normal((dimension, _COLUMNS), dtype=np.float32)
    similarities = np.empty((_ROWS, _COLUMNS), np.float32)
    seconds = []
    for _ in range(_REPEATS):
        _barrier.wait()
        begin = time.perf_counter()
        np.matmul(images, others, out=similarities)
        seconds.append(time.perf_counter() - begin)
    return seconds
