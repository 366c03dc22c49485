"""ERS, the recognizability of faces: from image list and features to scores on disk."""

import functools
from collections.abc import Iterator
from typing import Any

from numpy.typing import ArrayLike
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import index_in_key, read_paths
from fiqa_spark.inputs.notebook_arguments import given_features, given_images
from fiqa_spark.inputs.open_features import open_features
from fiqa_spark.inputs.parquet_features import check_columns, keyed_features
from fiqa_spark.inputs.text_lines import check_listed
from fiqa_spark.methods import results
from fiqa_spark.methods.ers.clustering import check_scipy
from fiqa_spark.methods.ers.scores import scores_in, templates_in
from fiqa_spark.methods.ers.scoring import Scoring, score_images
from fiqa_spark.methods.ers.settings import RecognizabilitySettings
from fiqa_spark.methods.ers.ui_centroid import CENTROID_FILE, centroid_bytes, given_centroid, read_centroid
from fiqa_spark.methods.image_examples import unfit_identity
from fiqa_spark.methods.result_files import write_result
from fiqa_spark.pipelines.job_run import SUMMARY_FILE, JobRun
from fiqa_spark.pipelines.jobs import ScoreRecognizabilitySettings
from fiqa_spark.pipelines.summary import for_a_person, in_a_line, what_was_listed
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.settings import checked
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.storage import Storage

_TEMPLATES_FOLDER = "templates"


def score_recognizability(
    images: DataFrame,
    features: DataFrame,
    settings: RecognizabilitySettings,
    ui_centroid: ArrayLike | None = None,
) -> DataFrame:
    """Recognizability of face images from their embeddings, ERS (arXiv 2106.04112).

    The score of an image is the cosine distance of its embedding from the UI centroid, the direction in which
    unrecognizable images gather.

    Parameters
    ----------
    images : DataFrame
        Column `path`, and perhaps `identity`, as for `generate_labels`.
    features : DataFrame
        Columns `path` and `feature`, as for `generate_labels`.
    ui_centroid : array_like of float, shape (dimension,), optional
        The UI centroid; default: that of the cluster of the most identities in a sample of the images.

    Returns
    -------
    DataFrame
        One row for every distinct path: `path`, `identity`, `ers` (double, 0 to 1, without clipping to 2, higher is
        more recognizable, null unless the status is ``ok``), `recognizable` (`ers` is at least gamma), `status`. The
        scores are computed when the function is called and are kept as long as Spark keeps the DataFrame.

    Raises
    ------
    FiqaError
        If a setting is out of range or the input cannot give scores; the message tells why and what to do.
    """
    settings = checked(settings, RecognizabilitySettings)
    images, features = given_images(images), given_features(features)
    check_columns(features, setting="feature_root")
    known = None if ui_centroid is None else given_centroid(ui_centroid, {"source": "argument"}, setting="ui_centroid")
    if known is None:
        check_scipy()
    with told_to_users(), planned_by_identity(images.sparkSession):
        index = index_in_key(images, settings)
        roots = settings.feature_root, settings.image_root
        keyed = keyed_features(features, index, *roots, feature_type=settings.feature_type)
        scoring = score_images(images, keyed, settings, Steps(images.sparkSession), known=known)
    return scores_in(scoring.packs).table.select(*schemas.RECOGNIZABILITY.names)


def run(spark: SparkSession, settings: ScoreRecognizabilitySettings) -> str:
    """The job: read, find the centroid, score, write.

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If the input or the destination cannot be used; nothing is written then.
    """
    own = (results.RECOGNIZABILITY.folder, SUMMARY_FILE, CENTROID_FILE, _TEMPLATES_FOLDER)
    job, ui_list_file = JobRun(spark, settings, own_entries=own), settings.ui_list_file
    if not (settings.ui_centroid or ui_list_file):
        check_scipy()
    images = read_paths(spark, job.storage, settings.image_list_file)
    known = read_centroid(job.storage, settings.ui_centroid) if settings.ui_centroid else None
    unrecognizable = _unrecognizable(spark, job.storage, ui_list_file) if ui_list_file else None
    with job:
        features = open_features(spark, job.storage, images, settings, job.staging, job.steps, beside=unrecognizable)
        with planned_by_identity(spark):
            scoring = score_images(
                images,
                features,
                settings,
                job.steps,
                known=known,
                unrecognizable=unrecognizable,
                ui_list_file=ui_list_file,
                templates=settings.templates,
            )
        written = _write(job, scoring, settings)
        summary = job.publish_with_summary(
            **what_was_listed(scoring.counts.listed),
            recognizable=scoring.counts.recognizable,
            ers_mean=scoring.counts.mean,
            **written,
        )
    return for_a_person(summary, *_told(summary, settings))


def _write(job: JobRun, scoring: Scoring, settings: ScoreRecognizabilitySettings) -> dict[str, Any]:
    """Write all but the summary, and return what is to be told of it there."""
    with job.steps("writing scores"):
        identities = scoring.counts.listed.identities
        only_ascii = results.takes_only_ascii(scoring.packs.sparkSession)
        unfit = functools.partial(unfit_identity, scoring.examples, only_ascii=only_ascii)
        partitioning = results.choose_partitioning(unfit, identities, settings.partition_by)
        place = f"{job.result}/{results.RECOGNIZABILITY.folder}", partitioning, scoring.partitions
        kind = schemas.RECOGNIZABILITY
        percentiles = write_result(scores_in(scoring.packs), kind, *place, percentiles_of=schemas.ERS)
        job.storage.write_bytes(f"{job.result}/{CENTROID_FILE}", centroid_bytes(scoring.centroid))
    if settings.templates:
        with job.steps("writing templates"):
            in_order = templates_in(scoring.packs).sortWithinPartitions(schemas.IDENTITY)
            in_order.write.parquet(f"{job.result}/{_TEMPLATES_FOLDER}")
    about = {"file": CENTROID_FILE, "dimension": len(scoring.centroid.vector), **scoring.centroid.provenance}
    return {"ui_centroid": about, "partitioned_by": partitioning, "ers_percentiles": percentiles}


def _unrecognizable(spark: SparkSession, storage: Storage, path: str) -> DataFrame:
    """Paths of the list of unrecognizable images."""
    paths = read_paths(spark, storage, path)
    check_listed(paths, setting="ui_list_file", path=path)
    climbing = paths.where(keys.climbs(F.col(schemas.PATH))).head(1)
    if climbing:
        raise InputError(
            f"path {climbing[0][0]!r} climbs out of its root", setting="ui_list_file", remedy="remove its '..' parts"
        )
    return paths


def _told(summary: dict[str, Any], settings: ScoreRecognizabilitySettings) -> Iterator[str]:
    """What a person wants to know of scores."""
    centroid, scored = summary["ui_centroid"], summary["statuses"][schemas.OK]
    if centroid["source"] == "clustering":
        sample, others = centroid["sample"], centroid["next_largest"]
        yield (
            f"UI cluster {_cluster(centroid['cluster'])}; found among {sample['images']} images of "
            f"{sample['identities']} identities"
        )
        yield f"           the next-largest: {_cluster(others)}" if others else "           there is no other cluster"
    elif centroid["source"] == "list":
        yield f"UI images  {_cluster(centroid['cluster'])}; {centroid['listed']} listed in {centroid['path']}"
    else:
        yield f"UI centroid of {centroid['path']}"
    yield f"ERS        {in_a_line(summary['ers_percentiles'], 3)}"
    passed = summary["recognizable"]
    yield f"           {passed} of {scored} are recognizable ({passed / scored:.1%}): at least {settings.gamma:g}"


def _cluster(figures: dict[str, Any]) -> str:
    return f"{figures['images']} images of {figures['identities']} identities, cohesion {figures['cohesion']:.3f}"
