"""Labels at even places of all labels in ascending order, exactly, whatever the number of images."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.image_frames import sample_of
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.kernels.places import Placed, bounds_among, range_of, ranges_with, values_at
from fiqa_spark.runtime.frames_by_arrow import collected
from fiqa_spark.runtime.workers import in_worker

PARTS = 200
"""Labels are looked up at every 200th of the images."""
# Of 100,000,000 labels the ranges that hold a place have 2,500,000 in all.
_RANGES = 8192
_SET, _RANGE, _COUNT = "set_number", "range_number", "count"


class LabelPlaces(NamedTuple):
    """Labels of a set by the share of images below them."""

    labelled: int
    """Images that the set labels, n."""
    labels: np.ndarray
    """Element i is the label at place ``floor(i n / 200)``, from 0, in ascending order; float64, shape (200,)."""
    below: np.ndarray
    """Images with a label below each, int64, shape (200,)."""


def label_places(images: LabelledImages, names: Sequence[str], frame: pd.DataFrame | None) -> list[LabelPlaces]:
    """Places of every set.

    Parameters
    ----------
    names : sequence of str
        From `label_sets.quality_columns`.
    frame : DataFrame of pandas or None
        All images, from `image_frames.all_at_once`; None if they are too many.
    """
    if frame is not None:
        columns = _columns(frame[list(names)])
        return [_placed(each, np.ones(len(each), int), np.empty(0), np.array([len(each)])) for each in columns]
    table = images.table.select(*names)
    bounds = [bounds_among(values, _RANGES) for values in _columns(sample_of(images, names))]
    counts = _counts(table, bounds)
    found = _values(table, bounds, [ranges_with(_places(each.sum()), each) for each in counts])
    return [_placed(*found[number], *ranges) for number, ranges in enumerate(zip(bounds, counts, strict=True))]


def _columns(frame: pd.DataFrame) -> list[np.ndarray]:
    """Labels of each set, those that are there."""
    return [frame[name].dropna().to_numpy(np.float64) for name in frame]


def _places(labelled: int) -> np.ndarray:
    # In whole numbers, as 0.07 n may fall short of one.
    return np.arange(PARTS) * int(labelled) // PARTS


def _placed(values: np.ndarray, repeats: np.ndarray, bounds: np.ndarray, counts: np.ndarray) -> LabelPlaces:
    labelled = int(counts.sum())
    found: Placed = values_at(_places(labelled), values, repeats, bounds, counts)
    return LabelPlaces(labelled, found.values, found.below)


def _counts(table: DataFrame, bounds: list[np.ndarray]) -> list[np.ndarray]:
    """Labels of each set in each range."""

    @in_worker
    def count(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        totals = [np.zeros(len(each) + 1, np.int64) for each in bounds]
        for frame in frames:
            for number, values in enumerate(_columns(frame)):
                totals[number] += np.bincount(range_of(values, bounds[number]), minlength=len(totals[number]))
        for number, total in enumerate(totals):
            seen = np.flatnonzero(total)
            yield pd.DataFrame({_SET: number, _RANGE: seen, _COUNT: total[seen]})

    rows = table.mapInPandas(count, f"{_SET} int, {_RANGE} bigint, {_COUNT} bigint")
    frame = collected(rows.groupBy(_SET, _RANGE).agg(F.sum(_COUNT).alias(_COUNT)))
    counts = [np.zeros(len(each) + 1, np.int64) for each in bounds]
    for number, of_set in frame.groupby(_SET):
        counts[number][of_set[_RANGE]] = of_set[_COUNT]
    return counts


def _values(
    table: DataFrame, bounds: list[np.ndarray], wanted: list[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels of each set that are in the wanted ranges, and how often each occurs."""

    @in_worker
    def choose(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            for number, values in enumerate(_columns(frame)):
                chosen = values[wanted[number][range_of(values, bounds[number])]]
                yield pd.DataFrame({_SET: number, schemas.QUALITY: chosen})

    rows = table.mapInPandas(choose, f"{_SET} int, {schemas.QUALITY} double")
    frame = collected(rows.groupBy(_SET, schemas.QUALITY).agg(F.count("*").alias(_COUNT)))
    of_sets = [frame[frame[_SET] == number] for number in range(len(bounds))]
    return [(each[schemas.QUALITY].to_numpy(np.float64), each[_COUNT].to_numpy(np.int64)) for each in of_sets]
