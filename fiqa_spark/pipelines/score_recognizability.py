"""ERS, the recognizability of faces: from image list and features to scores on disk."""

from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import keys, schemas
from fiqa_spark.clustering import check_memory, check_scipy
from fiqa_spark.destination import Destination
from fiqa_spark.driver_memory import free_bytes
from fiqa_spark.errors import InputError
from fiqa_spark.feature_source import open_features
from fiqa_spark.features import check_columns, keyed_features
from fiqa_spark.image_list import check_encoding, check_images, identified_images, index_in_key, read_paths
from fiqa_spark.matching import Matching
from fiqa_spark.planning import planned_by_cluster
from fiqa_spark.progress import Steps
from fiqa_spark.recognizability import ScoreCounts, score_counts, scored_images, templates_of
from fiqa_spark.result_store import RECOGNIZABILITY, SUMMARY_FILE, choose_partitioning, write_result
from fiqa_spark.settings import checked
from fiqa_spark.storage import Storage
from fiqa_spark.summary import Percentiles, as_json, for_a_person, how_it_ran, in_a_line, what_was_listed
from fiqa_spark.ui_centroid import (
    CENTROID_FILE,
    UiCentroid,
    centroid_bytes,
    centroid_of_images,
    found_centroid,
    given_centroid,
    read_centroid,
    warn_if_common,
)
from fiqa_spark.usable_images import draw_usable, lines_to_draw_from

_TEMPLATES_FOLDER = "templates"


class Scoring(NamedTuple):
    """Scores and what was learned on the way to them."""

    scores: DataFrame
    """With the schema `schemas.SCORES`."""
    counts: ScoreCounts
    centroid: UiCentroid
    partitions: int
    """Number of partitions by cluster that the scores lie in."""


def score_recognizability(images, features, settings, ui_centroid=None):
    """Recognizability of face images from their embeddings, ERS (arXiv 2106.04112).

    The score of an image is the cosine distance of its embedding from the UI centroid, the direction in which
    unrecognizable images gather.

    Parameters
    ----------
    images : DataFrame
        Column `path`, and perhaps `identity`, which then wins over ``settings.id_key_index``.
    features : DataFrame
        Columns `path` and `feature`, as for `generate_labels`.
    settings : RecognizabilitySettings
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
    settings = checked(settings)
    check_columns(features, "features")
    index = index_in_key(images, settings)
    keyed = keyed_features(features, index, settings.feature_root, settings.image_root)
    known = None if ui_centroid is None else given_centroid(ui_centroid, "ui_centroid", {"source": "argument"})
    if known is None:
        check_scipy()
    with planned_by_cluster(images.sparkSession):
        scoring = score_images(images, keyed, settings, Steps(images.sparkSession), known=known)
    return scoring.scores.select(*schemas.RECOGNIZABILITY.names)


def score_images(paths, features, settings, steps, *, known=None, unrecognizable=None, templates=False):
    """What `score_recognizability` does, step by step, with what is learned on the way.

    The centroid is the `known` one, that of the images of the list `unrecognizable`, or found.
    """
    find = known is None and unrecognizable is None
    size, per_identity = settings.cluster_sample, settings.cluster_per_identity
    with steps("reading the list"):
        images = identified_images(paths, settings, features.id_key_index)
        count = lines_to_draw_from(size, per_identity) if find else 1
        listed = check_images(images, settings, count, several_identities=find)
    matching = Matching(images, features, listed, settings.id_key_index)
    if unrecognizable is not None:
        with steps("averaging the unrecognizable images"):
            wanted = identified_images(unrecognizable, settings, features.id_key_index)
            known = centroid_of_images(wanted, features.table, settings.ui_list_file)
    if find:
        with steps("drawing the sample"):
            sample = draw_usable(images, features.table, listed.first, listed.lines, size, matching.keys, per_identity)
        with steps("finding the UI centroid"):
            check_memory(*sample.embeddings.shape, settings.linkage, free_bytes(paths.sparkSession))
            known = found_centroid(sample, settings)
    joined, partitions = matching.joined(len(known.vector))
    with steps("computing scores"):
        scores = scored_images(joined, partitions, known.vector, settings, templates=templates)
        scores = scores.persist(StorageLevel.MEMORY_AND_DISK)
        given = "" if find else {"list": "--ui-list-file"}.get(known.provenance["source"], "--ui-centroid")
        counts = score_counts(scores, len(known.vector), matching.keys, given=given)
    matching.check_lines(counts.listed.lines)
    if unrecognizable is not None:
        # All images but the few opposite to the centroid, whose scores are clipped, are as similar as this tells.
        warn_if_common(known.provenance["cluster"]["cohesion"], 1 - counts.mean, f"check {settings.ui_list_file}")
    return Scoring(scores, counts, known, partitions)


def run(spark, settings):
    """The job: read, find the centroid, score, write.

    Parameters
    ----------
    spark : SparkSession
    settings : ScoreRecognizabilitySettings

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If the input or the destination cannot be used; nothing is written then.
    """
    storage, steps = Storage(spark), Steps(spark)
    if not (settings.ui_centroid or settings.ui_list_file):
        check_scipy()
    own = (RECOGNIZABILITY.folder, SUMMARY_FILE, CENTROID_FILE, _TEMPLATES_FOLDER)
    images = read_paths(spark, storage, settings.image_list_file)
    known = read_centroid(storage, settings.ui_centroid) if settings.ui_centroid else None
    unrecognizable = _unrecognizable(spark, storage, settings.ui_list_file) if settings.ui_list_file else None
    application = spark.sparkContext.applicationId
    with Destination(
        storage, settings.score_dst, overwrite=settings.overwrite, own_entries=own, application=application
    ) as dst:
        features = open_features(spark, storage, images, settings, dst.staging, steps, beside=unrecognizable)
        with planned_by_cluster(spark):
            scoring = score_images(
                images,
                features,
                settings,
                steps,
                known=known,
                unrecognizable=unrecognizable,
                templates=settings.templates,
            )
        result = f"{dst.staging}/result"
        written = _write(storage, scoring, result, settings, steps)
        summary = {
            "destination": storage.qualified(settings.score_dst),
            **what_was_listed(scoring.counts.listed),
            "recognizable": scoring.counts.recognizable,
            "ers_mean": scoring.counts.mean,
            **written,
            **how_it_ran(spark, settings, steps),
        }
        storage.write_text(f"{result}/{SUMMARY_FILE}", as_json(summary))
        dst.publish("result")
    return for_a_person(summary, *_told(summary, settings))


def _write(storage, scoring, folder, settings, steps):
    """Write all but the summary, and return what is to be told of it there."""
    with steps("writing scores"):
        identities, percentiles = scoring.counts.listed.identities, Percentiles(schemas.ERS)
        partitioning = choose_partitioning(scoring.scores, identities, settings.partition_by)
        scores, place = percentiles.observed(scoring.scores), f"{folder}/{RECOGNIZABILITY.folder}"
        write_result(scores, schemas.RECOGNIZABILITY, place, partitioning, scoring.partitions)
        storage.write_bytes(f"{folder}/{CENTROID_FILE}", centroid_bytes(scoring.centroid))
    if settings.templates:
        with steps("writing templates"):
            in_order = templates_of(scoring.scores).sortWithinPartitions(schemas.IDENTITY)
            in_order.write.parquet(f"{folder}/{_TEMPLATES_FOLDER}")
    about = {"file": CENTROID_FILE, "dimension": len(scoring.centroid.vector), **scoring.centroid.provenance}
    return {"ui_centroid": about, "partitioned_by": partitioning, "ers_percentiles": percentiles.values()}


def _unrecognizable(spark, storage, path):
    """Paths of the list of unrecognizable images."""
    paths = read_paths(spark, storage, path)
    check_encoding(paths, f"--ui-list-file {path}")
    climbing = paths.where(keys.climbs(F.col(schemas.PATH))).head(1)
    if climbing:
        raise InputError(f"--ui-list-file: path {climbing[0][0]!r} climbs out of its root; remove its '..' parts")
    return paths


def _told(summary, settings):
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


def _cluster(figures):
    return f"{figures['images']} images of {figures['identities']} identities, cohesion {figures['cohesion']:.3f}"
