"""What every function that runs in a Python worker of Spark has in common."""

import contextlib
import functools
import gc
import io
import signal
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np
from pyspark import Broadcast, SparkContext

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def broadcast(context: SparkContext, value: _Result) -> Broadcast[_Result]:
    """A value for all workers; where the disk has no room for it, the error tells so, and nothing else."""
    # PySpark writes the traceback of such an error to stderr itself, before it raises another.
    with contextlib.redirect_stderr(io.StringIO()):
        return context.broadcast(value)


ArrayAsBytes = tuple[bytes, str, tuple[int, ...]]
"""Content, type and shape of an array."""


def as_bytes(array: np.ndarray) -> ArrayAsBytes:
    """An array for a broadcast: pickled as it is, it would be a buffer, which PySpark cannot encrypt on its way."""
    return array.tobytes(), array.dtype.str, array.shape


def from_bytes(content: ArrayAsBytes) -> np.ndarray:
    """The array of `as_bytes`, which shares memory with the bytes."""
    values, kind, shape = content
    return np.frombuffer(values, kind).reshape(shape)


def in_worker(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """The same function, in a worker that is soon there again, and ends without a word once Spark has left it.

    Spark closes the connection to a worker that it needs no more: at the end of a run, or after a minute without work.
    A worker that answers all the same would write a traceback into the middle of what the job says, as Python does not
    let the system end a process for that, which is what happens to every other filter in a pipe.

    Parameters
    ----------
    function : callable
        What `mapInPandas` or `pandas_udf` is given.

    Returns
    -------
    callable
        With the signature and the annotations of `function`.
    """

    @functools.wraps(function)
    def begun(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        _keep_modules()
        return function(*arguments, **named)

    return begun


@functools.cache
def _keep_modules() -> None:
    """Tell Python, once a process, that what it has imported stays.

    After every task a worker looks for garbage among all objects that it has, which takes longer than many a task.
    """
    gc.freeze()
