"""Labels or recognizability scores on disk to text for those who train on them."""

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.list_order import order_of_list
from fiqa_spark.methods.results import KINDS, LABELS, Kind, read_result
from fiqa_spark.pipelines.job_run import JobRun
from fiqa_spark.pipelines.jobs import ExportLabelsSettings
from fiqa_spark.pipelines.text_formats import (
    check_paths,
    check_scale,
    csv_header,
    csv_lines,
    json_lines,
    scored,
    seed_files,
    tface_lines,
    under_root,
)
from fiqa_spark.runtime.sql_conf import planned_for_small_files
from fiqa_spark.runtime.storage import Storage
from fiqa_spark.runtime.text_parts import write_lines

_LISTED = "listed"


def run(spark: SparkSession, settings: ExportLabelsSettings) -> str:
    """The job: read labels, put them in order, write text.

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If there are no labels, a path cannot be written in this format, or the destination cannot be used.
    """
    is_file = settings.format != "seed"
    job = JobRun(spark, settings, own_entries=("labels.txt", "score_*.txt"), is_file=is_file)
    table, kind = read_result(spark, settings.labels, *KINDS)
    in_order = under_root(scored(_in_order(spark, job.storage, table, settings), kind), settings.image_root)
    # Sorted once, not once a file.
    labels = in_order.persist(StorageLevel.MEMORY_AND_DISK)
    with job:
        with job.steps("checking labels"), planned_for_small_files(spark):
            account = _account(labels, kind)
            if settings.format in ("tface", "seed"):
                check_paths(labels.where(F.col(schemas.SCORE).isNotNull()), absolute=settings.format == "tface")
                check_scale(labels)
        with job.steps("writing text"):
            _write(job, labels, settings.format)
        job.publish()
    return f"{account}\nwritten to {job.destination} in {sum(job.steps.seconds.values()):.1f} s"


def _in_order(spark: SparkSession, storage: Storage, labels: DataFrame, settings: ExportLabelsSettings) -> DataFrame:
    """Labels in the order of the image list, or of their paths."""
    if not settings.image_list_file:
        return labels.orderBy(schemas.PATH)
    places = order_of_list(spark, storage, settings.image_list_file, setting="image_list_file").places
    # Labels of a notebook have the paths that it gave, those of a job the paths of its list.
    listed = labels.withColumn(_LISTED, keys.as_listed(F.col(schemas.PATH)))
    in_list = listed.join(places.withColumnRenamed(schemas.PATH, _LISTED), _LISTED)
    return in_list.orderBy(schemas.ROW).select(*labels.columns)


def _account(labels: DataFrame, kind: Kind) -> str:
    [counts] = labels.agg(F.count("*").alias("images"), F.count(schemas.SCORE).alias("labelled")).collect()
    what = "label" if kind.folder == LABELS.folder else "score"
    return f"{counts.images} images, {counts.labelled} with a {what} and {counts.images - counts.labelled} without"


def _write(job: JobRun, labels: DataFrame, text_format: str) -> None:
    """Write the file or folder that is the result."""
    if text_format == "seed":
        job.storage.make_folder(job.result)
        has_rounds = schemas.ROUND_LABELS in labels.columns
        rounds = labels.agg(F.max(F.size(schemas.ROUND_LABELS))).collect()[0][0] if has_rounds else 0
        for name, lines in seed_files(labels, max(rounds or 0, 0)).items():
            write_lines(job.storage, lines, f"{job.result}/{name}", f"{job.staging}/parts-{name}")
        return
    lines = {"tface": tface_lines, "csv": csv_lines, "jsonl": json_lines}[text_format](labels)
    header = f"{csv_header(labels)}\n" if text_format == "csv" else ""
    write_lines(job.storage, lines, job.result, f"{job.staging}/parts", header)
