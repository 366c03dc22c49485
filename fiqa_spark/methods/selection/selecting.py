"""Which images are kept, under which identity, and why the others are not."""

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row, Window, WindowSpec
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.methods.identities.results import Audit
from fiqa_spark.methods.selection.reasons import first_reason
from fiqa_spark.methods.selection.settings import SelectionSettings
from fiqa_spark.runtime.row_numbers import row_at

IS_AUDITED, IS_SCORED, TARGET = "is_audited", "is_scored", "target_identity"
_AUDITED_IDENTITY, _TIE, _LEFT = "audited_identity", "tie", "left"
# Paths begin alike, and are sorted in a fraction of the time by a number first.
_BY_PATH = [schemas.PATH_HASH, schemas.PATH]


def selected(
    labels: DataFrame,
    settings: SelectionSettings,
    *,
    places: DataFrame | None = None,
    audit: Audit | None = None,
    recognizability: DataFrame | None = None,
) -> DataFrame:
    """Every image with the reason for which it is dropped.

    Parameters
    ----------
    labels : DataFrame
        `path`, `identity`, `label`, `status`; a row an image.
    places : DataFrame, optional
        As of `ListOrder`.
    audit : Audit, optional
        Its verdict about an image counts where it knew the image under the identity of the labels.
    recognizability : DataFrame, optional
        `path`, `ers`, `status`; a row an image.

    Returns
    -------
    DataFrame
        `path`; `identity`, `label` and `status` of the labels, null without; `row` if there is a list;
        `target_identity`, after moves, and `selected_identity`, after merges too; `is_audited` and `is_scored`;
        `reason`, null for what is kept. Kept in memory, or on disk, by Spark.
    """
    rows = _with_hash(labels.select(schemas.PATH, schemas.IDENTITY, schemas.LABEL, schemas.STATUS))
    rows = _scored(_audited(rows, audit), recognizability)
    if places is not None:
        # Last, as Spark does not see that rows lie by their path behind a full join.
        rows = rows.join(places, _BY_PATH, "full_outer")
    rows = _under_new_identities(rows, settings, audit)
    rows = rows.withColumn(schemas.REASON, first_reason(settings, is_of_list=places is not None))
    rows = _with_last_limits(_with_best_of_identity(rows, settings), settings)
    others = [schemas.ROW] if places is not None else []
    columns = (schemas.PATH, schemas.IDENTITY, schemas.LABEL, schemas.STATUS, *others, TARGET)
    flags = (schemas.SELECTED_IDENTITY, IS_AUDITED, IS_SCORED, schemas.REASON)
    return rows.select(*columns, *flags).persist(StorageLevel.MEMORY_AND_DISK)


def _with_hash(rows: DataFrame) -> DataFrame:
    return rows.withColumn(schemas.PATH_HASH, F.xxhash64(schemas.PATH))


def _audited(rows: DataFrame, audit: Audit | None) -> DataFrame:
    """Images with their verdict and the identity that is suggested for them, null where the audit tells none."""
    if audit is None:
        nothing = F.lit(None).cast("string")
        columns = {schemas.VERDICT: nothing, schemas.SUGGESTED_IDENTITY: nothing, IS_AUDITED: F.lit(False)}
        return rows.withColumns(columns)
    known = audit.images.select(
        schemas.PATH,
        F.col(schemas.IDENTITY).alias(_AUDITED_IDENTITY),
        schemas.VERDICT,
        schemas.SUGGESTED_IDENTITY,
        F.lit(True).alias(IS_AUDITED),
    )
    joined = rows.join(_with_hash(known), _BY_PATH, "left")
    # What was said of an image under another name says nothing of it under this one.
    is_same = F.col(IS_AUDITED).isNotNull() & F.col(schemas.IDENTITY).eqNullSafe(F.col(_AUDITED_IDENTITY))
    told = {name: F.when(is_same, F.col(name)) for name in (schemas.VERDICT, schemas.SUGGESTED_IDENTITY)}
    return joined.withColumns({**told, IS_AUDITED: is_same}).drop(_AUDITED_IDENTITY)


def _scored(rows: DataFrame, recognizability: DataFrame | None) -> DataFrame:
    if recognizability is None:
        return rows.withColumns({schemas.ERS: F.lit(None).cast("double"), IS_SCORED: F.lit(False)})
    known = recognizability.select(schemas.PATH, schemas.ERS, F.lit(True).alias(IS_SCORED))
    return rows.join(_with_hash(known), _BY_PATH, "left").withColumn(IS_SCORED, F.col(IS_SCORED).isNotNull())


def _under_new_identities(rows: DataFrame, settings: SelectionSettings, audit: Audit | None) -> DataFrame:
    """Images with the identity after moves, and the one after merges too."""
    target: Column = F.col(schemas.IDENTITY)
    if settings.move_suggested:
        is_moved = (F.col(schemas.VERDICT) == schemas.OTHER) & F.col(schemas.SUGGESTED_IDENTITY).isNotNull()
        target = F.when(is_moved, F.col(schemas.SUGGESTED_IDENTITY)).otherwise(target)
    moved = rows.withColumn(TARGET, target)
    if audit is None or not settings.merge_identities:
        return moved.withColumn(schemas.SELECTED_IDENTITY, F.col(TARGET))
    own, merged = F.col(schemas.IDENTITY), F.col(schemas.MERGED_IDENTITY)
    names = audit.identities.where(merged.isNotNull() & (merged != own)).select(own.alias(TARGET), merged)
    joined = moved.join(names, TARGET, "left")
    return joined.withColumn(schemas.SELECTED_IDENTITY, F.coalesce(merged, F.col(TARGET))).drop(schemas.MERGED_IDENTITY)


def _with_best_of_identity(rows: DataFrame, settings: SelectionSettings) -> DataFrame:
    """Images of which those beyond the best of their identity have a reason to be dropped."""
    rows = rows.withColumn(_TIE, keys.seeded_hash(settings.seed, schemas.PATH))
    if settings.per_identity_most is None:
        return rows
    is_dropped = F.col(schemas.REASON).isNotNull()
    rank = F.row_number().over(_of_identity().orderBy(is_dropped, *_best_first()))
    is_beyond = F.col(schemas.REASON).isNull() & (rank > settings.per_identity_most)
    return _dropped(rows, is_beyond, schemas.PER_IDENTITY_MOST)


def _with_last_limits(rows: DataFrame, settings: SelectionSettings) -> DataFrame:
    """Images of which those beyond the best of all, and then those of small identities, have a reason to be dropped."""
    is_left = F.col(schemas.REASON).isNull()
    if settings.most is not None:
        last = _last_of_best(rows.where(is_left), settings.most)
        if last is not None:
            rows = _dropped(rows, is_left & ~_is_up_to(last), schemas.MOST)
    if settings.per_identity_least is not None:
        rows = rows.withColumn(_LEFT, F.count(F.when(is_left, 1)).over(_of_identity()))
        rows = _dropped(rows, is_left & (F.col(_LEFT) < settings.per_identity_least), schemas.PER_IDENTITY_LEAST)
    return rows


def _dropped(rows: DataFrame, condition: Column, reason: str) -> DataFrame:
    return rows.withColumn(schemas.REASON, F.when(condition, F.lit(reason)).otherwise(F.col(schemas.REASON)))


def _of_identity() -> WindowSpec:
    """The images of an identity; an image without identity stands alone."""
    alone = F.when(F.col(schemas.SELECTED_IDENTITY).isNull(), F.col(schemas.PATH))
    return Window.partitionBy(F.xxhash64(schemas.SELECTED_IDENTITY, alone), schemas.SELECTED_IDENTITY, alone)


def _best_first() -> tuple[Column, ...]:
    return F.desc_nulls_last(schemas.LABEL), F.col(_TIE), F.col(schemas.PATH)


def _last_of_best(rows: DataFrame, count: int) -> Row | None:
    """The last of so many best rows; None if there are no more."""
    # Sorted by all workers: the limit of a sorted DataFrame would bring all rows up to it to the driver.
    in_order = rows.select(schemas.LABEL, _TIE, schemas.PATH).orderBy(*_best_first())
    in_order = in_order.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        return row_at(in_order, count - 1)
    finally:
        in_order.unpersist()


def _is_up_to(last: Row) -> Column:
    """True for a row that is not behind another one, best first."""
    label, tie, path = F.col(schemas.LABEL), F.col(_TIE), F.col(schemas.PATH)
    is_first_of_equals = (tie < last[_TIE]) | ((tie == last[_TIE]) & (path <= last[schemas.PATH]))
    if last[schemas.LABEL] is None:
        return label.isNotNull() | is_first_of_equals
    is_up_to = (label > last[schemas.LABEL]) | ((label == last[schemas.LABEL]) & is_first_of_equals)
    return F.coalesce(is_up_to, F.lit(False))
