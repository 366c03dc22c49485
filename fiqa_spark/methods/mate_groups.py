"""Which images are mates: those of an identity, or of a half of it, by which pairs across halves can judge labels."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.methods.settings import MethodSettings

_HALF = "half"


def with_mate_groups(images: DataFrame, settings: MethodSettings) -> DataFrame:
    """Images with the hash of their group of mates, where identities are cut in two.

    Parameters
    ----------
    images : DataFrame
        `key` and `identity_hash`.

    Returns
    -------
    DataFrame
        With `mate_group` if identities are cut in two.
    """
    half = half_of_identity(settings)
    if half is None:
        return images
    return images.withColumn(schemas.MATE_GROUP, F.xxhash64(schemas.IDENTITY_HASH, half))


def half_of_identity(settings: MethodSettings) -> Column | None:
    """Which half of its identity an image of such a `key` belongs to, 0 or 1; None where identities are not cut."""
    return half_of_key(settings.seed) if settings.half_mates else None


def half_of_key(seed: int) -> Column:
    """The half, 0 or 1, that an image of such a `key` belongs to wherever identities are cut in two with that seed."""
    # Not the hash of the image itself, by whose order identities are cut and pools are drawn.
    return F.pmod(keys.seeded_hash(seed, F.lit(_HALF), schemas.KEY), F.lit(2))


def group_column(settings: MethodSettings) -> str:
    """Column with the hash of an image's group of mates."""
    return schemas.MATE_GROUP if settings.half_mates else schemas.IDENTITY_HASH


def columns_of_groups(settings: MethodSettings) -> tuple[str, ...]:
    """The columns that `with_mate_groups` adds."""
    return (schemas.MATE_GROUP,) if settings.half_mates else ()
