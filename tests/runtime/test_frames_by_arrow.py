"""Frames that cross by way of Arrow."""

import warnings

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from fiqa_spark.runtime.frames_by_arrow import collected


def test_what_fails_is_raised_and_not_told_a_second_time(spark):
    table = spark.range(1).select(F.raise_error(F.lit("no such luck")).alias("x"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(PySparkException, match="no such luck"):
            collected(table)
    assert [str(one.message) for one in told if "toPandas" in str(one.message)] == []
