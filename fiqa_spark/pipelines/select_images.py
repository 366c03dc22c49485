"""The images to train on: from labels, an audit and a recognizability to a list that every other job reads."""

from collections.abc import Iterator
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import LIST_PARQUET, LIST_TEXT
from fiqa_spark.inputs.notebook_arguments import given_result
from fiqa_spark.methods.identities.results import Audit, read_audit_tables
from fiqa_spark.methods.results import LABELS, MARGIN_LABELS, RECOGNIZABILITY, read_result
from fiqa_spark.methods.selection.counts import (
    ImageCounts,
    as_summary,
    check_any_kept,
    check_known,
    count_identities,
    count_images,
)
from fiqa_spark.methods.selection.selecting import selected
from fiqa_spark.methods.selection.settings import SelectionSettings
from fiqa_spark.pipelines.job_run import SUMMARY_FILE, JobRun
from fiqa_spark.pipelines.jobs import SelectImagesSettings
from fiqa_spark.pipelines.selected_list import open_own_list, write_dropped, write_list
from fiqa_spark.pipelines.summary import run_lines
from fiqa_spark.runtime.settings import checked
from fiqa_spark.runtime.spark_failures import told_to_users

_DROPPED_FOLDER = "dropped"
_OF_LABELS = (schemas.PATH, schemas.IDENTITY, schemas.LABEL, schemas.STATUS)
_OF_SCORES = (schemas.PATH, schemas.IDENTITY, schemas.ERS, schemas.STATUS)
_OF_IDENTITIES_TOLD = {
    "merged": "merged into another",
    "too_few": "had too few images left",
    "emptied": "have no image left",
    "new": "are new",
}
_OF_IDENTITIES = (schemas.IDENTITY, schemas.MERGED_IDENTITY)


def select_images(
    labels: DataFrame,
    settings: SelectionSettings,
    audit: Audit | None = None,
    recognizability: DataFrame | None = None,
) -> DataFrame:
    """Which images are kept, under which identity, and why the others are dropped.

    Parameters
    ----------
    labels : DataFrame
        From `generate_labels` or `read_labels`, of either method.
    settings : SelectionSettings
        What is asked of an image.
    audit : Audit, optional
        What an audit of the same images found, as from `audit_identities` or `read_audit`.
    recognizability : DataFrame, optional
        Scores of the same images.

    Returns
    -------
    DataFrame
        One row for every image of the labels: `path`, `identity` (after moves and merges), `label`, `reason` (null for
        what is kept, else the first of `schemas.REASONS` that applies). They are computed when the function is called
        and are kept, in memory or on disk, as long as Spark keeps the DataFrame.

    Raises
    ------
    FiqaError
        If settings contradict one another or what is given, or no image is left; the message tells why.
    """
    settings = checked(settings, SelectionSettings)
    settings.check_given(audit=audit is not None, recognizability=recognizability is not None)
    labels = given_result(labels, "labels", _OF_LABELS)
    audit = _given_audit(audit) if audit is not None else None
    if recognizability is not None:
        recognizability = given_result(recognizability, "recognizability", _OF_SCORES)
    with told_to_users():
        rows = selected(labels, settings, audit=audit, recognizability=recognizability)
        _counted(rows, labels, audit, recognizability)
    identity = F.col(schemas.SELECTED_IDENTITY).alias(schemas.IDENTITY)
    return rows.select(schemas.PATH, identity, schemas.LABEL, schemas.REASON)


def _given_audit(audit: Audit) -> Audit:
    """An audit of a notebook, with the columns that count here."""
    if not isinstance(audit, Audit):
        raise InputError("is no audit", setting="audit", remedy="give read_audit(spark, folder)")
    columns = (name for name in schemas.AUDITED_IMAGES.names if name != schemas.MEMBERSHIP)
    return audit._replace(
        images=given_result(audit.images, "audit", columns),
        identities=given_result(audit.identities, "audit", _OF_IDENTITIES),
    )


def run(spark: SparkSession, settings: SelectImagesSettings) -> str:
    """The job: read, decide about every image, write the list and what was dropped.

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If the input or the destination cannot be used, or no image is left; nothing is written then.
    """
    job = JobRun(spark, settings, own_entries=(LIST_TEXT, LIST_PARQUET, _DROPPED_FOLDER, SUMMARY_FILE))
    labels = _as_listed(read_result(spark, settings.labels, LABELS, MARGIN_LABELS)[0].select(*_OF_LABELS))
    audit = _read_audit(spark, settings.audit) if settings.audit else None
    scores = None
    if settings.recognizability:
        scores = _as_listed(read_result(spark, settings.recognizability, RECOGNIZABILITY)[0].select(*_OF_SCORES))
    own_list = open_own_list(spark, job.storage, settings)
    with job:
        with job.steps("deciding"):
            places = own_list.order.places
            rows = selected(labels, settings, places=places, audit=audit, recognizability=scores)
            counts = _counted(rows, labels, audit, scores)
            may_be_renamed = settings.move_suggested or settings.merge_identities
            identities = count_identities(rows, may_be_renamed=may_be_renamed)
        with job.steps("writing the list"):
            job.storage.make_folder(job.result)
            written = write_list(job, rows, own_list, settings)
            write_dropped(rows, f"{job.result}/{_DROPPED_FOLDER}")
        facts = {**as_summary(counts, identities), **_unknown(counts, settings)}
        summary = job.publish_with_summary(**facts, list=written, image_list=own_list.path)
    return "\n".join(_told(summary))


def _as_listed(table: DataFrame) -> DataFrame:
    """A result whose paths are as those of the list, and not as a notebook gave them."""
    return table.withColumn(schemas.PATH, keys.as_listed(F.col(schemas.PATH)))


def _read_audit(spark: SparkSession, folder: str) -> Audit:
    audit = read_audit_tables(spark, folder)
    return audit._replace(images=_as_listed(audit.images))


def _counted(rows: DataFrame, labels: DataFrame, audit: Audit | None, recognizability: DataFrame | None) -> ImageCounts:
    """Counts of a selection; InputError if it is empty or comes from what does not belong together."""
    counts = count_images(rows)
    given = {"audit": audit.images if audit else None, "recognizability": recognizability}
    check_known(counts, {name: table for name, table in given.items() if table is not None}, labels)
    check_any_kept(counts)
    return counts


def _unknown(counts: ImageCounts, settings: SelectImagesSettings) -> dict[str, Any]:
    """The entries of a summary that tell of images of the labels that audit and recognizability do not know."""
    known = {"audit": counts.audited, "recognizability": counts.scored}
    return {f"not_in_{name}": counts.labelled - known[name] for name in known if getattr(settings, name)}


def _told(summary: dict[str, Any]) -> Iterator[str]:
    """What a person wants to know of a selection."""
    images, identities = summary["images"], summary["identities"]
    yield f"{images['kept']} of {images['listed']} images kept, {images['dropped']} dropped"
    yield ""
    yield from (f"  {reason:<20} {count:>12}" for reason, count in summary["reasons"].items())
    yield ""
    if images["moved"] or images["merged"]:
        yield f"renamed    {images['moved']} images moved, {images['merged']} under a common name"
    yield f"identities {identities['before']} before, {identities['after']} after"
    gone = [f"{identities[name]} {words}" for name, words in _OF_IDENTITIES_TOLD.items() if identities[name]]
    if gone:
        yield f"           {', '.join(gone)}"
    for name in ("audit", "recognizability"):
        if summary.get(f"not_in_{name}"):
            yield f"images of the labels that the {name} does not know: {summary[f'not_in_{name}']}"
    yield f"written to {summary['destination']}, {summary['list']['file']} in the order of {summary['image_list']}"
    yield from run_lines(summary)
