"""pandas frames that cross between Spark and the driver by way of Arrow, whatever the session does by itself."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession


def collected(table: DataFrame) -> pd.DataFrame:
    """Rows as a pandas frame."""
    with _by_arrow(table.sparkSession), warnings.catch_warnings():
        # What makes it fail is raised, and told once; PySpark warns of it too, in full.
        warnings.filterwarnings("ignore", "toPandas attempted Arrow optimization", UserWarning)
        return table.toPandas()


def distributed(spark: SparkSession, frame: pd.DataFrame, schema: str) -> DataFrame:
    """A pandas frame as rows, for which no Python worker is needed."""
    with _by_arrow(spark):
        return spark.createDataFrame(frame, schema)


@contextlib.contextmanager
def _by_arrow(spark: SparkSession) -> Iterator[None]:
    key = "spark.sql.execution.arrow.pyspark.enabled"
    before: Any = spark.conf.get(key)
    spark.conf.set(key, "true")
    try:
        yield
    finally:
        spark.conf.set(key, before)
