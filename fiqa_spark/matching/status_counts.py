"""How many images there are, and what became of them, counted where their rows are."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pyspark.sql import Column, Row
from pyspark.sql import functions as F

from fiqa_spark import schemas


class ImageCounts(NamedTuple):
    """Counts over all images of a list."""

    images: int
    """Number of distinct paths in the list."""
    list_rows: int
    """Number of rows of the list, each counted as often as its key has a feature, but at least once."""
    identities: int
    """Number of identities in the list."""
    statuses: dict[str, int]
    """Number of images of each status."""


def count_columns(statuses: Sequence[str] = schemas.STATUSES) -> list[Column]:
    """Aggregates over rows with `status`, `list_rows` and `first_of_identity` that `counts_in` reads."""
    return [
        F.count("*").alias("images"),
        F.sum(schemas.LIST_ROWS).alias("list_rows"),
        F.sum(schemas.FIRST_OF_IDENTITY).alias("identities"),
        *[F.count_if(F.col(schemas.STATUS) == status).alias(status) for status in statuses],
    ]


def names_of_counts(statuses: Sequence[str]) -> tuple[str, ...]:
    """Names of what `counts_in` reads, of these statuses."""
    return ("images", schemas.LIST_ROWS, "identities", *statuses)


def counted(
    statuses: np.ndarray, names: Sequence[str], list_rows: np.ndarray, firsts: Sequence[int]
) -> dict[str, np.ndarray]:
    """What `counts_in` reads, of each row, to be summed.

    Parameters
    ----------
    statuses : ndarray of object, shape (rows,)
        One of the names each.
    names : sequence of str
        All statuses.
    list_rows : ndarray of int64, shape (rows,)
    firsts : sequence of int
        Numbers of rows, one of each identity.
    """
    is_first = np.zeros(len(statuses), bool)
    is_first[firsts] = True
    of_all = (np.ones(len(statuses), bool), list_rows, is_first, *(statuses == name for name in names))
    return dict(zip(names_of_counts(names), of_all, strict=True))


def counts_in(row: Row | Mapping[str, Any], statuses: Sequence[str] = schemas.STATUSES) -> ImageCounts:
    """Counts in a row with the columns of `count_columns`, of these statuses only."""
    by_status = {status: row[status] for status in statuses}
    # Sums over no rows are null.
    return ImageCounts(row["images"], row["list_rows"] or 0, row["identities"] or 0, by_status)


def listed_statuses(counts: ImageCounts) -> str:
    """Numbers of images by status in one line, for messages."""
    return ", ".join(f"{count} {status}" for status, count in counts.statuses.items() if count)
