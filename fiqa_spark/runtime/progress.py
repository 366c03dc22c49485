"""The steps of a run: named for Spark's progress display and log, and timed."""

import contextlib
import logging
import time
from collections.abc import Iterator

from pyspark.sql import SparkSession

_log = logging.getLogger("fiqa_spark")


class Steps:
    """Names and times the steps of a run.

    Parameters
    ----------
    spark : SparkSession
        Its jobs bear the name of the step that they belong to.
    """

    def __init__(self, spark: SparkSession) -> None:
        self._context = spark.sparkContext
        self.seconds: dict[str, float] = {}
        """Step to wall time in seconds, in order."""

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """A step: ``with steps("drawing the pool"): ...``."""
        self._context.setJobDescription(name)
        begin = time.monotonic()
        try:
            yield
        finally:
            # None takes the name away, which the types of PySpark do not tell.
            self._context.setJobDescription(None)  # type: ignore[arg-type]
            self.seconds[name] = round(time.monotonic() - begin, 3)
        _log.info("%s: %.1f s", name, self.seconds[name])
