"""The list that labels were made of, and the list of what is selected out of it."""

import json
import logging
from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import LIST_PARQUET, LIST_TEXT
from fiqa_spark.inputs.list_forms import ListForm, recognised
from fiqa_spark.inputs.list_order import ListOrder, order_of_list
from fiqa_spark.inputs.text_files import first_lines
from fiqa_spark.methods.results import LABELS
from fiqa_spark.pipelines.job_run import SUMMARY_FILE, JobRun
from fiqa_spark.pipelines.jobs import SelectImagesSettings
from fiqa_spark.runtime.storage import Storage
from fiqa_spark.runtime.text_parts import write_lines

_log = logging.getLogger("fiqa_spark")
_OTHER_LIST = "give the list with `image_list_file`"


class OwnList(NamedTuple):
    """The list that labels were made of."""

    path: str
    order: ListOrder
    id_key_index: int | None
    """Which part of a path their identities come from, unless the list tells them; None if nobody knows."""


def open_own_list(spark: SparkSession, storage: Storage, settings: SelectImagesSettings) -> OwnList:
    """The list that the settings name, or that the summary of the labels names.

    Raises
    ------
    InputError
        If neither names one, or it is not there.
    """
    listed, index = _told_by_summary(storage, settings.labels)
    given = settings.image_list_file
    if given:
        return OwnList(given, order_of_list(spark, storage, given, setting="image_list_file"), index)
    if listed is None:
        text = f"no {SUMMARY_FILE} there tells of which list they are"
        raise InputError(text, setting="labels", remedy=_OTHER_LIST)
    if not storage.exists(listed):
        text = f"the list that they are of, {listed}, is not there any more"
        raise InputError(text, setting="labels", remedy=_OTHER_LIST)
    return OwnList(listed, order_of_list(spark, storage, listed), index)


def _told_by_summary(storage: Storage, labels: str) -> tuple[str | None, int | None]:
    """The list and the index of the identity that the summary of labels tells; None for what it does not."""
    folder = labels.rstrip("/")
    places = [f"{folder}/{SUMMARY_FILE}"]
    if storage.parent_and_name(folder)[1] == LABELS.folder:
        places.append(f"{storage.parent_and_name(folder)[0]}/{SUMMARY_FILE}")
    place = next(filter(storage.exists, places), None)
    if place is None:
        return None, None
    try:
        settings: dict[str, Any] = json.loads(storage.read_text(place))["settings"]
        return str(settings["image_list_file"]["value"]), int(settings["id_key_index"]["value"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None, None


def write_list(job: JobRun, rows: DataFrame, own_list: OwnList, settings: SelectImagesSettings) -> dict[str, str]:
    """Write what is kept as a list, in the order of the own list; text if it can say all, else Parquet.

    Parameters
    ----------
    rows : DataFrame
        From `selected`, with `row`.

    Returns
    -------
    dict
        `file`, the name of the list, and `reason`, why it is Parquet if it is.
    """
    kept = rows.where(F.col(schemas.REASON).isNull())
    reason = _why_no_text(kept, own_list, settings)
    in_order = kept.orderBy(schemas.ROW)
    if reason is None:
        place = f"{job.result}/{LIST_TEXT}"
        write_lines(job.storage, in_order.select(schemas.PATH), place, f"{job.staging}/parts")
        if _is_read_as_paths(job.storage, place):
            return {"file": LIST_TEXT}
        job.storage.delete(place)
        reason = "as text its first lines would not be read as a path each"
    in_order.select(schemas.PATH, _selected_identity()).write.parquet(f"{job.result}/{LIST_PARQUET}")
    _log.info("the list is Parquet: %s", reason)
    return {"file": LIST_PARQUET, "reason": reason}


def write_dropped(rows: DataFrame, folder: str) -> None:
    """Write which images were dropped, under the identity that they had, and why."""
    dropped = rows.where(F.col(schemas.REASON).isNotNull())
    dropped.select(*schemas.DROPPED.names).write.parquet(folder)


def _why_no_text(kept: DataFrame, own_list: OwnList, settings: SelectImagesSettings) -> str | None:
    """Why a list of paths alone would not say all that is kept; None if it would."""
    if settings.move_suggested or settings.merge_identities:
        return "identities may change"
    if own_list.order.has_identities:
        return "the list of the labels has identities"
    path = F.col(schemas.PATH)
    unfit = path.rlike(r"[\n\t\x00]") | ~keys.as_listed(path).eqNullSafe(path)
    other = F.lit(False)
    if own_list.id_key_index is not None:
        other = ~_selected_identity().eqNullSafe(keys.identity(path, own_list.id_key_index))
    first = {"unfit": unfit, "other": other}
    [found] = kept.agg(*(F.min(F.when(is_so, path)).alias(name) for name, is_so in first.items())).collect()
    if found.unfit is not None:
        return f"the path {found.unfit!r} does not fit into a line of text"
    return f"the identity of {found.other!r} does not come from the path" if found.other is not None else None


def _selected_identity() -> Column:
    return F.col(schemas.SELECTED_IDENTITY).alias(schemas.IDENTITY)


def _is_read_as_paths(storage: Storage, path: str) -> bool:
    """Whether a text is read as a path a line, whatever its paths look like."""
    try:
        return recognised(first_lines(storage, path), path) == ListForm()
    except InputError:
        return False
