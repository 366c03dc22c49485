"""SDD-FIQA quality labels: from image list and features to labels on disk."""

from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from fiqa_spark.destination import Destination
from fiqa_spark.distances import round_distances
from fiqa_spark.feature_source import open_features
from fiqa_spark.features import check_columns, keyed_features
from fiqa_spark.image_list import ListCounts, check_images, distinct_images, read_paths
from fiqa_spark.label_store import LABELS_FOLDER, SUMMARY_FILE, choose_partitioning, write_labels
from fiqa_spark.labels import DistanceRanges, distance_ranges, scale_labels
from fiqa_spark.matching import check_matches, join_features
from fiqa_spark.pool import draw_pool
from fiqa_spark.progress import Steps
from fiqa_spark.settings import checked, with_origins
from fiqa_spark.storage import Storage
from fiqa_spark.summary import as_json, for_a_person, label_percentiles, versions


class Labelling(NamedTuple):
    """Labels and what was learned on the way to them."""

    labels: DataFrame
    """With the schema `schemas.LABELS`."""
    list_counts: ListCounts
    ranges: DistanceRanges


def generate_labels(images, features, settings):
    """Quality labels of face images from their embeddings, SDD-FIQA (arXiv 2103.05977).

    The label of an image is the 1-Wasserstein distance between its similarities to images of its own identity and its
    similarities to images of other identities, over several rounds of random comparisons, scaled to 0..100.

    Parameters
    ----------
    images : DataFrame
        Column `path`, and perhaps `identity`, which then wins over ``settings.id_key_index``.
    features : DataFrame
        Columns `path` and `feature`: array<float>, array<double>, Spark ML vector or little-endian float32 binary.
        Images and features meet on the path below ``settings.image_root`` and ``settings.feature_root``, without
        extension.
    settings : LabelSettings

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
    return label_images(images, features, checked(settings), Steps(images.sparkSession)).labels


def label_images(images, features, settings, steps):
    """What `generate_labels` does, step by step, with what is learned on the way."""
    check_columns(features, "features")
    with steps("reading the list"):
        images = distinct_images(images, settings)
        list_counts = check_images(images, settings)
    with steps("matching features"):
        features = keyed_features(features, settings.feature_root, settings.image_root)
        joined = join_features(images, features)
        if settings.load_feature:
            joined = joined.persist(StorageLevel.MEMORY_AND_DISK)
        matches = check_matches(joined, features, list_counts.images)
    with steps("drawing the pool"):
        pool = draw_pool(joined, joined if settings.load_feature else features, settings.pool_size, matches.keys)
    with steps("computing distances"):
        distances = round_distances(joined, matches.matched, pool, settings).persist(StorageLevel.MEMORY_AND_DISK)
        rounds = 1 if settings.estimator == "exact" else settings.rounds
        ranges = distance_ranges(distances, rounds, matches.keys)
    if settings.load_feature:
        joined.unpersist()
    return Labelling(scale_labels(distances, ranges, settings.normalize), list_counts, ranges)


def run(spark, settings):
    """The job: read, label, write.

    Parameters
    ----------
    spark : SparkSession
    settings : GenerateLabelsSettings

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
    own = (LABELS_FOLDER, SUMMARY_FILE)
    images = read_paths(spark, storage, settings.image_list_file)
    with Destination(storage, settings.score_dst, overwrite=settings.overwrite, own_entries=own) as dst:
        features = open_features(spark, storage, images, settings, dst.staging, steps)
        labelling = label_images(images, features, settings, steps)
        with steps("writing labels"):
            ranges = labelling.ranges
            partitioning = choose_partitioning(labelling.labels, ranges.identities, settings.partition_by)
            folder = f"{dst.staging}/result/{LABELS_FOLDER}"
            write_labels(labelling.labels, folder, partitioning, labelling.list_counts.images)
            percentiles = label_percentiles(labelling.labels)
        summary = {
            "destination": storage.qualified(settings.score_dst),
            "images": {
                "distinct": labelling.list_counts.images,
                "repeated_lines": labelling.list_counts.repeated_lines,
            },
            "identities": ranges.identities,
            "statuses": ranges.statuses,
            "partitioned_by": partitioning,
            "round_min": ranges.round_min,
            "round_max": ranges.round_max,
            "label_percentiles": percentiles,
            "settings": with_origins(settings),
            "versions": versions(spark),
            "seconds": steps.seconds,
        }
        storage.write_text(f"{dst.staging}/result/{SUMMARY_FILE}", as_json(summary))
        dst.publish("result")
    return for_a_person(summary)
