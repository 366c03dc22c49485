"""From images and features to SDD-FIQA labels, step by step."""

from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs.image_list import check_images, identified_images
from fiqa_spark.inputs.parquet_features import Features, vector_length
from fiqa_spark.matching.join import Matching
from fiqa_spark.matching.sample import rows_to_draw_from
from fiqa_spark.methods.sdd_fiqa.distances import round_distances
from fiqa_spark.methods.sdd_fiqa.labels import DistanceRanges, distance_ranges, scale_labels
from fiqa_spark.methods.sdd_fiqa.pool import draw_pool
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from fiqa_spark.runtime.progress import Steps


class Labelling(NamedTuple):
    """Labels and what was learned on the way to them."""

    labels: DataFrame
    """The columns of `schemas.LABELS`, and `identity_key`."""
    ranges: DistanceRanges
    partitions: int
    """Number of partitions by identity that the labels lie in."""


def label_images(paths: DataFrame, features: Features, settings: LabelSettings, steps: Steps) -> Labelling:
    """Label the images of a list.

    Parameters
    ----------
    paths : DataFrame
        Column `path`, and perhaps `identity`, as from `read_paths`.

    Raises
    ------
    InputError
        If the list or the features cannot give labels.
    """
    with steps("reading the list"):
        images = identified_images(paths, settings, features.id_key_index)
        listed = check_images(images, settings, rows_to_draw_from(settings.pool_size))

    matching = Matching(images, features, listed, settings.id_key_index)
    vectors = features.table
    if settings.load_feature:
        joined, partitions = matching.joined(vector_length(features.table))
        joined = joined.persist(StorageLevel.MEMORY_AND_DISK)
        vectors = joined.where(schemas.MATCHED)
    with steps("drawing the pool"), matching.telling_keys():
        pool = draw_pool(images, vectors, listed, settings.pool_size)
    if not settings.load_feature:
        joined, partitions = matching.joined(pool.dimension)
    with steps("computing distances"), matching.telling_keys():
        distances = round_distances(joined, pool, partitions, settings).persist(StorageLevel.MEMORY_AND_DISK)
        ranges = distance_ranges(distances, settings.rounds_computed)
        matching.tell_missing(distances, ranges.counts.statuses[schemas.MISSING_FEATURE], settings.image_root)
    matching.check_list_rows(ranges.counts.list_rows)
    if settings.load_feature:
        joined.unpersist()
    return Labelling(scale_labels(distances, ranges, settings.normalize), ranges, partitions)
