"""What cuts must know of images, as a frame on the driver or on the workers."""

from collections.abc import Sequence

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.runtime.frames_by_arrow import collected

# The driver takes so many images at once: 13 bytes each, and 8 a set.
IMAGES_AT_ONCE = 1_000_000
IS_KNOWN = "is_known"
"""Whether an image has an identity."""
_LEAST_HASH, _HASHES = -(2**63), 2**64


def image_rows(images: LabelledImages, names: Sequence[str]) -> DataFrame:
    """The qualities of images, `identity_hash`, `is_known`, and `group_number`, -1 for none."""
    has_groups = schemas.GROUP in images.table.columns
    group = F.coalesce(schemas.GROUP, F.lit(-1)) if has_groups else F.lit(-1)
    known = F.col(schemas.IDENTITY).isNotNull()
    return images.table.select(*names, schemas.IDENTITY_HASH, known.alias(IS_KNOWN), group.alias(schemas.GROUP))


def all_at_once(images: LabelledImages, names: Sequence[str]) -> pd.DataFrame | None:
    """`image_rows` as a frame, if there are few enough for the driver."""
    return collected(image_rows(images, names)) if images.counts["images"] <= IMAGES_AT_ONCE else None


def sample_of(images: LabelledImages, names: Sequence[str]) -> pd.DataFrame:
    """The qualities of about as many images as the driver takes, those of the smallest hashes."""
    last_hash = _LEAST_HASH + int(IMAGES_AT_ONCE / images.counts["images"] * _HASHES)
    return collected(images.table.where(F.col(schemas.IMAGE_HASH) <= min(last_hash, 2**63 - 1)).select(*names))
