"""What the driver finds among few labels in one look, where Spark would plan a query for every number."""

import math
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.evaluation.findings import IdentityLabels, SizeClass
from fiqa_spark.evaluation.many_labels import QUARTILES
from fiqa_spark.runtime.driver_memory import free_bytes
from fiqa_spark.runtime.frames_by_arrow import collected

IMAGES_AT_MOST = 1_000_000
"""Images whose paths, identities and labels the driver holds, where its memory allows it."""
# Of an image, copies included.
_IMAGE_BYTES = 600
_VALUE = "value"
_COLUMNS = (schemas.PATH, schemas.IDENTITY, schemas.QUALITY, schemas.STATUS)


def few_labels(images: DataFrame, known_at_most: int | None = None) -> "FewLabels | None":
    """The labels of a set, if they are few enough for the driver.

    Parameters
    ----------
    images : DataFrame
        `path`, `identity` (null if none), `quality` (null for none), `status`.
    known_at_most : int, optional
        Number of images, or of more, if it is known; else they are counted.
    """
    if known_at_most is None or known_at_most > IMAGES_AT_MOST:
        known_at_most = images.count()
    if known_at_most > IMAGES_AT_MOST or known_at_most * _IMAGE_BYTES > free_bytes(images.sparkSession):
        return None
    return FewLabels(collected(images.select(*_COLUMNS)))


class FewLabels:
    """Labels of few images; see `many_labels.Labels` for its methods.

    Parameters
    ----------
    images : DataFrame of pandas
        `path`, `identity` (None if none), `quality` (NaN for none), `status`.
    """

    def __init__(self, images: pd.DataFrame) -> None:
        # Sums are of an order of their own, whatever the one in which images come.
        self._images = images.sort_values(schemas.QUALITY, ignore_index=True)
        self._scored = self._images[self._images[schemas.QUALITY].notna()]
        of_identity = self._images.groupby(schemas.IDENTITY)[schemas.QUALITY]
        identities = of_identity.agg(images="size", labelled="count", mean="mean", lowest="min", highest="max")
        self._identities = identities[identities["labelled"] > 0].sort_index()

    def statuses_and_range(self) -> tuple[dict[str, int], tuple[float, float, float]]:
        """Number of images by status; lowest, median and highest label."""
        counts = self._images[schemas.STATUS].value_counts(dropna=False)
        statuses: dict[Any, int] = {None if pd.isna(status) else status: int(count) for status, count in counts.items()}
        labels = self._scored[schemas.QUALITY]
        middle = _at_share(np.sort(labels.to_numpy()), 0.5)
        in_order = dict(sorted(statuses.items(), key=lambda item: item[0] or ""))
        return in_order, (float(labels.min()), middle, float(labels.max()))

    def histogram(self, edges: np.ndarray) -> np.ndarray:
        """Number of labels in each of equal bins."""
        bins, low, high = len(edges) - 1, edges[0], edges[-1]
        places = np.floor((self._scored[schemas.QUALITY].to_numpy() - low) / (high - low) * bins).astype(np.int64)
        return np.bincount(np.minimum(places, bins - 1), minlength=bins)

    def sizes(self) -> tuple[SizeClass, ...]:
        """Identities of 1, 2 to 3, 4 to 7, ... images."""
        doublings = self._identities["images"].map(lambda images: int(images).bit_length() - 1)
        found = []
        for doubling, means in self._identities["mean"].groupby(doublings):
            in_order = np.sort(means.to_numpy())
            quartiles = (_at_share(in_order, share) for share in QUARTILES)
            found.append(SizeClass(2**doubling, 2 ** (doubling + 1) - 1, len(in_order), *quartiles))
        return tuple(found)

    def lowest_identities(self, count: int, images: int) -> tuple[IdentityLabels, ...]:
        """Identities of the lowest mean label; those of fewer labelled images only where there are no others."""
        several = self._identities[self._identities["labelled"] >= images]
        chosen = several if len(several) else self._identities
        rows = chosen.sort_values("mean", kind="stable").head(count)
        return tuple(
            IdentityLabels(str(name), int(row.images), int(row.labelled), row.mean, row.lowest, row.highest)
            for name, row in zip(rows.index, rows.itertuples(index=False), strict=True)
        )

    def lowest(self, count: int) -> list[tuple[str, float]]:
        """Paths and labels, the lowest first."""
        return self._first(self._scored[schemas.QUALITY], count)

    def highest(self, count: int) -> list[tuple[str, float]]:
        """Paths and labels, the highest first."""
        return self._first(-self._scored[schemas.QUALITY], count)

    def nearest(self, label: float, count: int) -> list[tuple[str, float]]:
        """Paths and labels nearest to one, the nearest first."""
        return self._first((self._scored[schemas.QUALITY] - label).abs(), count)

    def widest_identity(self) -> tuple[str, list[tuple[str, float]]] | None:
        """The identity of the widest range of labels, and its paths and labels, the lowest first."""
        if not len(self._identities):
            return None
        name = str((self._identities["highest"] - self._identities["lowest"]).idxmax())
        own = self._scored[self._scored[schemas.IDENTITY] == name].sort_values([schemas.QUALITY, schemas.PATH])
        return name, list(zip(own[schemas.PATH], own[schemas.QUALITY], strict=True))

    def _first(self, values: pd.Series, count: int) -> list[tuple[str, float]]:
        """Paths and labels of the least values, of equal ones those of the lowest paths."""
        numbers = values.to_numpy()
        last = np.partition(numbers, count - 1)[count - 1] if len(numbers) > count else np.inf
        least = np.flatnonzero(numbers <= last)
        # Only what may be chosen is sorted by path. UTF-8 has the order of its code points.
        rows = self._scored.iloc[least].assign(**{_VALUE: numbers[least]}).sort_values([_VALUE, schemas.PATH])[:count]
        return list(zip(rows[schemas.PATH], rows[schemas.QUALITY], strict=True))


def _at_share(in_order: np.ndarray, share: float) -> float:
    """The value at or above so large a share of all, as Spark's percentile_approx gives it."""
    return float(in_order[max(math.ceil(share * len(in_order)) - 1, 0)])
