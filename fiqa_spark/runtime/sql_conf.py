"""How Spark shall plan: vectors that lie by identity stay where they are, and small files are read many at a time."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

from pyspark.sql import SparkSession

_BYTES_KEY = "spark.sql.execution.arrow.maxBytesPerBatch"
_BY_IDENTITY = {
    # A join by identity key and key takes two sides that were shuffled by the identity key as they are.
    "spark.sql.requireAllClusterKeysForCoPartition": "false",
    # Buckets of one file are in the order in which they were written.
    "spark.sql.legacy.bucketedTableScan.outputOrdering": "true",
    "spark.sql.sources.bucketing.enabled": "true",
    # Spark filters no side of a join beforehand by a key that regular expressions make, as ours are; looking whether it
    # could takes two thirds of the driver's work where both sides are data frames of a notebook.
    "spark.sql.optimizer.runtime.bloomFilter.enabled": "false",
    # Nor shall it infer anything of such keys: it puts them into one another until planning takes minutes.
    "spark.sql.constraintPropagation.enabled": "false",
    # The number of partitions is known beforehand, so that there is nothing to plan anew while a query runs.
    "spark.sql.adaptive.enabled": "false",
    # The number of rows bounds a batch; measuring its bytes after every image is a tenth of the way to Python.
    _BYTES_KEY: str(2**31 - 1),
    # The images of a partition are gathered by identity in memory; by default they are sorted after 128 identities.
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "1000000",
    # Distances are random numbers: looking for ways to make them smaller while they are kept is wasted work.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}
# By default a task lists a folder, and as many tasks are started as there are folders.
_FEW_LISTINGS_KEY, _LISTINGS_A_CORE = "spark.sql.sources.parallelPartitionDiscovery.parallelism", 2
# By default 200, each of which takes some milliseconds; an application on YARN may not know all of its cores yet.
_TASKS_A_CORE, _TASKS_AT_LEAST = 2, 8
_ROWS_A_TASK = 250_000
_SHUFFLES_KEY = "spark.sql.shuffle.partitions"
# Rows of 32 KiB that cross to Python at once: 32 MiB.
_PACKS = {"spark.sql.execution.arrow.maxRecordsPerBatch": "1024"}
# Rows of an identity each cross to Python at once as far as they are 8 MiB; a Spark before 4 counts rows alone.
_IDENTITY_ROWS_BYTES, _ROWS_KEY = 8 << 20, "spark.sql.execution.arrow.maxRecordsPerBatch"
# Rows of the largest size that a Spark which counts rows may meet at once: 64 MiB; and rows of some tens of KiB that a
# reader takes from a file at once.
_LARGE_ROWS_BYTES, _READ_KEY, _ROWS_READ = 64 << 20, "spark.sql.parquet.columnarReaderBatchSize", "32"
_READ_AT_LEAST, _READ_BYTES = 256, 32 << 20
# A file counts as its bytes and this; by default it is so much that a task gets 32 files.
_SMALL_FILES = {"spark.sql.files.openCostInBytes": "65536"}


def planned_by_identity(spark: SparkSession) -> AbstractContextManager[None]:
    """While labels are computed inside; the session's own settings come back afterwards."""
    return _planned(spark, _BY_IDENTITY)


def planned_for_small_files(spark: SparkSession) -> AbstractContextManager[None]:
    """While files of a few kilobytes are read inside; the session's own settings come back afterwards."""
    return _planned(spark, _SMALL_FILES)


def planned_for_few_listings(spark: SparkSession) -> AbstractContextManager[None]:
    """While files in many folders are looked for inside; the session's own settings come back afterwards."""
    tasks = _LISTINGS_A_CORE * spark.sparkContext.defaultParallelism
    return _planned(spark, {_FEW_LISTINGS_KEY: str(tasks)})


def planned_for_small_rows(spark: SparkSession) -> AbstractContextManager[None]:
    """While rows of a few numbers are put together inside; the session's own settings come back afterwards."""
    tasks = max(_TASKS_AT_LEAST, _TASKS_A_CORE * spark.sparkContext.defaultParallelism)
    return _planned(spark, {_SHUFFLES_KEY: str(tasks)})


def planned_for_rows(spark: SparkSession, rows: int | None) -> AbstractContextManager[None]:
    """While so many rows of a few words and numbers are joined or counted inside; None if nobody knows how many."""
    if rows is None:
        return contextlib.nullcontext()
    tasks = max(_TASKS_AT_LEAST, _TASKS_A_CORE * spark.sparkContext.defaultParallelism, rows // _ROWS_A_TASK)
    return _planned(spark, {_SHUFFLES_KEY: str(tasks)})


def planned_for_packs(spark: SparkSession) -> AbstractContextManager[None]:
    """While rows of a hundred vectors each cross to Python inside; the session's own settings come back afterwards."""
    return _planned(spark, _PACKS)


def planned_for_identity_rows(spark: SparkSession, row_bytes: int | None) -> AbstractContextManager[None]:
    """While rows of an identity each, of so many bytes at most, cross to Python inside; None where rows are images."""
    if row_bytes is None:
        return contextlib.nullcontext()
    settings = {_BYTES_KEY: str(_IDENTITY_ROWS_BYTES), _READ_KEY: _ROWS_READ}
    if int(spark.version.split(".")[0]) < 4:
        settings = {_ROWS_KEY: str(max(1, min(256, _LARGE_ROWS_BYTES // max(1, row_bytes)))), _READ_KEY: _ROWS_READ}
    return _planned(spark, settings)


def planned_for_vectors_read(spark: SparkSession, dimension: int) -> AbstractContextManager[None]:
    """While workers read vectors at places that cross inside; the session's own settings come back afterwards."""
    rows = max(_READ_AT_LEAST, _READ_BYTES // (4 * max(1, dimension)))
    return _planned(spark, {_ROWS_KEY: str(rows), _BYTES_KEY: str(2**31 - 1), "spark.sql.adaptive.enabled": "false"})


@contextlib.contextmanager
def _planned(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    before = {key: spark.conf.get(key, None) for key in settings}
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, earlier in before.items():
            if earlier is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, earlier)
