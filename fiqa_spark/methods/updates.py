"""An earlier result of the same reference: rows of identities whose images have not changed are taken over from it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import (
    IDENTIFIED,
    IN_KEYS,
    LIST_ROWS,
    CheckedList,
    check_lines,
    facts_of_images,
    with_hashes,
)
from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.runtime.sql_conf import planned_for_small_rows

IDENTITY_IN_KEY = "identity_in_key"
"""Entry of the summary with the part of their keys that is the identity of all images; null if there is none."""
# Columns of what is known of the images of an identity; an image without identity stands for itself.
_GROUP, _SAME, _LISTED, _IDENTIFIED, _TRUNCATED = "group", "same", "listed", "identified", "truncated"
_EARLIER, _UNFIT, _OK_HALF = "earlier", "unfit", "ok_half"
_LISTED_PATHS, _EARLIER_PATHS = "listed_paths", "earlier_paths"
_LOW_BITS = (1 << 32) - 1
_UPDATE = "update"
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
    identity_in_key: int | None
    """Part of their keys that is the identity of all of its images; None if there is none."""


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
    """Of the whole list, but for its identity keys, which are those of `images`."""
    identity_in_key: int | None
    """Part of their keys that is the identity of all images; None if there is none."""
    taken: TakenOver | None = None
    """The others; None if all are computed."""
    few: int | None = None
    """Number of images to compute, if they are few, and kept."""

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
        """What the summary tells, JSON-ready, where there are so many images in all."""
        in_key = {IDENTITY_IN_KEY: self.identity_in_key}
        if not self.taken:
            return in_key
        images, identities = self.taken.counts.images, self.taken.counts.identities
        taken_over = {"images": images, "identities": identities}
        computed = {"images": counts.images - images, "identities": counts.identities - identities}
        return {**in_key, _UPDATE: {"taken_over": taken_over, "computed": computed}}

    def told(self, counts: ImageCounts) -> Iterator[str]:
        """The line that tells a person of it."""
        if self.taken:
            facts = self.facts(counts)[_UPDATE]
            taken_over, computed = (
                f"{each['images']} images of {each['identities']} identities" for each in facts.values()
            )
            yield f"update     {taken_over} taken over from {self.taken.path}; {computed} computed"


def all_to_label(images: DataFrame, listed: CheckedList, index: int) -> ToLabel:
    """All images of a list, where such a part of the key brings images and features together."""
    return ToLabel(images, listed, index if listed.identities_in_keys else None)


def images_to_label(
    identified: DataFrame, settings: ImageSettings, index: int, earlier: Earlier, counted: Counted
) -> ToLabel:
    """Compare the list with an earlier result, refuse a list that cannot be used, and tell what has to be computed.

    An identity has not changed when it has the paths that it had: as many, and of the same sums of hashes. One with a
    repeated line or with an image whose feature was missing or not usable counts as changed.

    Parameters
    ----------
    identified : DataFrame
        From `with_identities`.
    index : int
        Part of the key by which images and features are brought together.

    Raises
    ------
    InputError
        As of `check_lines`.
    """
    with planned_for_small_rows(identified.sparkSession):
        labels = earlier.labels
        if counted.half is not None:
            labels = keys.with_key(labels, settings.image_root)
        groups = _groups(identified, labels, counted).persist(StorageLevel.MEMORY_AND_DISK)
        [totals] = groups.agg(*_totals(counted)).collect()
    # Hashes are computed of what is left.
    changed = with_hashes(_images_of(identified, groups, totals, same=False), settings, index)
    few = totals.changed_rows if totals.changed_rows <= _SENT_AT_MOST else None
    if few is not None:
        changed = changed.persist(StorageLevel.MEMORY_AND_DISK)
    images = with_hashes(identified, settings, index)
    listed, identity_in_key = _checked(images, changed, totals, settings, index, earlier)
    # That of the join, but for images without identity, of which each stands for itself.
    identity_key = F.xxhash64(F.coalesce(schemas.IDENTITY, schemas.PATH))
    rows = _images_of(earlier.labels, groups, totals, same=True).withColumn(schemas.IDENTITY_KEY, identity_key)
    return ToLabel(changed, listed, identity_in_key, _taken(earlier.path, rows, totals, counted), few)


def _checked(
    images: DataFrame, changed: DataFrame, totals: Row, settings: ImageSettings, index: int, earlier: Earlier
) -> tuple[CheckedList, int | None]:
    """What is known of a list, and the part of all keys that is the identity.

    Lines of what has not changed have been checked for the earlier result. Only where keys do not tell all identities,
    an image may have the key of one of an identity that has not changed.
    """
    facts = facts_of_images(changed)
    listed = CheckedList(totals.same_images + totals.changed_rows, facts[IN_KEYS] is not False, pd.DataFrame())
    are_in_keys = listed.identities_in_keys and earlier.identity_in_key == index
    if not are_in_keys:
        changed, facts = images, facts_of_images(images)
    facts = {**facts, LIST_ROWS: listed.list_rows, IDENTIFIED: facts[IDENTIFIED] or totals.same_identities}
    if totals.changed_rows or not listed.list_rows:
        check_lines(changed, facts, settings)
    return listed, index if are_in_keys or facts[IN_KEYS] else None


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
    listed = _summed(images, _LISTED_PATHS, {_LISTED: F.col(schemas.LIST_ROWS)})
    status = F.col(schemas.STATUS)
    of_label = {
        _EARLIER: F.lit(1),
        _IDENTIFIED: F.col(schemas.IDENTITY).isNotNull(),
        _UNFIT: status.isin(*_UNFIT_STATUSES),
        **{_status(name): status == name for name in counted.statuses},
        **counted.columns,
    }
    if counted.half is not None:
        of_label[_OK_HALF] = (status == schemas.OK) & (counted.half == 1)
    both = listed.join(_summed(labels, _EARLIER_PATHS, of_label), _GROUP, "full")
    has_same_paths = (F.col(_LISTED) == F.col(_EARLIER)) & (F.col(_LISTED_PATHS) == F.col(_EARLIER_PATHS))
    same = F.coalesce(has_same_paths & (F.col(_UNFIT) == 0), F.lit(False))
    return both.withColumns({_SAME: same, _TRUNCATED: _truncated(counted)}).drop(_LISTED_PATHS, _EARLIER_PATHS)


def _summed(rows: DataFrame, paths: str, columns: Mapping[str, Column]) -> DataFrame:
    """Each identity with the sums of columns and, in a column named `paths`, those of the hashes of its paths."""
    path_hash = F.xxhash64(schemas.PATH)
    # Halves of a hash, as the sum of whole ones would not fit.
    halves = path_hash.bitwiseAND(F.lit(_LOW_BITS)), F.shiftright(path_hash, 32)
    sums = [F.sum(column.cast("long")).alias(name) for name, column in columns.items()]
    return rows.groupBy(_group().alias(_GROUP)).agg(F.struct(*map(F.sum, halves)).alias(paths), *sums)


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
        F.count_if(same & (F.col(_IDENTIFIED) > 0)).alias("same_identities"),
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
