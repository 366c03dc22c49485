"""Quality labels: from image list and features to labels on disk."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar, cast

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from fiqa_spark import schemas
from fiqa_spark.evaluation.curve_files import areas_for_a_person, curves_summary
from fiqa_spark.evaluation.evaluate import evaluate_own_labels
from fiqa_spark.evaluation.findings import Findings
from fiqa_spark.evaluation.label_sets import label_set
from fiqa_spark.evaluation.report.contact_sheets import with_pictures
from fiqa_spark.evaluation.report.page import page
from fiqa_spark.evaluation.report.rendering import check_installed
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import index_in_key, read_paths, rows_about
from fiqa_spark.inputs.notebook_arguments import given_features, given_images
from fiqa_spark.inputs.open_features import open_features
from fiqa_spark.inputs.parquet_features import check_columns, keyed_features
from fiqa_spark.methods import results
from fiqa_spark.methods.frozen_settings import frozen
from fiqa_spark.methods.labelling import Given, Labelling, LabelMethod, labelled
from fiqa_spark.methods.margin import learning as margin_learning
from fiqa_spark.methods.margin.labelling import MarginMethod
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.references import FOLDER as REFERENCE_FOLDER
from fiqa_spark.methods.references import Reference, read_reference, write_reference
from fiqa_spark.methods.result_files import write_result
from fiqa_spark.methods.sdd_fiqa.labelling import SddFiqaMethod
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from fiqa_spark.pipelines.earlier_result import check_parts, open_earlier
from fiqa_spark.pipelines.job_run import PAGE_FILE, SUMMARY_FILE, JobRun
from fiqa_spark.pipelines.jobs import METHODS, GenerateLabelsSettings
from fiqa_spark.pipelines.summary import for_a_person, in_a_line, run_facts, what_was_listed
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.settings import checked, fields_of
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.storage import Storage

_MethodSettings = TypeVar("_MethodSettings", bound=LabelSettings | MarginSettings)


def generate_labels(images: DataFrame, features: DataFrame, settings: LabelSettings | MarginSettings) -> DataFrame:
    """Quality labels of face images from their embeddings.

    With `LabelSettings`, SDD-FIQA (arXiv 2103.05977): the label of an image is the 1-Wasserstein distance between its
    similarities to images of its own identity and its similarities to images of other identities, over several rounds
    of random comparisons, scaled to 0..100. With `MarginSettings`, the similarity that the image can expect with a good
    image of its person, above what strangers reach, on the scale of what was learned.

    Parameters
    ----------
    images : DataFrame
        Column `path`, and perhaps `identity`, which then wins over ``settings.id_key_index``: text or numbers, of which
        a whole one is written without a fraction. Every row must have a path.
    features : DataFrame
        Columns `path` and `feature`: array<float>, array<double>, Spark ML vector or little-endian float32 binary.
        Images and features meet on the path below ``settings.image_root`` and ``settings.feature_root``, without
        extension. Every row must have a path.
    settings : LabelSettings or MarginSettings
        They tell the method.

    Returns
    -------
    DataFrame
        One row for every distinct path: `path`, `identity`, `label` (double, 0 to 100, higher is better, null without
        a usable feature, and of SDD-FIQA without enough images), `status`; of SDD-FIQA `distance` (mean over the
        rounds, in [0, 2]), `distance_std`, `intra_count`, `inter_count`, `round_labels`; of margins `margin`,
        `margin_std` (its standard deviation), `prior` (what the own feature tells of the margin), `mates` (number of
        images it was compared with), `stranger_similarity`. They are computed when the function is called and are
        kept, in memory or on disk, as long as Spark keeps the DataFrame.

    Raises
    ------
    FiqaError
        If a setting is out of range or the input cannot give labels; the message tells why and what to do.
    """
    settings = checked(settings, LabelSettings, MarginSettings)
    images, features = given_images(images), given_features(features)
    check_columns(features, setting="feature_root")
    with told_to_users(), planned_by_identity(images.sparkSession):
        settings, known = _with_reference(Storage(images.sparkSession), settings)
        index = index_in_key(images, settings)
        roots = settings.feature_root, settings.image_root
        keyed = keyed_features(features, index, *roots, feature_type=settings.feature_type)
        labelling = _labelled(images, keyed, settings, Steps(images.sparkSession), Given(known))
    return labelling.labels.select(*labelling.kind.schema.names)


def _labelled(
    images: DataFrame, features: Features, settings: LabelSettings | MarginSettings, steps: Steps, given: Given
) -> Labelling:
    """Labels by the method that the settings tell; those of a job are settings of every method."""
    method: LabelMethod
    if _method_of(settings) == margin_learning.METHOD:
        method = MarginMethod(cast(MarginSettings, settings))
    else:
        method = SddFiqaMethod(cast(LabelSettings, settings))
    return labelled(method, images, features, settings, steps, given)


def _method_of(settings: LabelSettings | MarginSettings) -> str:
    if isinstance(settings, GenerateLabelsSettings):
        return settings.method
    return next(method for method, its_settings in METHODS.items() if isinstance(settings, its_settings))


def _with_reference(storage: Storage, settings: _MethodSettings) -> tuple[_MethodSettings, Reference | None]:
    """The settings with those of the reference that they name, and that reference, if they name one."""
    if not settings.reference:
        return settings, None
    known = read_reference(storage, settings.reference)
    return frozen(settings, known, _method_of(settings)), known


def _with_reference_of_update(settings: GenerateLabelsSettings) -> GenerateLabelsSettings:
    """The settings with the reference of the earlier result, unless they name one."""
    if settings.reference:
        return settings
    return replace(settings, reference=settings.update, origins={**settings.origins, "reference": "update"})


def run(spark: SparkSession, settings: GenerateLabelsSettings) -> str:
    """The job: read, label, write.

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
    if settings.update:
        check_parts(Storage(spark), settings.update)
        settings = _with_reference_of_update(settings)
    settings, known = _with_reference(Storage(spark), settings)
    own_entries = (results.LABELS.folder, REFERENCE_FOLDER, SUMMARY_FILE, PAGE_FILE)
    job = JobRun(spark, settings, own_entries=own_entries)
    images = read_paths(spark, job.storage, settings.image_list_file)
    with job:
        earlier = open_earlier(spark, job.storage, settings, known) if settings.update and known else None
        features = open_features(spark, job.storage, images, settings, job.staging, job.steps)
        with planned_by_identity(spark):
            about_rows = functools.partial(rows_about, spark, job.storage, settings.image_list_file)
            labelling = _labelled(images, features, settings, job.steps, Given(known, earlier, about_rows))
            if earlier and settings.report:
                # They are put together anew for whoever reads them, and the page takes several looks.
                labelling = labelling._replace(labels=labelling.labels.persist(StorageLevel.MEMORY_AND_DISK))
        written = _write(job, labelling, settings)
        findings = _evaluated(spark, job, labelling, features, settings) if settings.report else None
        if findings:
            facts = run_facts(spark, settings)
            shown = page(with_pictures(findings, job.storage, settings.image_root), title="Quality labels", facts=facts)
            job.storage.write_text(f"{job.result}/{PAGE_FILE}", shown)
            written["evaluation"] = curves_summary(findings)
        summary = job.publish_with_summary(**what_was_listed(labelling.counts), **written)
    percentiles = f"labels     {in_a_line(summary['label_percentiles'], 2)}"
    source = f", taken from {settings.reference}" if known else ""
    reference = f"reference  {labelling.reference.fingerprint}{source}"
    return for_a_person(summary, percentiles, *labelling.told, reference, *_curves_told(findings))


def _write(job: JobRun, labelling: Labelling, settings: GenerateLabelsSettings) -> dict:
    """Write the labels, and return what the summary tells of them."""
    with job.steps("writing labels"):
        partitioning = results.choose_partitioning(
            labelling.unfit_identity, labelling.counts.identities, settings.partition_by
        )
        folder, labels = f"{job.result}/{results.LABELS.folder}", labelling.packed or labelling.labels
        place = folder, partitioning, labelling.partitions
        percentiles = write_result(labels, labelling.kind.schema, *place, percentiles_of=schemas.LABEL)
        write_reference(job.storage, f"{job.result}/{REFERENCE_FOLDER}", labelling.reference)
    reference = {"fingerprint": labelling.reference.fingerprint, **_numbers_told(labelling)}
    return {
        **labelling.facts,
        "reference": reference,
        "partitioned_by": partitioning,
        "label_percentiles": percentiles,
    }


def _numbers_told(labelling: Labelling) -> dict[str, Any]:
    """Numbers of the reference that the summary does not tell already."""
    return {name: value for name, value in labelling.reference.numbers.items() if name not in labelling.facts}


def _evaluated(
    spark: SparkSession, job: JobRun, labelling: Labelling, features: Features, settings: GenerateLabelsSettings
) -> Findings:
    """Findings about the labels just computed, by drawn pairs."""
    shared = {
        item.name: getattr(settings, item.name)
        for item in fields_of(EvaluationSettings)
        if hasattr(settings, item.name)
    }
    if settings.half_mates:
        shared["pairs"] = "across-halves"
    own = label_set("labels", job.destination, labelling.labels, labelling.kind)
    return evaluate_own_labels(spark, job.storage, own, EvaluationSettings(**shared), job.steps, features)


def _curves_told(findings: Findings | None) -> Iterator[str]:
    """What a person wants to know of the evaluation, if there was one."""
    if findings:
        yield from areas_for_a_person(findings)
        yield f"page       {PAGE_FILE}"
