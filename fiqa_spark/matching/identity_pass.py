"""One pass over images joined with their features: a worker sees whole identities at a time, and yields frames."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, BooleanType, StructField, StructType

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.bucket_files import beside_stored
from fiqa_spark.inputs.row_images import OF_STORE, images_of_frame
from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity, joined_rows, whole_identities
from fiqa_spark.matching.join import Joined
from fiqa_spark.matching.joined_rows import rows_of_identities, rows_of_images
from fiqa_spark.runtime.workers import in_worker

_OF_LIST = (
    schemas.PATH,
    schemas.IDENTITY,
    schemas.IDENTITY_KEY,
    schemas.LIST_ROWS,
    schemas.IDENTITY_HASH,
    schemas.IMAGE_HASH,
)


def pass_over_images(
    joined: Joined,
    dimension: int,
    *,
    of_identities: Callable[[list[Rows]], Iterable[pd.DataFrame]],
    of_spilled: Callable[[SpilledIdentity], Iterable[pd.DataFrame]],
    schema: StructType,
    bytes_at_once: int,
) -> DataFrame:
    """What is computed from the embeddings of whole identities.

    A worker sees one identity after the other and never holds more than one batch of them; an identity that is larger
    than a batch waits on its disk.

    Parameters
    ----------
    joined : Joined
        Images beside their features.
    dimension : int
        Length of an embedding; a feature of another length is not usable.
    of_identities : callable
        Called in a worker with a list of `Rows`, one or more whole identities in several parts; yields frames.
    of_spilled : callable
        Called in a worker with a `SpilledIdentity`, one large identity; yields frames.
    schema : StructType
        Schema of these frames.
    bytes_at_once : int
        Vectors that a worker gathers before it computes with them.
    """
    rows_at_once = max(1, bytes_at_once // (4 * dimension))
    # Cheap, and a plan that spread an identity over two tasks would give wrong results.
    in_place = keys.bucket(joined.partitions) == F.spark_partition_id()
    fault = F.raise_error(F.lit("images of one identity lie in several partitions")).cast("long")
    checked = joined.table.withColumn(
        schemas.IDENTITY_KEY, F.when(in_place, F.col(schemas.IDENTITY_KEY)).otherwise(fault)
    )
    known, precision, more = to_arrow_schema(_known(joined)), joined.precision, joined.more
    buckets = joined.buckets
    if buckets is not None:
        checked = checked.select(*_OF_LIST, *more, schemas.KEY_HASH, schemas.PIECE, schemas.IDENTITY_BUCKET)
    elif precision:
        checked = checked.select(*_OF_LIST, *more, schemas.KEY_HASH, *OF_STORE)
    else:
        checked = checked.select(*_OF_LIST, *more, schemas.MATCHED, schemas.FEATURE)

    def rows_in(frames: Iterator[pd.DataFrame]) -> Iterator[Rows]:
        if not precision:
            return (rows_of_images(frame, dimension) for frame in frames)
        of_spark = ((frame, images_of_frame(frame, precision)) for frame in frames)
        met = of_spark if buckets is None else beside_stored(frames, buckets)
        return (rows_of_identities(frame, images, dimension, more) for frame, images in met)

    @in_worker
    def compute(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in whole_identities(rows_in(filter(len, frames)), rows_at_once, known):
            yield from of_spilled(batch) if isinstance(batch, SpilledIdentity) else of_identities(batch)

    return checked.mapInPandas(compute, schema)


def _known(joined: Joined) -> StructType:
    """Columns of the frames of `Rows`."""
    kinds = {name: joined.table.schema[name].dataType for name in (*_OF_LIST, *joined.more)}
    of_each = {name: kind.elementType if isinstance(kind, ArrayType) else kind for name, kind in kinds.items()}
    flags = dict.fromkeys((schemas.MATCHED, schemas.OTHER_LENGTH), BooleanType())
    return StructType([StructField(name, kind) for name, kind in {**of_each, **flags}.items()])


def statuses_of(rows: Rows) -> npt.NDArray[np.object_]:
    """Status of each row, ``ok`` where there is an identity and a usable embedding; object, shape (rows,)."""
    statuses = np.where(rows.usable, schemas.OK, schemas.INVALID_FEATURE).astype(object)
    statuses[~rows.column(schemas.MATCHED).astype(bool)] = schemas.MISSING_FEATURE
    statuses[~rows.identified] = schemas.NO_IDENTITY
    return statuses


def distinct_images(rows: Rows) -> tuple[Rows, npt.NDArray[np.int64]]:
    """The rows with each path once, and the list rows of each; those of what is left out are added to the first."""
    repeated, list_rows = repeated_images(rows.frame)
    kept = np.flatnonzero(~repeated)
    return (joined_rows([rows], kept) if repeated.any() else rows), list_rows[kept]


def repeated_images(frame: pd.DataFrame) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """True where a path has come before, and the list rows of each row, the first of all with those of the repeats."""
    identity_key, image = frame[schemas.IDENTITY_KEY].to_numpy(), frame[schemas.IMAGE_HASH].to_numpy()
    list_rows, repeated = frame[schemas.LIST_ROWS].to_numpy(), np.zeros(len(frame), bool)
    same = (image[1:] == image[:-1]) & (identity_key[1:] == identity_key[:-1])
    if same.any():
        near = np.append(False, same) | np.append(same, False)
        repeated[near] = frame.loc[near, schemas.PATH].duplicated()
        list_rows = list_rows.copy()
        list_rows[0] += list_rows[repeated].sum()
    return repeated, list_rows


def first_of_each_identity(rows: Rows, earlier: set[int]) -> list[int]:
    """Numbers of the rows whose identity has not come before.

    Parameters
    ----------
    earlier : set of int
        Hashes of the identities of earlier rows; those of these rows are added.
    """
    hashes = rows.column(schemas.IDENTITY_HASH)
    # Images of an identity are neighbours.
    borders = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
    borders = borders[rows.identified[borders]]
    firsts = []
    for first, identity in zip(borders.tolist(), hashes[borders].tolist(), strict=True):
        if identity not in earlier:
            earlier.add(identity)
            firsts.append(first)
    return firsts
