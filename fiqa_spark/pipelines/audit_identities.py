"""Who stands under a wrong name, and who has two: from image list and features to the tables of an audit on disk."""

import functools
from collections.abc import Iterator
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.audit_findings import audit_findings
from fiqa_spark.evaluation.report.audit_page import audit_page
from fiqa_spark.evaluation.report.audit_pictures import with_pictures
from fiqa_spark.evaluation.report.rendering import check_installed
from fiqa_spark.inputs.image_list import index_in_key, read_paths, rows_about
from fiqa_spark.inputs.notebook_arguments import given_features, given_images
from fiqa_spark.inputs.open_features import open_features
from fiqa_spark.inputs.parquet_features import check_columns, keyed_features
from fiqa_spark.methods import results
from fiqa_spark.methods.frozen_settings import frozen
from fiqa_spark.methods.identities.auditing import Auditing, Given, audited
from fiqa_spark.methods.identities.references import (
    CENTRES,
    read_audit_reference,
    read_centres,
    write_audit_reference,
)
from fiqa_spark.methods.identities.results import IDENTITIES, PAIRS, Audit
from fiqa_spark.methods.identities.settings import AuditSettings
from fiqa_spark.methods.margin import learning as margin_learning
from fiqa_spark.methods.references import FOLDER as REFERENCE_FOLDER
from fiqa_spark.methods.result_files import write_result
from fiqa_spark.pipelines.job_run import PAGE_FILE, SUMMARY_FILE, JobRun
from fiqa_spark.pipelines.jobs import AuditIdentitiesSettings
from fiqa_spark.pipelines.summary import for_a_person, run_facts, what_was_listed
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.settings import checked
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.sql_conf import planned_by_identity, planned_for_rows
from fiqa_spark.runtime.storage import Storage

# Rows of identities and pairs that make a file.
_ROWS_A_FILE = 500_000


def audit_identities(images: DataFrame, features: DataFrame, settings: AuditSettings) -> Audit:
    """Audit of identities: which images stand under a wrong name, and who has two names.

    Parameters
    ----------
    images : DataFrame
        Column `path`, and perhaps `identity`, as for `generate_labels`.
    features : DataFrame
        Columns `path` and `feature`, as for `generate_labels`.
    settings : AuditSettings

    Returns
    -------
    Audit
        `images`: one row for every distinct path, with `membership` (double, 0 to 1, the probability that it shows its
        identity's person; null for an image alone in its identity, and without a usable feature), `verdict` (``own``,
        ``other``, ``unlike``, ``alone``), `suggested_identity` and `suggested_similarity` of an ``other``, `status`.
        `identities`: one row for every identity. `identity_pairs`: one for two that seem to be one person. Memberships
        are computed when the function is called and are kept as long as Spark keeps them.

    Raises
    ------
    FiqaError
        If a setting is out of range or the input cannot be audited; the message tells why and what to do.
    """
    settings = checked(settings, AuditSettings)
    images, features = given_images(images), given_features(features)
    check_columns(features, setting="feature_root")
    spark = images.sparkSession
    with told_to_users(), planned_by_identity(spark):
        settings, given = _with_reference(spark, settings)
        index = index_in_key(images, settings)
        roots = settings.feature_root, settings.image_root
        keyed = keyed_features(features, index, *roots, feature_type=settings.feature_type)
        auditing = audited(images, keyed, settings, Steps(spark), given)
        found = auditing.found.audit
        with planned_for_rows(spark, auditing.counts.images):
            return Audit(_kept(found.images.drop(schemas.IDENTITY_KEY)), *map(_kept, found[1:]))


def _kept(table: DataFrame) -> DataFrame:
    """A table computed now, while Spark plans as its tables need it, and kept."""
    kept = table.persist(StorageLevel.MEMORY_AND_DISK)
    kept.count()
    return kept


def run(spark: SparkSession, settings: AuditIdentitiesSettings) -> str:
    """The job: read, audit, write.

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If the input or the destination cannot be used; nothing is written then.
    """
    if settings.report:
        check_installed()
    settings, given = _with_reference(spark, settings)
    own_entries = (results.AUDITED_IMAGES.folder, IDENTITIES.folder, PAIRS.folder, REFERENCE_FOLDER)
    job = JobRun(spark, settings, own_entries=(*own_entries, SUMMARY_FILE, PAGE_FILE))
    images = read_paths(spark, job.storage, settings.image_list_file)
    about_rows = functools.cache(functools.partial(rows_about, spark, job.storage, settings.image_list_file))
    with job:
        features = open_features(spark, job.storage, images, settings, job.staging, job.steps)
        with planned_by_identity(spark), planned_for_rows(spark, about_rows()):
            auditing = audited(images, features, settings, job.steps, given._replace(about_rows=about_rows))
            with planned_for_rows(spark, auditing.counts.images):
                written = _write(job, auditing, settings)
                if settings.report:
                    _write_page(job, auditing, written["verdicts"], settings, run_facts(spark, settings))
        summary = job.publish_with_summary(**what_was_listed(auditing.counts), **_facts(auditing), **written)
    return for_a_person(summary, *_told(summary, settings))


def _with_reference(spark: SparkSession, settings: Any) -> tuple[Any, Given]:
    """The settings with those of the reference that they name, and what that holds."""
    if not settings.reference:
        return settings, Given()
    storage = Storage(spark)
    margins, audit = read_audit_reference(storage, settings.reference)
    if margins.method != margin_learning.METHOD:
        raise InputError(
            f"the reference is of the method {margins.method}, and identities are measured by margins",
            setting="reference",
            remedy="give that of an audit or of margin labels, or leave it out",
        )
    # Of halves of identities an audit knows nothing.
    fixed = {name: value for name, value in margins.settings.items() if name != "half_mates"}
    settings = frozen(settings, margins._replace(settings=fixed), margin_learning.METHOD)
    return settings, Given(margins, audit, read_centres(spark, storage, audit) if audit else None)


def _write(job: JobRun, auditing: Auditing, settings: AuditIdentitiesSettings) -> dict[str, Any]:
    """Write the tables and what was learned, and return what is to be told of it."""
    found, identities = auditing.found, auditing.counts.identities
    with job.steps("writing the audit"):
        images, folder = found.audit.images, f"{job.result}/{results.AUDITED_IMAGES.folder}"
        unfit = functools.partial(results.unfit_identity_of, auditing.members)
        partitioning = results.choose_partitioning(unfit, identities, settings.partition_by)
        verdicts = Observation()
        is_each = {verdict: F.col(schemas.VERDICT) == verdict for verdict in schemas.VERDICTS}
        images = images.observe(verdicts, *(F.count_if(column).alias(name) for name, column in is_each.items()))
        write_result(images, results.AUDITED_IMAGES.schema, folder, partitioning, auditing.partitions)
        _write_rows(found.audit.identities, schemas.IDENTITY, identities, f"{job.result}/{IDENTITIES.folder}")
        _write_rows(found.audit.identity_pairs, schemas.IDENTITY_A, found.merged.pairs, f"{job.result}/{PAIRS.folder}")
        reference = f"{job.result}/{REFERENCE_FOLDER}"
        learned = auditing.margins, auditing.memberships, auditing.chances
        folder = write_audit_reference(job.storage, reference, *learned)
        auditing.centres.select(*CENTRES.names).write.parquet(folder)
    return {"verdicts": verdicts.get, "partitioned_by": partitioning}


def _write_rows(table: DataFrame, first: str, rows: int, folder: str) -> None:
    """Write rows in few files, in the order of their first column."""
    table.repartition(1 + rows // _ROWS_A_FILE, first).sortWithinPartitions(*table.columns[:2]).write.parquet(folder)


def _write_page(
    job: JobRun,
    auditing: Auditing,
    verdicts: dict[str, int],
    settings: AuditIdentitiesSettings,
    facts: dict[str, str],
) -> None:
    """Write the page of what was found."""
    with job.steps("drawing the page"):
        findings = with_pictures(audit_findings(auditing, verdicts, settings), job.storage, settings.image_root)
        shown = audit_page(findings, title="Audit of identities", facts=facts)
        job.storage.write_text(f"{job.result}/{PAGE_FILE}", shown)


def _facts(auditing: Auditing) -> dict[str, Any]:
    """What the summary tells of an audit."""
    merged, thresholds, pairs = auditing.found.merged, auditing.thresholds, auditing.memberships.pairs
    return {
        "identities_compared": thresholds.identities,
        "thresholds": {"image": thresholds.of_image, "pair": thresholds.of_pair},
        "identity_pairs": merged.pairs,
        "persons_with_several_identities": merged.groups,
        "identities_of_these_persons": merged.identities,
        "reference": {
            "fingerprint": auditing.margins.fingerprint,
            "expected_membership": auditing.memberships.expected,
            "mated_std": pairs.mated_std,
            "non_mated": {"mean": pairs.non_mated_mean, "std": pairs.non_mated_std},
            "image_and_other_centre": auditing.chances.of_image._asdict(),
            "two_centres": auditing.chances.of_pair._asdict(),
        },
    }


def _told(summary: dict[str, Any], settings: AuditIdentitiesSettings) -> Iterator[str]:
    """What a person wants to know of an audit."""
    verdicts, audited_images = summary["verdicts"], summary["statuses"][schemas.OK]
    for verdict in schemas.VERDICTS:
        yield f"  {verdict:<16} {verdicts[verdict]:>12}  {verdicts[verdict] / audited_images:.1%}  {_MEANINGS[verdict]}"
    yield ""
    thresholds = summary["thresholds"]
    yield (
        f"{summary['identities_compared']} identities have evidence of {settings.least_evidence:g} or more; "
        f"an image is another's from a similarity of {_shown(thresholds['image'])}, and two identities are one person "
        f"from {_shown(thresholds['pair'])}"
    )
    yield (
        f"{summary['identity_pairs']} pairs of identities seem to be one person each: "
        f"{summary['identities_of_these_persons']} names of {summary['persons_with_several_identities']} persons"
    )
    source = f", taken from {settings.reference}" if settings.reference else ""
    yield f"reference  {summary['reference']['fingerprint']}{source}"
    if settings.report:
        yield f"{PAGE_FILE} shows the most certain of each kind"


_MEANINGS = {
    schemas.OWN: "show the person of their identity",
    schemas.OTHER: "show somebody else, whose identity is suggested",
    schemas.UNLIKE: "show nobody that is known, or too little of a face",
    schemas.ALONE: "are the one image of their identity",
}


def _shown(threshold: float | None) -> str:
    return "none" if threshold is None else f"{threshold:.3f}"
