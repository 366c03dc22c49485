"""What the labels of all images have in common."""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import NothingUsableError
from fiqa_spark.kernels.margin_reference import MarginReference
from fiqa_spark.matching.packs import PackedRows, PackFacts
from fiqa_spark.matching.status_counts import ImageCounts, counts_in, listed_statuses
from fiqa_spark.methods.updates import TakenOver

BELOW, ABOVE = "below", "above"
"""What is counted: margins below that of label 0, and above that of label 100."""
COLUMNS = schemas.beside_identity_key(schemas.MARGIN_LABELS)
"""What is known of an image."""


class LabelCounts(NamedTuple):
    """Counts and means over all images."""

    listed: ImageCounts
    intra_truncated: int
    """Number of images that have more mates than count."""
    below: int
    """Number of images whose margin is below that of label 0."""
    above: int
    """Number of images whose margin is above that of label 100."""


def beyond(reference: MarginReference) -> dict[str, Column]:
    """Whether a margin is below that of label 0, and above that of label 100."""
    margin = F.col(schemas.MARGIN)
    return {BELOW: margin < reference.lo, ABOVE: margin > reference.hi}


def label_counts(facts: PackFacts, taken: TakenOver | None = None) -> LabelCounts:
    """Counts over labels.

    Parameters
    ----------
    facts : PackFacts
        Of packs from `labelled_images`.
    taken : TakenOver, optional
        Other labels, in which `beyond` was counted.

    Raises
    ------
    NothingUsableError
        If no image has a label.
    """
    sums = facts.sums
    counts = counts_in(sums, schemas.MARGIN_STATUSES)
    found = LabelCounts(counts, sums[schemas.INTRA_TRUNCATED], sums[BELOW], sums[ABOVE])
    if taken:
        below, above = found.below + taken.counted[BELOW], found.above + taken.counted[ABOVE]
        found = LabelCounts(taken.added_to(counts), found.intra_truncated + taken.truncated, below, above)
    statuses = found.listed.statuses
    if not statuses[schemas.OK] + statuses[schemas.PREDICTED]:
        raise NothingUsableError(
            f"no image can be labelled, of {listed_statuses(found.listed)}",
            remedy="check `id_key_index` and the features",
        )
    return found


def labels_in(packs: DataFrame) -> PackedRows:
    """The labels in packs from `labelled_images`: the columns `COLUMNS`."""

    def of_pack(rows: pa.RecordBatch) -> Iterable[pa.Array]:
        return rows.columns

    return PackedRows(packs, COLUMNS, of_pack)
