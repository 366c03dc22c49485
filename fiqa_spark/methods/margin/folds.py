"""Which of the prior's coefficients an image gets: a column of the images."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.kernels.prior import FOLDS


def with_folds(images: DataFrame) -> DataFrame:
    """Images with the fold of their identity.

    Parameters
    ----------
    images : DataFrame
        `key` and `identity`.

    Returns
    -------
    DataFrame
        With `fold`, from 0 to 4, of the key where there is no identity.
    """
    fold = F.crc32(F.coalesce(schemas.IDENTITY, schemas.KEY)) % FOLDS
    return images.withColumn(schemas.FOLD, fold.cast("byte"))
