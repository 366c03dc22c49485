"""Quality labels: from image list and features to labels on disk."""

from collections.abc import Iterator

from pyspark.sql import DataFrame, SparkSession

from fiqa_spark import schemas
from fiqa_spark.evaluation.curve_files import areas_for_a_person, curves_summary
from fiqa_spark.evaluation.evaluate import evaluate_own_labels
from fiqa_spark.evaluation.findings import Findings
from fiqa_spark.evaluation.label_sets import label_set
from fiqa_spark.evaluation.report.contact_sheets import with_pictures
from fiqa_spark.evaluation.report.page import check_installed, page
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.image_list import index_in_key, read_paths
from fiqa_spark.inputs.notebook_arguments import given_features, given_images
from fiqa_spark.inputs.open_features import open_features
from fiqa_spark.inputs.parquet_features import Features, check_columns, keyed_features
from fiqa_spark.methods import results
from fiqa_spark.methods.sdd_fiqa.labelling import Labelling, label_images
from fiqa_spark.methods.sdd_fiqa.labels import DistanceRanges
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from fiqa_spark.pipelines.job_run import PAGE_FILE, SUMMARY_FILE, JobRun
from fiqa_spark.pipelines.jobs import GenerateLabelsSettings
from fiqa_spark.pipelines.summary import Percentiles, for_a_person, in_a_line, run_facts, what_was_listed
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.settings import checked, fields_of
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.sql_conf import planned_by_identity


def generate_labels(images: DataFrame, features: DataFrame, settings: LabelSettings) -> DataFrame:
    """Quality labels of face images from their embeddings, SDD-FIQA (arXiv 2103.05977).

    The label of an image is the 1-Wasserstein distance between its similarities to images of its own identity and its
    similarities to images of other identities, over several rounds of random comparisons, scaled to 0..100.

    Parameters
    ----------
    images : DataFrame
        Column `path`, and perhaps `identity`, which then wins over ``settings.id_key_index``: text or numbers, of which
        a whole one is written without a fraction. Every row must have a path.
    features : DataFrame
        Columns `path` and `feature`: array<float>, array<double>, Spark ML vector or little-endian float32 binary.
        Images and features meet on the path below ``settings.image_root`` and ``settings.feature_root``, without
        extension. Every row must have a path.

    Returns
    -------
    DataFrame
        One row for every distinct path: `path`, `identity`, `label` (double, 0 to 100, higher is better, null unless
        the status is ``ok``), `status`, `distance` (mean over the rounds, in [0, 2]), `distance_std`, `intra_count`,
        `inter_count`, `round_labels`. The distances are computed when the function is called and are kept, in memory
        or on disk, as long as Spark keeps the DataFrame.

    Raises
    ------
    FiqaError
        If a setting is out of range or the input cannot give labels; the message tells why and what to do.
    """
    settings = checked(settings, LabelSettings)
    images, features = given_images(images), given_features(features)
    check_columns(features, setting="feature_root")
    with told_to_users(), planned_by_identity(images.sparkSession):
        index = index_in_key(images, settings)
        roots = settings.feature_root, settings.image_root
        keyed = keyed_features(features, index, *roots, feature_type=settings.feature_type)
        labels = label_images(images, keyed, settings, Steps(images.sparkSession)).labels
    return labels.select(*schemas.LABELS.names)


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
    job = JobRun(spark, settings, own_entries=(results.LABELS.folder, SUMMARY_FILE, PAGE_FILE))
    images = read_paths(spark, job.storage, settings.image_list_file)
    with job:
        features = open_features(spark, job.storage, images, settings, job.staging, job.steps)
        with planned_by_identity(spark):
            labelling = label_images(images, features, settings, job.steps)
        written = _write(job, labelling, settings)
        findings = _evaluated(spark, job, labelling.labels, features, settings) if settings.report else None
        if findings:
            facts = run_facts(spark, settings)
            shown = page(with_pictures(findings, job.storage, settings.image_root), title="Quality labels", facts=facts)
            job.storage.write_text(f"{job.result}/{PAGE_FILE}", shown)
            written["evaluation"] = curves_summary(findings)
        summary = job.publish_with_summary(**what_was_listed(labelling.ranges.counts), **written)
    told = _told(labelling.ranges, summary["label_percentiles"], settings)
    return for_a_person(summary, *told, *_curves_told(findings))


def _write(job: JobRun, labelling: Labelling, settings: GenerateLabelsSettings) -> dict:
    """Write the labels, and return what the summary tells of them."""
    ranges = labelling.ranges
    with job.steps("writing labels"):
        partitioning = results.choose_partitioning(labelling.labels, ranges.counts.identities, settings.partition_by)
        percentiles = Percentiles(schemas.LABEL)
        labels, folder = percentiles.observed(labelling.labels), f"{job.result}/{results.LABELS.folder}"
        results.write_result(labels, schemas.LABELS, folder, partitioning, labelling.partitions)
    return {
        "images_beyond_intra_pool": ranges.intra_truncated,
        "partitioned_by": partitioning,
        "round_min": ranges.round_min,
        "round_max": ranges.round_max,
        "label_percentiles": percentiles.values(),
    }


def _evaluated(
    spark: SparkSession, job: JobRun, labels: DataFrame, features: Features, settings: GenerateLabelsSettings
) -> Findings:
    """Findings about the labels just computed, by drawn pairs."""
    shared = {
        item.name: getattr(settings, item.name)
        for item in fields_of(EvaluationSettings)
        if hasattr(settings, item.name)
    }
    own = label_set("labels", job.destination, labels, results.LABELS)
    return evaluate_own_labels(spark, job.storage, own, EvaluationSettings(**shared), job.steps, features)


def _curves_told(findings: Findings | None) -> Iterator[str]:
    """What a person wants to know of the evaluation, if there was one."""
    if findings:
        yield from areas_for_a_person(findings)
        yield f"page       {PAGE_FILE}"


def _told(ranges: DistanceRanges, percentiles: dict[str, float], settings: LabelSettings) -> Iterator[str]:
    """What a person wants to know of labels."""
    yield f"labels     {in_a_line(percentiles, 2)}"
    if ranges.intra_truncated:
        yield (
            f"{ranges.intra_truncated} images are of identities with more than {settings.intra_pool_size} images, "
            "and were compared with so many of them"
        )
    yield f"distances  {min(ranges.round_min):.4f} to {max(ranges.round_max):.4f}"
