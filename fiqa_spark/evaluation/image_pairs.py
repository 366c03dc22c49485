"""The pairs of images that label sets are compared by, listed or drawn, of few images or of many."""

from typing import Any

from pyspark import StorageLevel
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.drawn_pairs import draw_mated, draw_non_mated
from fiqa_spark.evaluation.few_images import FewPairs, draw_pairs, few_images, listed_pairs
from fiqa_spark.evaluation.label_sets import has_every_label
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.evaluation.listed_pairs import read_listed_pairs, with_images
from fiqa_spark.evaluation.numbered_images import NumberedPairs, draw_numbered, numbered_images
from fiqa_spark.evaluation.pair_similarities import ManyPairs, check_memory
from fiqa_spark.evaluation.settings import ACROSS_HALVES, EvaluationSettings
from fiqa_spark.methods.mate_groups import half_of_key
from fiqa_spark.runtime.storage import Storage

Pairs = ManyPairs | NumberedPairs | FewPairs
_OF_IMAGE = (schemas.PATH, schemas.KEY, schemas.IDENTITY, schemas.IDENTITY_HASH, schemas.IMAGE_HASH)


def image_pairs(
    spark: SparkSession, storage: Storage, images: LabelledImages, names: list[str], settings: EvaluationSettings
) -> tuple[Pairs, dict[str, Any]]:
    """Pairs of images that have a label in every set.

    Parameters
    ----------
    storage : Storage
        Where the file of pairs lies, if there is one.
    names : list of str
        From `label_sets.quality_columns`.

    Returns
    -------
    pairs : ManyPairs, NumberedPairs or FewPairs
        To be compared by features of one model or of several.
    account : dict
        Where they come from, JSON-ready: ``source``, ``images``, ``images_with_every_label``, ``left_out``; of drawn
        pairs ``kind``, ``"any"`` or ``"across halves"``, and ``identities`` as from `draw_mated`.

    Raises
    ------
    InputError
        If there are no such pairs, or more than the driver can hold.
    """
    pairs_of = _listed if settings.pairs_file else _drawn
    pairs, more = pairs_of(spark, storage, images, names, settings)
    check_memory(spark, sum(pairs.counts.values()), len(names), settings)
    counts = {"images": images.counts["images"], "images_with_every_label": images.counts["labelled"]}
    return pairs, {"source": settings.pairs_file or "drawn", **counts, **more}


def _listed(
    spark: SparkSession, storage: Storage, images: LabelledImages, names: list[str], settings: EvaluationSettings
) -> tuple[Pairs, dict[str, Any]]:
    """Pairs of a file, and what is left out of them."""
    few = few_images(images, names, settings)
    columns = _columns_of_pairs(images, names) if few is None else (schemas.KEY, schemas.IMAGE_HASH)
    listed = read_listed_pairs(spark, storage, settings.pairs_file)
    known, left_out = with_images(listed, images, columns, names, settings)
    if few is None:
        return ManyPairs(known, names, settings.pair_quality), {"left_out": left_out}
    return listed_pairs(images.table, few, known, names, settings), {"left_out": left_out}


def _drawn(
    spark: SparkSession, _: Storage, images: LabelledImages, names: list[str], settings: EvaluationSettings
) -> tuple[Pairs, dict[str, Any]]:
    """Drawn pairs, and what they are of."""
    pairs: Pairs
    if (few := few_images(images, names, settings)) is not None:
        _check_memory_of_non_mated(spark, len(few), names, settings)
        pairs, identities = draw_pairs(images.table, few, names, settings)
    elif (numbered := numbered_images(images, names, settings)) is not None:
        _check_memory_of_non_mated(spark, len(numbered), names, settings)
        pairs, identities = draw_numbered(images.table, numbered, names, settings)
    else:
        pairs, identities = _drawn_of_many(images, names, settings)
    if settings.pairs == ACROSS_HALVES and not identities["with_mated_pairs"]:
        raise InputError(
            "no identity has labelled images in both of its halves, so that there is no mated pair across them",
            setting="pairs",
            value=settings.pairs,
            remedy="set `id_key_index` so that identities have several images, or use any",
        )
    kind = settings.pairs.replace("-", " ")
    return pairs, {"kind": kind, "identities": identities, "left_out": {}}


def _check_memory_of_non_mated(
    spark: SparkSession, images: int, names: list[str], settings: EvaluationSettings
) -> None:
    """Raise InputError if the driver could not hold the non-mated pairs that it is to draw of so many images."""
    check_memory(spark, min(settings.wanted_non_mated, images * (images - 1) // 2), len(names), settings)


def _drawn_of_many(
    images: LabelledImages, names: list[str], settings: EvaluationSettings
) -> tuple[ManyPairs, dict[str, int]]:
    """Drawn pairs of more images than the driver looks at, and the account of identities as from `draw_mated`."""
    columns = _columns_of_pairs(images, names)
    has_identity = F.col(schemas.IDENTITY).isNotNull()
    usable = images.table.where(has_identity & has_every_label(names)).persist(StorageLevel.MEMORY_AND_DISK)
    half = half_of_key(settings.seed) if settings.pairs == ACROSS_HALVES else None
    mated, identities = draw_mated(usable, columns, settings.mated_per_identity, half)
    non_mated = draw_non_mated(usable, columns, settings.wanted_non_mated)
    pairs = mated.withColumn(schemas.SAME, F.lit(True)).unionByName(non_mated.withColumn(schemas.SAME, F.lit(False)))
    return ManyPairs(pairs, names, settings.pair_quality), identities


def _columns_of_pairs(images: LabelledImages, names: list[str]) -> tuple[str, ...]:
    """What Spark's pairs need to know of either image."""
    groups = [schemas.GROUP] if schemas.GROUP in images.table.columns else []
    return (*_OF_IMAGE, *names, *groups)
