"""An earlier result of the same reference: rows of identities whose images have not changed are taken over from it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import CheckedList, checked_list, observed_images
from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.runtime.sql_conf import planned_for_small_rows

# Columns of what is known of the images of an identity; an image without identity stands for itself.
_GROUP, _SAME, _LISTED, _IDENTIFIED, _TRUNCATED = "group", "same", "listed", "identified", "truncated"
_LOW, _HIGH, _EARLIER, _UNFIT, _OK_HALF = "low", "high", "earlier", "unfit", "ok_half"
_LOW_BITS = (1 << 32) - 1
# Hashes that are sent to every task, 8 bytes each.
_SENT_AT_MOST = 1 << 20
# Of these the feature was missing or could not be used, and may be sound by now.
_UNFIT_STATUSES = (schemas.MISSING_FEATURE, schemas.INVALID_FEATURE)


class Earlier(NamedTuple):
    """An earlier result."""

    path: str
    """Its folder."""
    labels: DataFrame
    """Its rows."""
    were_cut: bool
    """Whether labels of it were cut at the ends of the scale."""


class TakenOver(NamedTuple):
    """What is taken over from an earlier result."""

    path: str
    """Folder of that result."""
    rows: DataFrame
    """The columns of its labels, and `identity_key`."""
    counts: ImageCounts
    """Counts over these rows."""
    truncated: int
    """Number of images that have more mates than count."""
    counted: dict[str, int]
    """Number of images for which a column of `Counted` is true, by its name."""

    def added_to(self, counts: ImageCounts) -> ImageCounts:
        """Counts over these rows and others."""
        own = self.counts
        statuses = {status: count + own.statuses.get(status, 0) for status, count in counts.statuses.items()}
        sums = (counts.images + own.images, counts.list_rows + own.list_rows, counts.identities + own.identities)
        return ImageCounts(*sums, statuses)


class Counted(NamedTuple):
    """What is counted of the rows that are taken over."""

    statuses: tuple[str, ...]
    """All that there are."""
    mates_at_most: int | None
    """Images of a group of mates that count; larger groups are truncated. None where none is."""
    half: Column | None
    """Of a `key`: 0 or 1, for the half of its identity whose images are mates. None where all are mates."""
    columns: dict[str, Column]
    """Name to a column of boolean."""


class ToLabel(NamedTuple):
    """Images of a list that have to be computed, and the others."""

    images: DataFrame
    """Those to compute, as from `identified_images`."""
    listed: CheckedList
    """Of the whole list."""
    taken: TakenOver | None = None
    """The others; None if all are computed."""
    are_few: bool = False
    """Whether the images to compute are few, and kept."""

    def kept(self, computed: DataFrame) -> DataFrame:
        """Rows of `images`, kept in memory or on disk once they are computed; without cost if there are no images."""
        are_none = self.taken is not None and self.taken.counts.list_rows == self.listed.list_rows
        return (computed.limit(0) if are_none else computed).persist(StorageLevel.MEMORY_AND_DISK)

    def with_taken(self, computed: DataFrame, schema: StructType, partitions: int) -> DataFrame:
        """Rows of all images, those of an identity in one of so many partitions by its key.

        Parameters
        ----------
        computed : DataFrame
            From `kept`, with the columns of the schema and `identity_key`.
        """
        if self.taken is None:
            return computed
        rows = computed.select(*schema.names, schemas.IDENTITY_KEY).unionByName(self.taken.rows)
        return rows.repartition(partitions, schemas.IDENTITY_KEY)

    def facts(self, counts: ImageCounts) -> dict[str, Any]:
        """What the summary tells, JSON-ready, where there are so many images in all; nothing if all are computed."""
        if not self.taken:
            return {}
        images, identities = self.taken.counts.images, self.taken.counts.identities
        taken_over = {"images": images, "identities": identities}
        computed = {"images": counts.images - images, "identities": counts.identities - identities}
        return {"update": {"taken_over": taken_over, "computed": computed}}

    def told(self, counts: ImageCounts) -> Iterator[str]:
        """The line that tells a person of it."""
        if self.taken:
            [facts] = self.facts(counts).values()
            taken_over, computed = (
                f"{each['images']} images of {each['identities']} identities" for each in facts.values()
            )
            yield f"update     {taken_over} taken over from {self.taken.path}; {computed} computed"


def images_to_label(images: DataFrame, settings: ImageSettings, earlier: Earlier, counted: Counted) -> ToLabel:
    """Read the list and an earlier result once, refuse a list that cannot be used, and tell what has to be computed.

    An identity has not changed when it has the paths that it had: as many, and of the same sums of hashes. One with a
    repeated line or with an image whose feature was missing or not usable counts as changed.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.

    Raises
    ------
    InputError
        As of `checked_list`.
    """
    observed, observation = observed_images(images)
    with planned_for_small_rows(images.sparkSession):
        labels = earlier.labels
        if counted.half is not None:
            labels = keys.with_key(labels, settings.image_root)
        groups = _groups(observed, labels, counted).persist(StorageLevel.MEMORY_AND_DISK)
        [totals] = groups.agg(*_totals(counted)).collect()
    # No image is drawn where there is a reference.
    listed = checked_list(images, observation.get, pd.DataFrame(), settings, several_identities=False)
    changed = _images_of(images, groups, totals, same=False)
    are_few = totals.changed_rows <= _SENT_AT_MOST
    if are_few:
        changed = changed.persist(StorageLevel.MEMORY_AND_DISK)
    # That of the join, but for images without identity, of which each stands for itself.
    identity_key = F.xxhash64(F.coalesce(schemas.IDENTITY, schemas.PATH))
    rows = _images_of(earlier.labels, groups, totals, same=True).withColumn(schemas.IDENTITY_KEY, identity_key)
    return ToLabel(changed, listed, _taken(earlier.path, rows, totals, counted), are_few)


def _taken(path: str, rows: DataFrame, totals: Row, counted: Counted) -> TakenOver:
    statuses = {status: totals[_status(status)] for status in counted.statuses}
    counts = ImageCounts(totals.same_images, totals.same_images, totals.same_identities, statuses)
    return TakenOver(path, rows, counts, totals.truncated, {name: totals[name] for name in counted.columns})


def _group() -> Column:
    """Hash of an image's identity, of its path if it has none."""
    identity = F.col(schemas.IDENTITY)
    return F.xxhash64(identity.isNull(), F.coalesce(identity, F.col(schemas.PATH)))


def _status(name: str) -> str:
    """Column with the number of images of a status."""
    return f"status_{name}"


def _groups(images: DataFrame, labels: DataFrame, counted: Counted) -> DataFrame:
    """Each identity of the list or of earlier labels: whether it is the same in both, and what is counted of it."""
    path_hash, status = F.xxhash64(schemas.PATH), F.col(schemas.STATUS)
    # Halves of a hash, as the sum of whole ones would not fit.
    low, high = path_hash.bitwiseAND(F.lit(_LOW_BITS)), F.shiftright(path_hash, 32)
    of_label = {
        _EARLIER: F.lit(1),
        _UNFIT: status.isin(*_UNFIT_STATUSES),
        **{_status(name): status == name for name in counted.statuses},
        **counted.columns,
    }
    if counted.half is not None:
        of_label[_OK_HALF] = (status == schemas.OK) & (counted.half == 1)
    listed = images.select(
        *_of_both(low, high),
        F.col(schemas.LIST_ROWS).alias(_LISTED),
        *[F.lit(0).cast("long").alias(name) for name in of_label],
    )
    known = labels.select(
        *_of_both(-low, -high),
        F.lit(0).cast("long").alias(_LISTED),
        *[column.cast("long").alias(name) for name, column in of_label.items()],
    )
    sums = [F.sum(name).alias(name) for name in (_LOW, _HIGH, _LISTED, *of_label)]
    summed = listed.unionByName(known).groupBy(_GROUP).agg(F.max(_IDENTIFIED).alias(_IDENTIFIED), *sums)
    same = (F.col(_LISTED) == F.col(_EARLIER)) & (F.col(_LOW) == 0) & (F.col(_HIGH) == 0) & (F.col(_UNFIT) == 0)
    return summed.withColumns({_SAME: same, _TRUNCATED: _truncated(counted)}).drop(_LOW, _HIGH, _UNFIT, _EARLIER)


def _of_both(low: Column, high: Column) -> tuple[Column, ...]:
    """Columns of the list and of labels."""
    identified = F.col(schemas.IDENTITY).isNotNull()
    return _group().alias(_GROUP), identified.alias(_IDENTIFIED), low.alias(_LOW), high.alias(_HIGH)


def _truncated(counted: Counted) -> Column:
    """Of a group: number of its images that have more mates than count."""
    if counted.mates_at_most is None:
        return F.lit(0).cast("long")
    of_ok = F.col(_status(schemas.OK))
    parts = [of_ok] if counted.half is None else [of_ok - F.col(_OK_HALF), F.col(_OK_HALF)]
    return sum((F.when(part > counted.mates_at_most, part).otherwise(0) for part in parts), F.lit(0))


def _totals(counted: Counted) -> tuple[Column, ...]:
    """Aggregates over groups."""
    same = F.col(_SAME)

    def summed(of_those: Column, name: str, alias: str) -> Column:
        return F.coalesce(F.sum(F.when(of_those, F.col(name))), F.lit(0)).alias(alias)

    return (
        F.count_if(same).alias("same"),
        F.count_if(~same).alias("changed"),
        F.count_if(same & F.col(_IDENTIFIED)).alias("same_identities"),
        summed(same, _LISTED, "same_images"),
        summed(~same, _LISTED, "changed_rows"),
        summed(same, _TRUNCATED, "truncated"),
        *[summed(same, name, name) for name in (*map(_status, counted.statuses), *counted.columns)],
    )


def _images_of(table: DataFrame, groups: DataFrame, totals: Row, *, same: bool) -> DataFrame:
    """Rows of the identities that are the same, or of the others; the smaller set of both is what is looked for."""
    looks_for_same = totals.same <= totals.changed
    wanted = groups.where(F.col(_SAME) == F.lit(looks_for_same)).select(_GROUP)
    if min(totals.same, totals.changed) <= _SENT_AT_MOST:
        wanted = F.broadcast(wanted)
    how = "semi" if looks_for_same == same else "anti"
    return table.withColumn(_GROUP, _group()).join(wanted, _GROUP, how).drop(_GROUP)
