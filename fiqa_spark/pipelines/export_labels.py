"""Labels or recognizability scores on disk to text for those who train on them."""

from pyspark import StorageLevel
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.destination import Destination
from fiqa_spark.export import (
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
from fiqa_spark.image_list import check_encoding, read_paths
from fiqa_spark.progress import Steps
from fiqa_spark.result_store import LABELS, RECOGNIZABILITY, read_result
from fiqa_spark.row_order import numbered
from fiqa_spark.storage import Storage


def run(spark, settings):
    """The job: read labels, put them in order, write text.

    Parameters
    ----------
    spark : SparkSession
    settings : ExportLabelsSettings

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If there are no labels, a path cannot be written in this format, or the destination cannot be used.
    """
    storage, steps = Storage(spark), Steps(spark)
    own = ("labels.txt", "score_*.txt")
    table, _ = read_result(spark, settings.labels, LABELS, RECOGNIZABILITY)
    in_order = under_root(scored(_in_order(spark, storage, table, settings)), settings.image_root)
    # Sorted once, not once a file.
    labels = in_order.persist(StorageLevel.MEMORY_AND_DISK)
    application = spark.sparkContext.applicationId
    with Destination(
        storage, settings.dst, overwrite=settings.overwrite, own_entries=own, application=application
    ) as dst:
        with steps("checking labels"):
            account = _account(labels)
            if settings.format in ("tface", "seed"):
                check_paths(labels.where(F.col(schemas.SCORE).isNotNull()), absolute=settings.format == "tface")
                check_scale(labels)
        with steps("writing text"):
            _write(storage, labels, settings.format, dst.staging)
        dst.publish("result")
    return f"{account}\nwritten to {storage.qualified(settings.dst)} in {sum(steps.seconds.values()):.1f} s"


def _in_order(spark, storage, labels, settings):
    """Labels in the order of the image list, or of their paths."""
    if not settings.image_list_file:
        return labels.orderBy(schemas.PATH)
    paths = read_paths(spark, storage, settings.image_list_file).select(schemas.PATH)
    check_encoding(paths, f"--image-list-file {settings.image_list_file}")
    listed, _ = numbered(paths)
    first = listed.groupBy(schemas.PATH).agg(F.min(schemas.ROW).alias(schemas.ROW))
    return labels.join(first, schemas.PATH).orderBy(schemas.ROW).select(*labels.columns)


def _account(labels):
    seen = labels.agg(F.count("*").alias("images"), F.count(schemas.SCORE).alias("labelled")).first()
    what = "label" if schemas.LABEL in labels.columns else "score"
    return f"{seen.images} images, {seen.labelled} with a {what} and {seen.images - seen.labelled} without"


def _write(storage, labels, text_format, staging):
    """Write the file or folder ``result`` below the staging folder."""
    result = f"{staging}/result"
    if text_format == "seed":
        storage.make_folder(result)
        has_rounds = schemas.ROUND_LABELS in labels.columns
        rounds = labels.agg(F.max(F.size(schemas.ROUND_LABELS))).first()[0] if has_rounds else 0
        for name, lines in seed_files(labels, max(rounds or 0, 0)).items():
            _write_file(storage, lines, f"{result}/{name}", f"{staging}/parts-{name}")
        return
    lines = {"tface": tface_lines, "csv": csv_lines, "jsonl": json_lines}[text_format](labels)
    header = f"{csv_header(labels)}\n" if text_format == "csv" else ""
    _write_file(storage, lines, result, f"{staging}/parts", header)


def _write_file(storage, lines, path, parts, header=""):
    """Lines written side by side, then put together in order."""
    lines.write.text(parts)
    storage.write_text(f"{parts}/header", header)
    names = sorted(name for name, *_ in storage.entries(parts) if name.startswith("part-"))
    storage.concatenate([f"{parts}/header", *[f"{parts}/{name}" for name in names]], path)
