"""Features of any form to Parquet vectors."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.feature_store import DESCRIPTION_FILE
from fiqa_spark.inputs.open_features import import_features
from fiqa_spark.pipelines.job_run import JobRun
from fiqa_spark.pipelines.jobs import ImportFeaturesSettings
from fiqa_spark.runtime.storage import literal

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
            account = _account(spark.read.schema(schemas.FEATURE_STORE).parquet(literal(job.result)))
        job.publish()
    return (
        f"{account}\nin {store['buckets']} buckets by part {store['id_key_index']} of the path\n"
        f"written to {job.destination} in {sum(job.steps.seconds.values()):.1f} s"
    )


def _account(store: DataFrame) -> str:
    """Number of features, their lengths, and one that has no vector."""
    lengths = store.groupBy((F.octet_length(schemas.FEATURE) / 4).cast("int").alias("length")).agg(
        F.count("*").alias("features"),
        F.min_by(F.concat_ws(": ", schemas.PATH, schemas.PROBLEM), schemas.PATH).alias("example"),
    )
    rows = lengths.orderBy(F.desc("features")).limit(10).collect()
    if not any(row.length for row in rows):
        example = f", as {rows[0].example}" if rows else ""
        raise InputError(f"no feature there that can be read{example}", setting="source")
    return "\n".join(
        f"{row.features} features of length {row.length}"
        if row.length
        else f"{row.features} unreadable, as {row.example}"
        for row in rows
    )
