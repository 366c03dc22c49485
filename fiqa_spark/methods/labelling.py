"""From images and features to labels, step by step, whatever the method."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import CheckedList, check_images, identified_images, with_identities
from fiqa_spark.matching.join import Joined, Matching
from fiqa_spark.matching.packs import PackedRows
from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.methods.image_examples import missing_paths, unfit_identity
from fiqa_spark.methods.references import Reference, check_model
from fiqa_spark.methods.results import Kind, takes_only_ascii, unfit_identity_of
from fiqa_spark.methods.settings import MethodSettings
from fiqa_spark.methods.updates import Counted, Earlier, ToLabel, all_to_label, images_to_label
from fiqa_spark.runtime.progress import Steps


class Given(NamedTuple):
    """What a run starts from beside images and features."""

    reference: Reference | None = None
    """By which labels are measured; None if it is learned from these images."""
    earlier: Earlier | None = None
    """Labels measured by it too, of which those of unchanged identities are taken over; None if all are computed."""
    about_rows: Callable[[], int | None] = lambda: None
    """Rows that the list seems to have, as from `rows_about`; None if nobody knows."""


class Computed(NamedTuple):
    """What a method computed."""

    labels: PackedRows
    """Of the images to label: the columns of the method's schema, and `identity_key`."""
    counts: ImageCounts
    """Over these and what is taken over."""
    examples: dict[str, list[str]]
    """Of these, as `examples_of` gathers them."""
    reference: Reference
    facts: dict[str, Any]
    """What the summary tells of labels, JSON-ready."""
    told: tuple[str, ...]
    """Lines that tell a person of them."""


class LabelMethod(Protocol):
    """What methods differ in."""

    kind: Kind
    learning: str
    """What the step is called in which `learn` runs."""
    computing: str
    """What the step is called in which `compute` runs."""
    columns: tuple[str, ...]
    """Columns of images that `compute` needs beside the usual ones."""

    def prepared(self, images: DataFrame) -> DataFrame:
        """Images with these columns."""

    def counted(self, known: Reference, were_cut: bool) -> Counted:
        """What is counted of labels that are taken over; `were_cut` tells whether any is at an end of the scale."""

    def check(self, images: DataFrame, about_rows: Callable[[], int | None]) -> CheckedList:
        """Read the list of images to learn from, and refuse one that cannot be used."""

    def learn(self, images: DataFrame, features: Features, listed: CheckedList) -> Reference:
        """What is learned before labels are computed."""

    def compute(self, joined: Joined, to_label: ToLabel, reference: Reference) -> Computed:
        """Labels of images joined with their features; `reference` may be one that `learn` left unfinished."""


class Labelling(NamedTuple):
    """Labels and what was learned on the way to them."""

    labels: DataFrame
    """The columns of the schema of `kind`, and `identity_key`."""
    packed: PackedRows | None
    """The same as they were computed; None where labels were taken over."""
    kind: Kind
    counts: ImageCounts
    examples: dict[str, list[str]] | None
    """As `examples_of` gathers them; None where labels were taken over."""
    partitions: int
    """Number of partitions by identity that the labels lie in."""
    reference: Reference
    """What they are measured by."""
    facts: dict[str, Any]
    """What the summary tells of them, JSON-ready."""
    told: tuple[str, ...]
    """Lines that tell a person of them."""

    def unfit_identity(self) -> str | None:
        """One of the identities that no folder can be named after, None if there is none."""
        if self.examples is None:
            return unfit_identity_of(self.labels)
        return unfit_identity(self.examples, only_ascii=takes_only_ascii(self.labels.sparkSession))


def labelled(
    method: LabelMethod, paths: DataFrame, features: Features, settings: MethodSettings, steps: Steps, given: Given
) -> Labelling:
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
    known = given.reference
    with steps("reading the list"):
        to_label = _to_label(method, paths, features.id_key_index, settings, given)
    images, listed = to_label.images, to_label.listed
    few, index = to_label.few, settings.id_key_index
    matching = Matching(images, features, listed, index, few=few, more=method.columns, load=settings.load_feature)
    matching.put_together(steps)
    with steps("comparing with the reference" if known else method.learning), matching.under_way():
        if known:
            check_model(matching.features, known)
        reference = known or method.learn(images, matching.features, listed)
    with steps(method.computing), matching.under_way():
        computed = method.compute(matching.joined(reference.pool.dimension), to_label, reference)
        counts = computed.counts
        matching.tell_missing(missing_paths(computed.examples), counts.statuses[schemas.MISSING_FEATURE], settings)
    matching.check_list_rows(counts.list_rows)
    matching.release()
    told = (*to_label.told(counts), *computed.told)
    facts = {**computed.facts, **to_label.facts(counts)}
    partitions = matching.partitions(reference.pool.dimension)
    labels = to_label.with_taken(computed.labels.table, method.kind.schema, partitions)
    packed, examples = (None, None) if to_label.taken else (computed.labels, computed.examples)
    return Labelling(labels, packed, method.kind, counts, examples, partitions, computed.reference, facts, told)


def _to_label(method: LabelMethod, paths: DataFrame, index: int, settings: MethodSettings, given: Given) -> ToLabel:
    """What has to be computed."""
    if given.reference and given.earlier:
        counted = method.counted(given.reference, given.earlier.were_cut)
        changed = images_to_label(with_identities(paths, settings), settings, index, given.earlier, counted)
        return changed._replace(images=method.prepared(changed.images))
    images = method.prepared(identified_images(paths, settings, index))
    if given.reference:
        # Nothing is drawn, and strangers need not be listed.
        return all_to_label(images, check_images(images, settings, 1, several_identities=False), index)
    return all_to_label(images, method.check(images, given.about_rows), index)


def images_beyond(images: int, intra_pool_size: int) -> Iterator[str]:
    """The line that tells of images that have more mates than they were compared with, if there are any."""
    if images:
        yield (
            f"{images} images are of identities with more than {intra_pool_size} images, and were compared with so "
            "many of them"
        )
