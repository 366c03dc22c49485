"""What the labels of all images have in common."""

from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import NothingUsableError
from fiqa_spark.kernels.margin_reference import MarginReference
from fiqa_spark.matching.status_counts import ImageCounts, count_columns, counts_in, listed_statuses


class LabelCounts(NamedTuple):
    """Counts and means over all images."""

    listed: ImageCounts
    intra_truncated: int
    """Number of images that have more mates than count."""
    below: int
    """Number of images whose margin is below that of label 0."""
    above: int
    """Number of images whose margin is above that of label 100."""


def label_counts(labels: DataFrame, reference: MarginReference) -> LabelCounts:
    """Counts over labels.

    Parameters
    ----------
    labels : DataFrame
        With the schema `schemas.MARGINS`.

    Raises
    ------
    NothingUsableError
        If no image has a label.
    """
    margin = F.col(schemas.MARGIN)
    [totals] = labels.agg(
        *count_columns(schemas.MARGIN_STATUSES),
        F.sum(schemas.INTRA_TRUNCATED).alias("intra_truncated"),
        F.count_if(margin < reference.lo).alias("below"),
        F.count_if(margin > reference.hi).alias("above"),
    ).collect()
    counts = counts_in(totals, schemas.MARGIN_STATUSES)
    if not counts.statuses[schemas.OK] + counts.statuses[schemas.PREDICTED]:
        raise NothingUsableError(
            f"no image can be labelled, of {listed_statuses(counts)}", remedy="check `id_key_index` and the features"
        )
    return LabelCounts(counts, totals["intra_truncated"], totals["below"], totals["above"])
