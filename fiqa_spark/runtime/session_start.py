"""How a session starts: once more where Spark's own parts have got in each other's way."""

import logging
from collections.abc import Callable

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

_log = logging.getLogger("fiqa_spark")
_AT_MOST = 3
# In client mode on YARN, Spark opens its pages while the application's first message gives the same pages a filter.
_MET = "java.util.ConcurrentModificationException"


def started(start: Callable[[], SparkSession]) -> SparkSession:
    """The session that is started, after another try or two if pages and filter of Spark have met.

    Parameters
    ----------
    start : callable
        Starts it, such as ``SparkSession.builder.getOrCreate``; leaves nothing behind where it fails.

    Raises
    ------
    py4j.protocol.Py4JJavaError
        If it fails for another reason, or again and again.
    """
    for _ in range(_AT_MOST - 1):
        try:
            return start()
        except Py4JJavaError as error:
            if error.java_exception.getClass().getName() != _MET:
                raise
        _log.warning("Spark opened its pages and changed them at one time, and stopped; it is started again")
    return start()
