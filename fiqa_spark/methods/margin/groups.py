"""Which images are mates, and which of the prior's coefficients an image gets: columns of the images."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.kernels.prior import FOLDS
from fiqa_spark.methods.margin.settings import MarginSettings

_HALF = "half"


def with_groups(images: DataFrame, settings: MarginSettings) -> DataFrame:
    """Images with the fold of their identity and the hash of their group of mates.

    Parameters
    ----------
    images : DataFrame
        `key`, `identity` and `identity_hash`.

    Returns
    -------
    DataFrame
        With `fold`, from 0 to 4, of the key where there is no identity; and `mate_group` if identities are cut in two.
    """
    fold = F.crc32(F.coalesce(schemas.IDENTITY, schemas.KEY)) % FOLDS
    images = images.withColumn(schemas.FOLD, fold.cast("byte"))
    return images.withColumn(schemas.MATE_GROUP, _half_of_identity(settings.seed)) if settings.half_mates else images


def group_column(settings: MarginSettings) -> str:
    """Column with the hash of an image's group of mates."""
    return schemas.MATE_GROUP if settings.half_mates else schemas.IDENTITY_HASH


def columns_of_groups(settings: MarginSettings) -> tuple[str, ...]:
    """The columns that `with_groups` adds."""
    return (schemas.FOLD, schemas.MATE_GROUP) if settings.half_mates else (schemas.FOLD,)


def _half_of_identity(seed: int) -> Column:
    # Not the hash of the image itself, by whose order identities are cut and pools are drawn.
    half = F.pmod(keys.seeded_hash(seed, F.lit(_HALF), schemas.KEY), F.lit(2))
    return F.xxhash64(schemas.IDENTITY_HASH, half)
