"""From images and features to SDD-FIQA labels, step by step."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs.image_list import check_images, identified_images
from fiqa_spark.inputs.parquet_features import Features, vector_length
from fiqa_spark.matching.join import Matching
from fiqa_spark.matching.sample import rows_to_draw_from
from fiqa_spark.methods.labelling import Labelling, images_beyond
from fiqa_spark.methods.mate_groups import half_of_identity
from fiqa_spark.methods.pool import Pool, draw_pool
from fiqa_spark.methods.references import Reference, check_model
from fiqa_spark.methods.results import LABELS
from fiqa_spark.methods.sdd_fiqa.distances import round_distances
from fiqa_spark.methods.sdd_fiqa.labels import (
    DistanceRanges,
    KnownRanges,
    distance_ranges,
    labels_within,
    numbers_of,
    ranges_of_labels,
    scale_labels,
    was_beyond,
)
from fiqa_spark.methods.sdd_fiqa.settings import LEARNED_WITH, LabelSettings
from fiqa_spark.methods.updates import Counted, Earlier, ToLabel, images_to_label
from fiqa_spark.runtime.progress import Steps

METHOD = "sdd-fiqa"
"""Name of the method."""


def label_images(
    paths: DataFrame,
    features: Features,
    settings: LabelSettings,
    steps: Steps,
    known: Reference | None = None,
    earlier: Earlier | None = None,
) -> Labelling:
    """Label the images of a list.

    Parameters
    ----------
    paths : DataFrame
        Column `path`, and perhaps `identity`, as from `read_paths`.
    known : Reference, optional
        By which the labels are measured; default: it is learned from these images.
    earlier : Earlier, optional
        Labels measured by it too, out of which those of unchanged identities are taken over; default: all are computed.

    Raises
    ------
    InputError
        If the list or the features cannot give labels.
    """
    with steps("reading the list"):
        images = identified_images(paths, settings, features.id_key_index)
        to_label = _to_label(images, settings, known, earlier)
    images, listed = to_label.images, to_label.listed
    matching = Matching(images, features, listed, settings.id_key_index, are_few=to_label.are_few)
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
        distances = round_distances(joined, pool, partitions, settings)
        computed, ranges = _computed(distances, settings, known, to_label)
        matching.tell_missing(computed, ranges.counts.statuses[schemas.MISSING_FEATURE], settings.image_root)
    matching.check_list_rows(ranges.counts.list_rows)
    if settings.load_feature:
        joined.unpersist()
    told = (*to_label.told(ranges.counts), *_told(ranges, settings))
    reference = known or _as_reference(ranges, pool, settings)
    facts = {**_facts(ranges), **to_label.facts(ranges.counts)}
    labels = to_label.with_taken(computed, schemas.LABELS, partitions)
    return Labelling(labels, LABELS, ranges.counts, partitions, reference, facts, told)


def _to_label(images: DataFrame, settings: LabelSettings, known: Reference | None, earlier: Earlier | None) -> ToLabel:
    """What has to be computed."""
    if known and earlier:
        mates_at_most = settings.max_intra if settings.estimator == "exact" else None
        cut = {schemas.BEYOND_RANGE: was_beyond(KnownRanges.of(known.numbers)) if earlier.were_cut else F.lit(False)}
        counted = Counted(schemas.STATUSES, mates_at_most, half_of_identity(settings), cut)
        return images_to_label(images, settings, earlier, counted)
    first = 1 if known else rows_to_draw_from(settings.pool_size)
    return ToLabel(images, check_images(images, settings, first, several_identities=not known))


def _computed(
    distances: DataFrame, settings: LabelSettings, known: Reference | None, to_label: ToLabel
) -> tuple[DataFrame, DistanceRanges]:
    """Labels of the images that are computed, and what those of all have in common."""
    if not known:
        distances = to_label.kept(distances)
        ranges = distance_ranges(distances, settings.rounds_computed)
        return scale_labels(distances, ranges, settings.normalize), ranges
    of_reference = KnownRanges.of(known.numbers)
    labels = to_label.kept(labels_within(distances, of_reference, settings.normalize))
    return labels, ranges_of_labels(labels, of_reference, to_label.taken)


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
