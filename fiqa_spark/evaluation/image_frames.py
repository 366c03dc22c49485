"""What cuts and draws must know of images, as a frame on the driver or on the workers."""

from collections.abc import Sequence

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.evaluation.pair_similarities import NO_GROUP
from fiqa_spark.evaluation.settings import ACROSS_HALVES, EvaluationSettings
from fiqa_spark.methods.mate_groups import half_of_key
from fiqa_spark.runtime.frames_by_arrow import collected

# The driver takes so many images at once: 13 bytes each, and 8 a set.
IMAGES_AT_ONCE = 1_000_000
IS_KNOWN = "is_known"
"""Whether an image has an identity."""
_LEAST_HASH, _HASHES = -(2**63), 2**64


def image_rows(images: LabelledImages, names: Sequence[str]) -> DataFrame:
    """The qualities of images, `identity_hash`, `is_known`, and `group_number`, -1 for none."""
    group = _group() if schemas.GROUP in images.table.columns else F.lit(NO_GROUP)
    known = F.col(schemas.IDENTITY).isNotNull()
    return images.table.select(*names, schemas.IDENTITY_HASH, known.alias(IS_KNOWN), group.alias(schemas.GROUP))


def all_at_once(images: LabelledImages, names: Sequence[str]) -> pd.DataFrame | None:
    """`image_rows` as a frame, if there are few enough for the driver."""
    return collected(image_rows(images, names)) if images.counts["images"] <= IMAGES_AT_ONCE else None


def sample_of(images: LabelledImages, names: Sequence[str]) -> pd.DataFrame:
    """The qualities of about as many images as the driver takes, those of the smallest hashes."""
    last_hash = _LEAST_HASH + int(IMAGES_AT_ONCE / images.counts["images"] * _HASHES)
    return collected(images.table.where(F.col(schemas.IMAGE_HASH) <= min(last_hash, 2**63 - 1)).select(*names))


def in_hash_order(table: DataFrame, columns: Sequence[Column], settings: EvaluationSettings) -> pd.DataFrame:
    """Images in the order of which pairs are drawn, that of their hashes.

    Parameters
    ----------
    table : DataFrame
        As of `LabelledImages`.
    columns : sequence of Column
        What is wanted of them, `image_hash` among it.
    settings : EvaluationSettings
        `pairs` and `seed`, which tell the halves of identities.

    Returns
    -------
    DataFrame of pandas
        The columns; `group_number` (-1 for none) where the images have it, and `half` (0 or 1) where pairs are drawn
        across halves.
    """
    wanted = list(columns)
    if schemas.GROUP in table.columns:
        wanted.append(_group().alias(schemas.GROUP))
    if settings.pairs == ACROSS_HALVES:
        wanted.append(half_of_key(settings.seed).alias(schemas.HALF))
    return collected(table.select(*wanted)).sort_values(schemas.IMAGE_HASH, ignore_index=True)


def _group() -> Column:
    return F.coalesce(F.col(schemas.GROUP), F.lit(NO_GROUP))
