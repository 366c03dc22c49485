"""How Spark shall plan while labels are computed: vectors that lie by cluster stay where they are."""

import contextlib

_SETTINGS = {
    # A join by cluster and key takes two sides that were brought to their cluster as they are.
    "spark.sql.requireAllClusterKeysForCoPartition": "false",
    # Buckets of one file are in the order in which they were written.
    "spark.sql.legacy.bucketedTableScan.outputOrdering": "true",
    "spark.sql.sources.bucketing.enabled": "true",
    # The number of partitions is known beforehand, so that there is nothing to plan anew while a query runs.
    "spark.sql.adaptive.enabled": "false",
    # Distances are random numbers: looking for ways to make them smaller while they are kept is wasted work.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}


@contextlib.contextmanager
def planned_by_cluster(spark):
    """What is executed or kept inside is planned so; the session's own settings come back afterwards."""
    before = {key: spark.conf.get(key) for key in _SETTINGS}
    try:
        for key, value in _SETTINGS.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)
