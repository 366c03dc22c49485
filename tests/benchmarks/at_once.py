"""Seconds of single-threaded work that runs in one process a core, all cores at once."""

import multiprocessing
import os
import time

_REPEATS = 7


def best_seconds(cores, prepare, dimension):
    """Best of seven, each begun by all processes together and as slow as the slowest of them.

    Parameters
    ----------
    cores : int
    prepare : callable
        ``prepare(dimension)`` makes the data, in each process its own, and returns the work; of a module, so that
        processes can import it.
    dimension : int
        Length of the embeddings.

    Returns
    -------
    float
    """
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        raise RuntimeError("set OPENBLAS_NUM_THREADS=1")
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(cores)
    with context.Pool(cores, initializer=_keep, initargs=(barrier,)) as pool:
        seconds = pool.starmap(_timed, [(prepare, dimension)] * cores, chunksize=1)
    return min(max(together) for together in zip(*seconds, strict=True))


def _keep(barrier):
    global _barrier  # noqa: PLW0603 - a barrier can only be handed over when a process starts.
    _barrier = barrier


def _timed(prepare, dimension):
    work, seconds = prepare(dimension), []
    for _ in range(_REPEATS):
        _barrier.wait()
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return seconds
