"""What a label set says of its images, pairs aside: how labels are spread, by identity and by number of images."""

from collections.abc import Iterable, Iterator

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.findings import IdentityLabels, Profile, Sheet, SizeClass, Thumbnail
from fiqa_spark.evaluation.label_sets import LabelSet, with_identity
from fiqa_spark.evaluation.settings import EvaluationSettings

_BINS = 50
_LOWEST_IDENTITIES = 15
_IMAGES_OF_A_MEAN = 2
_TILES, _TILES_OF_IDENTITY = 12, 24
_SCALES = {"label": (0.0, 100.0), "ERS": (0.0, 1.0)}


def profile(labels: LabelSet, settings: EvaluationSettings) -> Profile:
    """Profile of a label set; its contact sheets have no pictures yet."""
    images = with_identity(labels, settings.id_key_index)
    scored = images.where(F.col(schemas.QUALITY).isNotNull())
    statuses, (lowest_label, median, highest_label) = _statuses_and_range(images)
    edges, counts = _histogram(scored, labels.quantity, lowest_label, highest_label)
    identities = _identities(images).persist(StorageLevel.MEMORY_AND_DISK)
    sizes, lowest = _sizes(identities), _lowest(identities)
    sheets = tuple(_sheets(scored, identities, median, labels.quantity))
    identities.unpersist()
    return Profile(labels.name, labels.path, labels.quantity, statuses, edges, counts, sizes, lowest, sheets)


def _statuses_and_range(images: DataFrame) -> tuple[dict[str, int], tuple[float, float, float]]:
    """Number of images by status; lowest, median and highest label. In one look, since small sets cost little else."""
    quality = F.col(schemas.QUALITY)
    facts = (
        F.count("*").alias("images"),
        F.array(F.min(quality), F.percentile_approx(quality, 0.5, 10_000), F.max(quality)),
    )
    rows = images.rollup(schemas.STATUS).agg(F.grouping(schemas.STATUS).alias("is_total"), *facts).collect()
    [(_, _, _, labels)] = [row for row in rows if row.is_total]
    counts = [(status, count) for status, is_total, count, _ in rows if not is_total]
    return dict(sorted(counts, key=lambda row: row[0] or "")), tuple(labels)


def _histogram(scored: DataFrame, quantity: str, lowest: float, highest: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges and counts of equal bins."""
    quality = F.col(schemas.QUALITY)
    low, high = _SCALES.get(quantity, (lowest, highest))
    low, high = min(low, lowest), max(high, highest)
    place = F.least(F.floor((quality - low) / (high - low) * _BINS), F.lit(_BINS - 1)).cast("int")
    counts = np.zeros(_BINS, np.int64)
    for number, count in scored.groupBy(place.alias("bin")).count().collect():
        counts[number] = count
    return np.linspace(low, high, _BINS + 1), counts


def _identities(images: DataFrame) -> DataFrame:
    """Each identity with its numbers of images, and mean, lowest and highest label."""
    quality = F.col(schemas.QUALITY)
    return (
        images.where(F.col(schemas.IDENTITY).isNotNull())
        .groupBy(schemas.IDENTITY)
        .agg(
            F.count("*").alias("images"),
            F.count(quality).alias("labelled"),
            F.avg(quality).alias("mean"),
            F.min(quality).alias("lowest"),
            F.max(quality).alias("highest"),
        )
        .where("labelled > 0")
    )


def _sizes(identities: DataFrame) -> tuple[SizeClass, ...]:
    """Identities of 1, 2 to 3, 4 to 7, ... images."""
    doublings = F.length(F.bin("images")) - 1
    quartiles = F.percentile_approx("mean", [0.25, 0.5, 0.75], 10_000)
    rows = identities.groupBy(doublings.alias("doublings")).agg(
        F.count("*").alias("identities"), quartiles.alias("means")
    )
    return tuple(
        SizeClass(2**row.doublings, 2 ** (row.doublings + 1) - 1, row.identities, *row.means)
        for row in sorted(rows.collect())
    )


def _lowest(identities: DataFrame) -> tuple[IdentityLabels, ...]:
    """Identities of the lowest mean label; those of one image only where there are no others."""
    in_order = identities.orderBy("mean", schemas.IDENTITY)
    several = in_order.where(F.col("labelled") >= _IMAGES_OF_A_MEAN).head(_LOWEST_IDENTITIES)
    return tuple(IdentityLabels(*row) for row in several or in_order.head(_LOWEST_IDENTITIES))


def _sheet(title: str, images: Iterable[tuple[str, float]]) -> Sheet:
    return Sheet(title, tuple(Thumbnail(path, label, None) for path, label in images))


def _sheets(scored: DataFrame, identities: DataFrame, median: float, quantity: str) -> Iterator[Sheet]:
    """The contact sheets that a set should have, before their image files are read."""
    quality, rows = F.col(schemas.QUALITY), scored.select(schemas.PATH, schemas.QUALITY)
    near = rows.orderBy(F.abs(quality - median), schemas.PATH).head(_TILES)
    highest = rows.orderBy(quality.desc(), schemas.PATH).head(_TILES)
    several = quantity if quantity == "ERS" else f"{quantity}s"
    yield _sheet(f"Lowest {several}", rows.orderBy(quality, schemas.PATH).head(_TILES))
    yield _sheet(f"Middle {several}, those nearest to the median", sorted(near, key=lambda row: (row[1], row[0])))
    yield _sheet(f"Highest {several}", highest[::-1])
    spread = F.col("highest") - F.col("lowest")
    widest = identities.orderBy(spread.desc(), schemas.IDENTITY).head(1)
    if widest:
        name = widest[0][schemas.IDENTITY]
        of_identity = scored.where(F.col(schemas.IDENTITY) == name).select(schemas.PATH, schemas.QUALITY)
        own = of_identity.orderBy(quality, schemas.PATH).collect()
        places = np.unique(np.linspace(0, len(own) - 1, min(len(own), _TILES_OF_IDENTITY)).round().astype(int))
        yield _sheet(f"{name}, from worst to best: the identity of the widest range", [own[place] for place in places])
