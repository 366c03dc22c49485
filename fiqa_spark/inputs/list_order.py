"""Where a path stands in its list, so that a result can be in the order of the list."""

from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs.image_list import place_of_list, read_paths
from fiqa_spark.inputs.text_lines import check_listed
from fiqa_spark.runtime.storage import Storage


class ListOrder(NamedTuple):
    """The order of a list."""

    places: DataFrame
    """`path_hash` and `path`, once, and `row`, which is less where its first row is further up; it is no number."""
    has_identities: bool
    """Whether the list has a column of identities."""


def order_of_list(spark: SparkSession, storage: Storage, path: str, *, setting: str | None = None) -> ListOrder:
    """The order of an image list, which is that of its rows, file after file by their names.

    Parameters
    ----------
    path : str
        As of `read_paths`.
    setting : str, optional
        Name of the setting that tells it, for messages.

    Raises
    ------
    InputError
        If there is no such list or it cannot be read.
    """
    paths = read_paths(spark, storage, path)
    check_listed(paths, setting=setting, path=path)
    # Spark counts the pieces of a file in their order, but not the files, and however many pieces it makes of them.
    place = F.monotonically_increasing_id()
    if storage.is_folder(place_of_list(storage, path)):
        place = F.struct(F.input_file_name().alias("file"), place.alias("piece"))
    rows = paths.select(F.xxhash64(schemas.PATH).alias(schemas.PATH_HASH), schemas.PATH, place.alias(schemas.ROW))
    places = rows.groupBy(schemas.PATH_HASH, schemas.PATH).agg(F.min(schemas.ROW).alias(schemas.ROW))
    return ListOrder(places, schemas.IDENTITY in paths.columns)
