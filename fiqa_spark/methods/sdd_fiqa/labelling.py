"""SDD-FIQA as a method of labelling."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import CheckedList, check_images
from fiqa_spark.matching.join import Joined
from fiqa_spark.matching.packs import facts_of
from fiqa_spark.matching.sample import rows_to_draw_from
from fiqa_spark.methods.labelling import Computed, images_beyond
from fiqa_spark.methods.mate_groups import columns_of_groups, half_of_identity, with_mate_groups
from fiqa_spark.methods.pool import draw_pool
from fiqa_spark.methods.references import Reference
from fiqa_spark.methods.results import LABELS
from fiqa_spark.methods.sdd_fiqa.distances import round_distances
from fiqa_spark.methods.sdd_fiqa.labels import scale_labels, was_beyond
from fiqa_spark.methods.sdd_fiqa.ranges import (
    DistanceRanges,
    KnownRanges,
    distance_ranges,
    numbers_of,
    ranges_of_reference,
)
from fiqa_spark.methods.sdd_fiqa.settings import LEARNED_WITH, LabelSettings
from fiqa_spark.methods.updates import Counted, ToLabel

METHOD = "sdd-fiqa"
"""Name of the method."""


class SddFiqaMethod:
    """Labels of SDD-FIQA, see `LabelMethod`."""

    kind = LABELS
    learning, computing = "drawing the pool", "computing distances"

    def __init__(self, settings: LabelSettings) -> None:
        self._settings = settings
        self.columns = columns_of_groups(settings)

    def prepared(self, images: DataFrame) -> DataFrame:
        """With groups of mates, where identities are cut in two."""
        return with_mate_groups(images, self._settings)

    def counted(self, known: Reference, were_cut: bool) -> Counted:
        """Status, mates beyond those that count, and distances beyond the range."""
        settings = self._settings
        mates_at_most = settings.max_intra if settings.estimator == "exact" else None
        cut = was_beyond(KnownRanges.of(known.numbers)) if were_cut else F.lit(False)
        return Counted(schemas.STATUSES, mates_at_most, half_of_identity(settings), {schemas.BEYOND_RANGE: cut})

    def check(self, images: DataFrame, about_rows: Callable[[], int | None]) -> CheckedList:
        """Look for the images of the pool too."""
        return check_images(images, self._settings, rows_to_draw_from(self._settings.pool_size))

    def learn(self, images: DataFrame, features: Features, listed: CheckedList) -> Reference:
        """The pool; the ranges are known when distances are."""
        pool = draw_pool(images, features, listed, self._settings.pool_size)
        fixed = {name: getattr(self._settings, name) for name in LEARNED_WITH}
        return Reference(METHOD, fixed, {}, pool, np.empty((0, 0)))

    def compute(self, joined: Joined, to_label: ToLabel, reference: Reference) -> Computed:
        """Compute distances, and scale them."""
        settings = self._settings
        known = KnownRanges.of(reference.numbers) if reference.numbers else None
        packs = to_label.kept(round_distances(joined, reference.pool, settings, known))
        facts = facts_of(packs)
        ranges = ranges_of_reference(facts, known, to_label.taken) if known else distance_ranges(facts)
        labels = scale_labels(packs, ranges, settings.normalize, cut=known is not None)
        if not reference.numbers:
            reference = reference._replace(numbers=numbers_of(ranges))
        told = tuple(_told(ranges, settings))
        return Computed(labels, ranges.counts, facts.examples, reference, _facts(ranges), told)


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
