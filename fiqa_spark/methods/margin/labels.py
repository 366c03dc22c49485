"""What the labels of all images have in common."""

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import NothingUsableError
from fiqa_spark.kernels.margin_reference import MarginReference
from fiqa_spark.matching.status_counts import ImageCounts, count_columns, counts_in, listed_statuses
from fiqa_spark.methods.updates import TakenOver

_BELOW, _ABOVE = "below", "above"


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
    return {_BELOW: margin < reference.lo, _ABOVE: margin > reference.hi}


def label_counts(labels: DataFrame, reference: MarginReference, taken: TakenOver | None = None) -> LabelCounts:
    """Counts over labels.

    Parameters
    ----------
    labels : DataFrame
        With the schema `schemas.MARGINS`.
    taken : TakenOver, optional
        Other labels, in which `beyond` was counted.

    Raises
    ------
    NothingUsableError
        If no image has a label.
    """
    [totals] = labels.agg(
        *count_columns(schemas.MARGIN_STATUSES),
        F.sum(schemas.INTRA_TRUNCATED).alias("intra_truncated"),
        *[F.count_if(column).alias(name) for name, column in beyond(reference).items()],
    ).collect()
    counts = counts_in(totals, schemas.MARGIN_STATUSES)
    found = LabelCounts(counts, totals["intra_truncated"] or 0, totals[_BELOW], totals[_ABOVE])
    if taken:
        below, above = found.below + taken.counted[_BELOW], found.above + taken.counted[_ABOVE]
        found = LabelCounts(taken.added_to(counts), found.intra_truncated + taken.truncated, below, above)
    statuses = found.listed.statuses
    if not statuses[schemas.OK] + statuses[schemas.PREDICTED]:
        raise NothingUsableError(
            f"no image can be labelled, of {listed_statuses(found.listed)}",
            remedy="check `id_key_index` and the features",
        )
    return found
