"""Margin labels as a method of labelling."""

from collections.abc import Callable, Iterator
from typing import Any

from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import CheckedList
from fiqa_spark.matching.identity_sample import FirstIdentities, check_with_identities
from fiqa_spark.matching.join import Joined
from fiqa_spark.matching.packs import facts_of
from fiqa_spark.methods.labelling import Computed, images_beyond
from fiqa_spark.methods.margin.folds import with_folds
from fiqa_spark.methods.margin.labels import LabelCounts, beyond, label_counts, labels_in
from fiqa_spark.methods.margin.learning import learn, learned_in, wanted_sample
from fiqa_spark.methods.margin.margins import labelled_images
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.mate_groups import columns_of_groups, half_of_identity, with_mate_groups
from fiqa_spark.methods.references import Reference
from fiqa_spark.methods.results import MARGIN_LABELS
from fiqa_spark.methods.updates import Counted, ToLabel


class MarginMethod:
    """Margin labels, see `LabelMethod`."""

    kind = MARGIN_LABELS
    learning, computing = "learning from a sample", "computing labels"

    def __init__(self, settings: MarginSettings) -> None:
        self._settings = settings
        self._identities: FirstIdentities | None = None
        self.columns = (schemas.FOLD, *columns_of_groups(settings))

    def prepared(self, images: DataFrame) -> DataFrame:
        """With the fold of their identity, and with groups of mates where identities are cut in two."""
        return with_mate_groups(with_folds(images), self._settings)

    def counted(self, known: Reference, were_cut: bool) -> Counted:
        """Status, mates beyond those that count, and margins beyond the scale."""
        half, most = half_of_identity(self._settings), self._settings.intra_pool_size
        return Counted(schemas.MARGIN_STATUSES, most, half, beyond(learned_in(known).reference))

    def check(self, images: DataFrame, about_rows: Callable[[], int | None]) -> CheckedList:
        """Look for the identities of the sample too, so that the list is read once for both."""
        settings = self._settings
        listed, self._identities = check_with_identities(
            images, settings, settings.pool_size, wanted_sample(settings), about_rows()
        )
        return listed

    def learn(self, images: DataFrame, features: Features, listed: CheckedList) -> Reference:
        """All that is learned."""
        return learn(images, features, listed, self._settings, self._identities)

    def compute(self, joined: Joined, to_label: ToLabel, reference: Reference) -> Computed:
        """Measure images by the reference."""
        learned = learned_in(reference)
        packs = to_label.kept(labelled_images(joined, learned, self._settings))
        facts = facts_of(packs)
        counts = label_counts(facts, to_label.taken)
        told = tuple(_told(counts, reference, self._settings))
        return Computed(labels_in(packs), counts.listed, facts.examples, reference, _facts(counts), told)


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
