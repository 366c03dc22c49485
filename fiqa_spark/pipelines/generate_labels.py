"""SDD-FIQA quality labels: from image list and features to labels on disk."""

from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from fiqa_spark import result_store, schemas
from fiqa_spark.curve_files import areas_for_a_person, curves_summary
from fiqa_spark.destination import Destination
from fiqa_spark.distances import round_distances
from fiqa_spark.evaluation import evaluate_own_labels
from fiqa_spark.feature_source import open_features
from fiqa_spark.features import check_columns, keyed_features, vector_length
from fiqa_spark.image_list import check_images, identified_images, index_in_key, read_paths
from fiqa_spark.label_sets import label_set
from fiqa_spark.labels import DistanceRanges, distance_ranges, scale_labels
from fiqa_spark.matching import Matching
from fiqa_spark.planning import planned_by_cluster
from fiqa_spark.pool import draw_pool
from fiqa_spark.progress import Steps
from fiqa_spark.report import check_installed, page
from fiqa_spark.result_store import PAGE_FILE, SUMMARY_FILE, choose_partitioning, write_result
from fiqa_spark.settings import EvaluationSettings, checked, fields_of
from fiqa_spark.storage import Storage
from fiqa_spark.summary import Percentiles, as_json, for_a_person, how_it_ran, in_a_line, run_facts, what_was_listed
from fiqa_spark.usable_images import lines_to_draw_from


class Labelling(NamedTuple):
    """Labels and what was learned on the way to them."""

    labels: DataFrame
    """The columns of `schemas.LABELS`, and `cluster`."""
    ranges: DistanceRanges
    partitions: int
    """Number of partitions by cluster that the labels lie in."""


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
    settings = checked(settings)
    check_columns(features, "features")
    index = index_in_key(images, settings)
    keyed = keyed_features(features, index, settings.feature_root, settings.image_root)
    with planned_by_cluster(images.sparkSession):
        labels = label_images(images, keyed, settings, Steps(images.sparkSession)).labels
    return labels.select(*schemas.LABELS.names)


def label_images(paths, features, settings, steps):
    """What `generate_labels` does, step by step, with what is learned on the way."""
    with steps("reading the list"):
        images = identified_images(paths, settings, features.id_key_index)
        listed = check_images(images, settings, lines_to_draw_from(settings.pool_size))

    matching = Matching(images, features, listed, settings.id_key_index)
    vectors = features.table
    if settings.load_feature:
        joined, partitions = matching.joined(vector_length(features.table))
        joined = joined.persist(StorageLevel.MEMORY_AND_DISK)
        vectors = joined.where(schemas.MATCHED)
    with steps("drawing the pool"):
        pool = draw_pool(images, vectors, listed.first, listed.lines, settings.pool_size, matching.keys)
    if not settings.load_feature:
        joined, partitions = matching.joined(pool.dimension)
    with steps("computing distances"):
        distances = round_distances(joined, pool, partitions, settings).persist(StorageLevel.MEMORY_AND_DISK)
        ranges = distance_ranges(distances, settings.rounds_computed, matching.keys)
    matching.check_lines(ranges.counts.lines)
    if settings.load_feature:
        joined.unpersist()
    return Labelling(scale_labels(distances, ranges, settings.normalize), ranges, partitions)


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
    if settings.report:
        check_installed()
    storage, steps = Storage(spark), Steps(spark)
    own = (result_store.LABELS.folder, SUMMARY_FILE, PAGE_FILE)
    images = read_paths(spark, storage, settings.image_list_file)
    application = spark.sparkContext.applicationId
    with Destination(
        storage, settings.score_dst, overwrite=settings.overwrite, own_entries=own, application=application
    ) as dst:
        features = open_features(spark, storage, images, settings, dst.staging, steps)
        with planned_by_cluster(spark):
            labelling = label_images(images, features, settings, steps)
        with steps("writing labels"):
            ranges = labelling.ranges
            partitioning = choose_partitioning(labelling.labels, ranges.counts.identities, settings.partition_by)
            result = f"{dst.staging}/result"
            percentiles = Percentiles(schemas.LABEL)
            labels = percentiles.observed(labelling.labels)
            write_result(
                labels, schemas.LABELS, f"{result}/{result_store.LABELS.folder}", partitioning, labelling.partitions
            )
        summary = {
            "destination": storage.qualified(settings.score_dst),
            **what_was_listed(ranges.counts),
            "images_beyond_intra_pool": ranges.beyond_mates,
            "partitioned_by": partitioning,
            "round_min": ranges.round_min,
            "round_max": ranges.round_max,
            "label_percentiles": percentiles.values(),
            **how_it_ran(spark, settings, steps),
        }
        evaluated = _evaluated(spark, storage, labelling.labels, features, settings, steps) if settings.report else None
        if evaluated:
            facts = run_facts(spark, settings)
            storage.write_text(f"{result}/{PAGE_FILE}", page(evaluated, title="Quality labels", facts=facts))
            summary["evaluation"] = curves_summary(evaluated)
        storage.write_text(f"{result}/{SUMMARY_FILE}", as_json(summary))
        dst.publish("result")
    return for_a_person(summary, *_told(ranges, summary["label_percentiles"], settings), *_curves_told(evaluated))


def _evaluated(spark, storage, labels, features, settings, steps):
    """Findings about the labels just computed, by drawn pairs."""
    given = {
        item.name: getattr(settings, item.name)
        for item in fields_of(EvaluationSettings)
        if hasattr(settings, item.name)
    }
    own = label_set("labels", storage.qualified(settings.score_dst), labels, schemas.LABEL)
    return evaluate_own_labels(spark, storage, own, EvaluationSettings(**given), steps, features)


def _curves_told(evaluated):
    """What a person wants to know of the evaluation, if there was one."""
    if evaluated:
        yield from areas_for_a_person(evaluated)
        yield f"page       {PAGE_FILE}"


def _told(ranges, percentiles, settings):
    """What a person wants to know of labels."""
    yield f"labels     {in_a_line(percentiles, 2)}"
    if ranges.beyond_mates:
        yield (
            f"{ranges.beyond_mates} images are of identities with more than {settings.intra_pool_size} images, "
            "and were compared with so many of them"
        )
    yield f"distances  {min(ranges.round_min):.4f} to {max(ranges.round_max):.4f}"
