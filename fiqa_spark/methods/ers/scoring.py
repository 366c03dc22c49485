"""From images and features to recognizability scores, step by step."""

from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import CheckedList, check_images, identified_images
from fiqa_spark.matching.join import Matching
from fiqa_spark.matching.packs import facts_of
from fiqa_spark.matching.sample import draw_usable, rows_to_draw_from
from fiqa_spark.methods.ers.clustering import check_memory
from fiqa_spark.methods.ers.scores import ScoreCounts, score_counts, scored_images
from fiqa_spark.methods.ers.settings import RecognizabilitySettings
from fiqa_spark.methods.ers.ui_centroid import UiCentroid, centroid_of_images, found_centroid, warn_if_common
from fiqa_spark.methods.image_examples import missing_paths
from fiqa_spark.runtime.driver_memory import free_bytes
from fiqa_spark.runtime.progress import Steps

# Where a centroid that was given comes from, and the setting that gave it.
_GIVEN_BY = {"list": "ui_list_file", "file": "ui_centroid", "argument": "ui_centroid"}


class Scoring(NamedTuple):
    """Scores and what was learned on the way to them."""

    packs: DataFrame
    """From `scored_images`, kept."""
    counts: ScoreCounts
    centroid: UiCentroid
    partitions: int
    """Number of partitions by identity that the scores lie in."""
    examples: dict[str, list[str]]
    """As `examples_of` gathers them."""


def score_images(
    paths: DataFrame,
    features: Features,
    settings: RecognizabilitySettings,
    steps: Steps,
    *,
    known: UiCentroid | None = None,
    unrecognizable: DataFrame | None = None,
    ui_list_file: str = "",
    templates: bool = False,
) -> Scoring:
    """Score the images of a list.

    Parameters
    ----------
    paths : DataFrame
        Column `path`, and perhaps `identity`, as from `read_paths`.
    known : UiCentroid, optional
        The centroid; default: that of the images of `unrecognizable`, or found where there are none either.
    unrecognizable : DataFrame, optional
        Column `path`: images known to be unrecognizable.
    ui_list_file : str
        Where these are listed.
    templates : bool
        Whether templates are computed too.

    Raises
    ------
    InputError
        If the list, the features or the centroid cannot give scores.
    """
    find = known is None and unrecognizable is None
    with steps("reading the list"):
        images = identified_images(paths, settings, features.id_key_index)
        count = rows_to_draw_from(settings.cluster_sample, settings.cluster_per_identity) if find else 1
        listed = check_images(images, settings, count, several_identities=find)
    matching = Matching(images, features, listed, settings.id_key_index)
    matching.put_together(steps)
    features = matching.features
    if unrecognizable is not None:
        with steps("averaging the unrecognizable images"):
            wanted = identified_images(unrecognizable, settings, features.id_key_index)
            known = centroid_of_images(wanted, features, ui_list_file)
    centroid = known or _found(images, features, listed, matching, settings, steps)
    dimension = len(centroid.vector)
    with steps("computing scores"), matching.under_way():
        packs = scored_images(matching.joined(dimension), centroid.vector, settings, templates=templates)
        packs = packs.persist(StorageLevel.MEMORY_AND_DISK)
        facts = facts_of(packs)
        counts = score_counts(facts, dimension, given=_GIVEN_BY.get(centroid.provenance["source"]))
        missing = counts.listed.statuses[schemas.MISSING_FEATURE]
        matching.tell_missing(missing_paths(facts.examples), missing, settings)
    matching.check_list_rows(counts.listed.list_rows)
    if unrecognizable is not None:
        # All images but the few opposite to the centroid, whose scores are clipped, are as similar as this tells.
        warn_if_common(centroid.provenance["cluster"]["cohesion"], 1 - counts.mean, f"check {ui_list_file}")
    return Scoring(packs, counts, centroid, matching.partitions(dimension), facts.examples)


def _found(
    images: DataFrame,
    features: Features,
    listed: CheckedList,
    matching: Matching,
    settings: RecognizabilitySettings,
    steps: Steps,
) -> UiCentroid:
    """The centroid of the cluster of the most identities in a sample of the images."""
    size, per_identity = settings.cluster_sample, settings.cluster_per_identity
    with steps("drawing the sample"), matching.under_way():
        sample = draw_usable(images, features, listed.first, listed.list_rows, size, per_identity)
    with steps("finding the UI centroid"):
        count, dimension = sample.embeddings.shape
        check_memory(count, dimension, settings.linkage, free_bytes(images.sparkSession))
        return found_centroid(sample, settings)
