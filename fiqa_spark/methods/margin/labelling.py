"""From images and features to margin labels, step by step."""

from collections.abc import Iterator
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs.image_list import check_images, identified_images
from fiqa_spark.inputs.parquet_features import Features, vector_length
from fiqa_spark.matching.join import Matching
from fiqa_spark.matching.sample import rows_to_draw_from
from fiqa_spark.methods.labelling import Labelling, images_beyond
from fiqa_spark.methods.margin.groups import with_groups
from fiqa_spark.methods.margin.labels import LabelCounts, label_counts
from fiqa_spark.methods.margin.learning import learn, learned_in
from fiqa_spark.methods.margin.margins import labelled_images
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.references import Reference, check_model
from fiqa_spark.methods.results import MARGIN_LABELS
from fiqa_spark.runtime.progress import Steps


def label_by_margins(
    paths: DataFrame, features: Features, settings: MarginSettings, steps: Steps, known: Reference | None = None
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
    with steps("comparing with the reference" if known else "learning from a sample"), matching.telling_keys():
        if known:
            check_model(vectors, known)
        reference = known or learn(with_groups(images, settings), vectors, listed, settings)
    learned = learned_in(reference)
    if not settings.load_feature:
        joined, partitions = matching.joined(reference.pool.dimension)
    with steps("computing labels"), matching.telling_keys():
        labels = labelled_images(joined, learned, partitions, settings)
        labels = labels.persist(StorageLevel.MEMORY_AND_DISK)
        counts = label_counts(labels, learned.reference)
        matching.tell_missing(labels, counts.listed.statuses[schemas.MISSING_FEATURE], settings.image_root)
    matching.check_list_rows(counts.listed.list_rows)
    if settings.load_feature:
        joined.unpersist()
    told = tuple(_told(counts, reference, settings))
    return Labelling(labels, MARGIN_LABELS, counts.listed, partitions, reference, _facts(counts), told)


def _facts(counts: LabelCounts) -> dict[str, Any]:
    """What the summary tells of labels."""
    return {
        "images_beyond_intra_pool": counts.intra_truncated,
        "labels_cut": {"at_0": counts.below, "at_100": counts.above},
    }


def _told(counts: LabelCounts, reference: Reference, settings: MarginSettings) -> Iterator[str]:
    """What a person wants to know of labels."""
    numbers = reference.numbers
    yield from images_beyond(counts.intra_truncated, settings.intra_pool_size)
    yield f"margins    {numbers['lo']:.4f} is label 0 and {numbers['hi']:.4f} is 100; sigma {numbers['sigma']:.4f}"
    yield f"{counts.below} labels are cut at 0 and {counts.above} at 100"
    yield (
        f"the prior explains {max(numbers['r2'], 0):.0%} of what mates tell; the standard deviation of a predicted "
        f"margin is {numbers['tau']:.4f}"
    )
    yield f"learned from {numbers['sample_images']} images of {numbers['sample_identities']} identities"
