"""From images and features to SDD-FIQA labels, step by step."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs.image_list import check_images, identified_images
from fiqa_spark.inputs.parquet_features import Features, vector_length
from fiqa_spark.matching.join import Matching
from fiqa_spark.matching.sample import rows_to_draw_from
from fiqa_spark.methods.labelling import Labelling, images_beyond
from fiqa_spark.methods.pool import Pool, draw_pool
from fiqa_spark.methods.references import Reference, check_model
from fiqa_spark.methods.results import LABELS
from fiqa_spark.methods.sdd_fiqa.distances import round_distances
from fiqa_spark.methods.sdd_fiqa.labels import DistanceRanges, distance_ranges, numbers_of, scale_labels
from fiqa_spark.methods.sdd_fiqa.settings import LEARNED_WITH, LabelSettings
from fiqa_spark.runtime.progress import Steps

METHOD = "sdd-fiqa"
"""Name of the method."""


def label_images(
    paths: DataFrame, features: Features, settings: LabelSettings, steps: Steps, known: Reference | None = None
) -> Labelling:
    """Label the images of a list.

    Parameters
    ----------
    paths : DataFrame
        Column `path`, and perhaps `identity`, as from `read_paths`.
    known : Reference, optional
        By which the labels are measured; default: it is learned from these images.

    Raises
    ------
    InputError
        If the list or the features cannot give labels.
    """
    with steps("reading the list"):
        images = identified_images(paths, settings, features.id_key_index)
        first = 1 if known else rows_to_draw_from(settings.pool_size)
        listed = check_images(images, settings, first, several_identities=not known)

    matching = Matching(images, features, listed, settings.id_key_index)
    vectors = features.table
    if settings.load_feature:
        joined, partitions = matching.joined(vector_length(features.table))
        joined = joined.persist(StorageLevel.MEMORY_AND_DISK)
        vectors = joined.where(schemas.MATCHED)
    with steps("comparing with the reference" if known else "drawing the pool"), matching.telling_keys():
        if known:
            check_model(vectors, known)
        pool = known.pool if known else draw_pool(images, vectors, listed, settings.pool_size)
    if not settings.load_feature:
        joined, partitions = matching.joined(pool.dimension)
    with steps("computing distances"), matching.telling_keys():
        distances = round_distances(joined, pool, partitions, settings).persist(StorageLevel.MEMORY_AND_DISK)
        ranges = distance_ranges(distances, settings.rounds_computed, known.numbers if known else None)
        matching.tell_missing(distances, ranges.counts.statuses[schemas.MISSING_FEATURE], settings.image_root)
    matching.check_list_rows(ranges.counts.list_rows)
    if settings.load_feature:
        joined.unpersist()
    labels = scale_labels(distances, ranges, settings.normalize, cut=bool(known))
    told = tuple(_told(ranges, settings))
    reference = known or _as_reference(ranges, pool, settings)
    return Labelling(labels, LABELS, ranges.counts, partitions, reference, _facts(ranges), told)


def _as_reference(ranges: DistanceRanges, pool: Pool, settings: LabelSettings) -> Reference:
    """What was learned."""
    fixed = {name: getattr(settings, name) for name in LEARNED_WITH}
    return Reference(METHOD, fixed, numbers_of(ranges), pool, np.empty((0, 0)))


def _facts(ranges: DistanceRanges) -> dict[str, Any]:
    """What the summary tells of labels."""
    return {
        "images_beyond_intra_pool": ranges.intra_truncated,
        "round_min": ranges.round_min,
        "round_max": ranges.round_max,
        "labels_cut": ranges.cut,
    }


def _told(ranges: DistanceRanges, settings: LabelSettings) -> Iterator[str]:
    """What a person wants to know of labels."""
    yield from images_beyond(ranges.intra_truncated, settings.intra_pool_size)
    if ranges.cut:
        yield f"{ranges.cut} images have a distance beyond the range of the reference, at which it is cut"
    yield f"distances  {min(ranges.round_min):.4f} to {max(ranges.round_max):.4f}"
