"""What Spark finds among the labels of a set, however many they are."""

from typing import Protocol

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.findings import IdentityLabels, SizeClass

QUARTILES = (0.25, 0.5, 0.75)
_EXACT_UP_TO = 10_000


class Labels(Protocol):
    """The labels of a set, whoever looks through them."""

    def statuses_and_range(self) -> tuple[dict[str, int], tuple[float, float, float]]:
        """Number of images by status; lowest, median and highest label, the median being one of them."""

    def histogram(self, edges: np.ndarray) -> np.ndarray:
        """Number of labels in each of equal bins, the last of which has its upper end."""

    def sizes(self) -> tuple[SizeClass, ...]:
        """Identities of 1, 2 to 3, 4 to 7, ... images."""

    def lowest_identities(self, count: int, images: int) -> tuple[IdentityLabels, ...]:
        """Identities of the lowest mean label; those of fewer labelled images only where there are no others."""

    def lowest(self, count: int) -> list[tuple[str, float]]:
        """Paths and labels, the lowest first; of equal ones by path."""

    def highest(self, count: int) -> list[tuple[str, float]]:
        """Paths and labels, the highest first; of equal ones by path."""

    def nearest(self, label: float, count: int) -> list[tuple[str, float]]:
        """Paths and labels nearest to one, the nearest first; of equally near ones by path."""

    def widest_identity(self) -> tuple[str, list[tuple[str, float]]] | None:
        """The identity of the widest range of labels, and its paths and labels, the lowest first; None without any."""


class ManyLabels:
    """Labels of any number of images.

    Parameters
    ----------
    images : DataFrame
        `path`, `identity` (null if none), `quality` (null for none), `status`; looked at many times.
    """

    def __init__(self, images: DataFrame) -> None:
        quality = F.col(schemas.QUALITY)
        self._images, self._scored = images, images.where(quality.isNotNull())
        self._rows = self._scored.select(schemas.PATH, schemas.QUALITY)
        of_identity = images.where(F.col(schemas.IDENTITY).isNotNull()).groupBy(schemas.IDENTITY)
        identities = of_identity.agg(
            F.count("*").alias("images"),
            F.count(quality).alias("labelled"),
            F.avg(quality).alias("mean"),
            F.min(quality).alias("lowest"),
            F.max(quality).alias("highest"),
        )
        self._identities = identities.where("labelled > 0").persist(StorageLevel.MEMORY_AND_DISK)

    def statuses_and_range(self) -> tuple[dict[str, int], tuple[float, float, float]]:
        """See `Labels`."""
        quality = F.col(schemas.QUALITY)
        facts = (
            F.count("*").alias("images"),
            F.array(F.min(quality), F.percentile_approx(quality, 0.5, _EXACT_UP_TO), F.max(quality)),
        )
        rows = self._images.rollup(schemas.STATUS).agg(F.grouping(schemas.STATUS).alias("is_total"), *facts).collect()
        [(_, _, _, labels)] = [row for row in rows if row.is_total]
        counts = [(status, count) for status, is_total, count, _ in rows if not is_total]
        return dict(sorted(counts, key=lambda row: row[0] or "")), tuple(labels)

    def histogram(self, edges: np.ndarray) -> np.ndarray:
        """See `Labels`."""
        bins, low, high = len(edges) - 1, float(edges[0]), float(edges[-1])
        place = F.least(F.floor((F.col(schemas.QUALITY) - low) / (high - low) * bins), F.lit(bins - 1)).cast("int")
        counts = np.zeros(bins, np.int64)
        for number, count in self._scored.groupBy(place.alias("bin")).count().collect():
            counts[number] = count
        return counts

    def sizes(self) -> tuple[SizeClass, ...]:
        """See `Labels`."""
        doublings = F.length(F.bin("images")) - 1
        quartiles = F.percentile_approx("mean", list(QUARTILES), _EXACT_UP_TO)
        rows = self._identities.groupBy(doublings.alias("doublings")).agg(
            F.count("*").alias("identities"), quartiles.alias("means")
        )
        return tuple(
            SizeClass(2**row.doublings, 2 ** (row.doublings + 1) - 1, row.identities, *row.means)
            for row in sorted(rows.collect())
        )

    def lowest_identities(self, count: int, images: int) -> tuple[IdentityLabels, ...]:
        """See `Labels`."""
        in_order = self._identities.orderBy("mean", schemas.IDENTITY)
        several = in_order.where(F.col("labelled") >= images).head(count)
        return tuple(IdentityLabels(*row) for row in several or in_order.head(count))

    def lowest(self, count: int) -> list[tuple[str, float]]:
        """See `Labels`."""
        return [tuple(row) for row in self._rows.orderBy(schemas.QUALITY, schemas.PATH).head(count)]

    def highest(self, count: int) -> list[tuple[str, float]]:
        """See `Labels`."""
        return [tuple(row) for row in self._rows.orderBy(F.desc(schemas.QUALITY), schemas.PATH).head(count)]

    def nearest(self, label: float, count: int) -> list[tuple[str, float]]:
        """See `Labels`."""
        distance = F.abs(F.col(schemas.QUALITY) - label)
        return [tuple(row) for row in self._rows.orderBy(distance, schemas.PATH).head(count)]

    def widest_identity(self) -> tuple[str, list[tuple[str, float]]] | None:
        """See `Labels`."""
        spread = F.col("highest") - F.col("lowest")
        widest = self._identities.orderBy(spread.desc(), schemas.IDENTITY).head(1)
        if not widest:
            return None
        name = widest[0][schemas.IDENTITY]
        own = self._scored.where(F.col(schemas.IDENTITY) == name).select(schemas.PATH, schemas.QUALITY)
        return name, [tuple(row) for row in own.orderBy(schemas.QUALITY, schemas.PATH).collect()]
