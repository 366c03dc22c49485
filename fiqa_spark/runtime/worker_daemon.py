"""The process that Spark forks its Python workers from, with what each of them needs imported once for all of them.

Spark's own has imported next to nothing, so that every worker takes a second of a core to read pandas before it begins.
Runs as ``python -m fiqa_spark.runtime.worker_daemon``, see `session_conf.of_worker_daemon`.
"""

import contextlib
import gc

from pyspark.daemon import manager


def import_what_workers_need() -> None:
    """Import it, and tell Python that it stays: workers share memory that none of them writes to.

    These start no thread that a fork would lose, where BLAS has one, as in `WORKER_ENVIRONMENT`: that of the allocator
    jemalloc begins anew. pyarrow's modules for Parquet and file systems may start one for S3, and are left to workers.
    """
    # What is missing, the worker that needs it tells.
    with contextlib.suppress(ImportError):
        import numpy  # noqa: F401
        import pandas  # noqa: F401
        import pyarrow  # noqa: F401
        import pyspark.worker  # noqa: F401
    gc.freeze()


if __name__ == "__main__":
    import_what_workers_need()
    manager()
