"""What every session is given unless the user sets it: `conf/` says the same, for those who start Spark themselves."""

import os
import re

from pyspark import SparkConf

WORKER_ENVIRONMENT = {
    # One thread a worker: Spark runs a worker on every core already.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Memory that a batch gave back serves the next one; asking the system for it anew takes a fifth of a worker's time.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
}
EVERYWHERE = {
    "spark.log.level": "WARN",
    # Spark 4 notes the line of Python behind every column in some ten calls of Java; no message of ours shows it.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # No table of ours is partitioned by what it is joined on, and looking for such a join in a key, which is a deep
    # expression, takes a sixth of all planning.
    "spark.sql.optimizer.dynamicPartitionPruning.enabled": "false",
    # A key is a deep expression, which Spark would put into all that it infers of joins by it: minutes of planning.
    "spark.sql.constraintPropagation.enabled": "false",
    # Lets Spark join the small partitions of results that it keeps, which it does for others anyway.
    "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning": "true",
    # Rows that cross to Python at once: 4,096 vectors of 512 values are 8 MiB.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
    # Rows of a hundred vectors each, of which a few are enough.
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 << 20),
    "spark.sql.execution.pandas.udf.buffer.size": str(1 << 18),
    # Vectors read at once: 512 of 512 values are 1 MiB, which stays in a processor's cache until they are handed on.
    "spark.sql.parquet.columnarReaderBatchSize": "512",
    # Small pages for rows to sort end in the collector's young generation; large ones fill the old one.
    "spark.buffer.pageSize": "2m",
    # The digits of vectors are random: compressing them is wasted work. One file a task is written in one go.
    "spark.shuffle.compress": "false",
    "spark.shuffle.spill.compress": "false",
    "spark.shuffle.sort.bypassMergeThreshold": "1",
    **{f"spark.executorEnv.{name}": value for name, value in WORKER_ENVIRONMENT.items()},
}
LOCALLY = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    # What fails in a task reaches the driver, which tells it once; Spark's log would tell it three times, in full.
    "spark.log.level": "FATAL",
    # A task that is out of memory fails like any other, and is told; by default it ends the process without a word.
    "spark.executor.killOnFatalError.depth": "0",
    # In a container of YARN the path of such a socket would be longer than the system allows.
    "spark.python.unix.domain.socket.enabled": "true",
    # Checksums of shuffled data tell which disk or link of a cluster is at fault.
    "spark.shuffle.checksum.enabled": "false",
}
ALWAYS = {
    # Tables of feature stores are made in the session's own catalog and nowhere else.
    "spark.sql.catalogImplementation": "in-memory",
    # Where files have columns `feature` and `Feature`, the first is meant.
    "spark.sql.caseSensitive": "true",
}
_DAEMON_KEY, _DAEMON = "spark.python.daemon.module", "fiqa_spark.runtime.worker_daemon"
_PATH_KEY, _FILES_KEY = "spark.executorEnv.PYTHONPATH", "spark.yarn.dist.pyFiles"


def of_worker_daemon(package: str, configuration: SparkConf) -> dict[str, str]:
    """What a session in local mode is given so that its workers are forked from `worker_daemon`.

    Parameters
    ----------
    package : str
        Zip file with this very package, installed or not.
    configuration : SparkConf
        What the user set; where workers look for modules is kept.

    Returns
    -------
    dict of str to str
        None if the user chose another daemon, or the path of the package cannot stand in a list of paths.
    """
    if configuration.contains(_DAEMON_KEY) or os.pathsep in package:
        return {}
    paths = filter(None, (package, configuration.get(_PATH_KEY, "")))
    return {_DAEMON_KEY: _DAEMON, _PATH_KEY: os.pathsep.join(paths)}


def of_worker_daemon_on_yarn(archive: str, configuration: SparkConf) -> dict[str, str]:
    """The same of a session on YARN, whose executors look for modules where the files of ``--py-files`` lie.

    Parameters
    ----------
    archive : str
        Zip file that this package was imported from; empty if that is a folder.
    configuration : SparkConf
        What the user set, and in cluster mode YARN.

    Returns
    -------
    dict of str to str
        None unless executors have that file from the beginning, or if the user chose another daemon.
    """
    sent = re.split(r"[:,]|<CPS>", f"{configuration.get(_PATH_KEY, '')},{configuration.get(_FILES_KEY, '')}")
    is_sent = archive != "" and os.path.basename(archive) in map(os.path.basename, sent)
    return {_DAEMON_KEY: _DAEMON} if is_sent and not configuration.contains(_DAEMON_KEY) else {}
