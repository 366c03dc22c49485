"""Percentiles of a column, gathered while its rows are written rather than in a pass of their own."""

import json
from collections.abc import Iterable

import numpy as np
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from fiqa_spark.kernels.order_statistics import percentiles

PERCENTS = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
"""Those that are told; 0 stands for the smallest and 100 for the largest value."""


def observed(table: DataFrame, name: str) -> tuple[DataFrame, Observation]:
    """The same rows, of which Spark gathers the percentiles of a column of doubles; see `observed_percentiles`."""
    shares, value, observation = [percent / 100 for percent in PERCENTS[1:-1]], F.col(name), Observation()
    # As text, since Spark 3.5 hands an observed array over as an object of Java.
    inner = F.to_json(F.percentile_approx(value, shares, 10_000)).alias("inner")
    return table.observe(observation, F.min(value).alias("least"), inner, F.max(value).alias("most")), observation


def observed_percentiles(observation: Observation) -> dict[str, float]:
    """Percentiles by their percents, each within a ten-thousandth of its rank, once all rows have been computed."""
    found = observation.get
    return _by_percent([found["least"], *json.loads(found["inner"]), found["most"]])


def gathered_percentiles(parts: Iterable[tuple[bytes, bytes]]) -> dict[str, float]:
    """The same out of what `order_statistics` tells of several parts, as bytes."""
    points, counts = zip(*parts, strict=True)
    return _by_percent(
        percentiles(np.frombuffer(b"".join(points)), np.frombuffer(b"".join(counts), np.int64), PERCENTS)
    )


def _by_percent(values: list[float]) -> dict[str, float]:
    return dict(zip(map(str, PERCENTS), values, strict=True))
