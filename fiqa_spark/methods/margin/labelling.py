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
from fiqa_spark.methods.margin.folds import with_folds
from fiqa_spark.methods.margin.labels import LabelCounts, beyond, label_counts
from fiqa_spark.methods.margin.learning import learn, learned_in
from fiqa_spark.methods.margin.margins import labelled_images
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.mate_groups import half_of_identity, with_mate_groups
from fiqa_spark.methods.references import Reference, check_model
from fiqa_spark.methods.results import MARGIN_LABELS
from fiqa_spark.methods.updates import Counted, Earlier, ToLabel, images_to_label
from fiqa_spark.runtime.progress import Steps


def label_by_margins(
    paths: DataFrame,
    features: Features,
    settings: MarginSettings,
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
    with steps("comparing with the reference" if known else "learning from a sample"), matching.telling_keys():
        if known:
            check_model(vectors, known)
        grouped = with_mate_groups(with_folds(images), settings)
        reference = known or learn(grouped, vectors, listed, settings)
    learned = learned_in(reference)
    if not settings.load_feature:
        joined, partitions = matching.joined(reference.pool.dimension)
    with steps("computing labels"), matching.telling_keys():
        computed = to_label.kept(labelled_images(joined, learned, partitions, settings))
        counts = label_counts(computed, learned.reference, to_label.taken)
        matching.tell_missing(computed, counts.listed.statuses[schemas.MISSING_FEATURE], settings.image_root)
    matching.check_list_rows(counts.listed.list_rows)
    if settings.load_feature:
        joined.unpersist()
    told = (*to_label.told(counts.listed), *_told(counts, reference, settings))
    facts = {**_facts(counts), **to_label.facts(counts.listed)}
    labels = to_label.with_taken(computed, schemas.MARGIN_LABELS, partitions)
    return Labelling(labels, MARGIN_LABELS, counts.listed, partitions, reference, facts, told)


def _to_label(images: DataFrame, settings: MarginSettings, known: Reference | None, earlier: Earlier | None) -> ToLabel:
    """What has to be computed."""
    if known and earlier:
        below_and_above = beyond(learned_in(known).reference)
        half = half_of_identity(settings)
        counted = Counted(schemas.MARGIN_STATUSES, settings.intra_pool_size, half, below_and_above)
        return images_to_label(images, settings, earlier, counted)
    first = 1 if known else rows_to_draw_from(settings.pool_size)
    return ToLabel(images, check_images(images, settings, first, several_identities=not known))


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
