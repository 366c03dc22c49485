"""Features of any form to Parquet vectors."""

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.feature_store import DESCRIPTION_FILE
from fiqa_spark.inputs.open_features import import_features
from fiqa_spark.pipelines.job_run import JobRun
from fiqa_spark.pipelines.jobs import ImportFeaturesSettings
from fiqa_spark.runtime.storage import literal

_LENGTHS_TOLD = 10
_OWN_ENTRIES = ("part-*.parquet", "_SUCCESS", DESCRIPTION_FILE)


def run(spark: SparkSession, settings: ImportFeaturesSettings) -> str:
    """The job: read features, write them as Parquet.

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If the features or the destination cannot be used; nothing is written then.
    """
    job = JobRun(spark, settings, own_entries=_OWN_ENTRIES)
    with job:
        with job.steps("importing features"):
            store = import_features(spark, job.storage, settings, job.result)
        with job.steps("counting"):
            account = _account(spark.read.schema(schemas.FEATURE_STORE).parquet(literal(job.result)), store)
        job.publish()
    return (
        f"{account}\nin {store['buckets']} buckets by part {store['id_key_index']} of the path\n"
        f"written to {job.destination} in {sum(job.steps.seconds.values()):.1f} s"
    )


def _account(rows: DataFrame, store: dict[str, Any]) -> str:
    """Number of features, their lengths, and one that has no vector."""
    lengths = {int(length): images for length, images in store["lengths"]}
    unreadable = lengths.pop(0, 0)
    example = ""
    if unreadable:
        told = F.arrays_zip(schemas.KEYS, schemas.PROBLEMS)
        each = rows.where(F.col(schemas.PROBLEMS).isNotNull()).select(F.inline(told)).where("problems is not null")
        [found] = each.agg(F.min_by(F.concat_ws(": ", schemas.KEYS, schemas.PROBLEMS), schemas.KEYS)).collect()
        example = f", as {found[0]}" if found[0] else ""
    if not lengths:
        raise InputError(f"no feature there that can be read{example}", setting="source")
    in_order = sorted(lengths.items(), key=lambda item: -item[1])[:_LENGTHS_TOLD]
    lines = [f"{images} features of length {length}" for length, images in in_order]
    return "\n".join([*lines, *([f"{unreadable} unreadable{example}"] if unreadable else [])])
