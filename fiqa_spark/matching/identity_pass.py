"""One pass over images joined with their features: what a worker sees, whole clusters at a time, and what it yields."""

import numpy as np
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from fiqa_spark import schemas
from fiqa_spark.inputs.vectors import stack_vectors
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity, joined_rows, whole_identities
from fiqa_spark.runtime.workers import in_worker

_COLUMNS = (
    schemas.PATH,
    schemas.IDENTITY,
    schemas.IDENTITY_KEY,
    schemas.LIST_ROWS,
    schemas.IDENTITY_HASH,
    schemas.IMAGE_HASH,
    schemas.MATCHED,
    schemas.FEATURE,
)


def pass_over_images(joined, partitions, dimension, *, of_identities, of_spilled, schema, bytes_at_once, more=()):
    """What is computed from the embeddings of whole identities.

    A worker sees one cluster after the other and never holds more than one batch of them; a cluster that is larger
    than a batch waits on its disk.

    Parameters
    ----------
    joined : DataFrame
        From `join_features`.
    partitions : int
        Number of partitions by cluster that `joined` lies in.
    dimension : int
        Length of an embedding; a feature of another length is not usable.
    of_identities : callable
        Called in a worker with a list of `Rows`, one or more whole clusters in several parts; yields pandas frames.
    of_spilled : callable
        Called in a worker with a `SpilledIdentity`, usually one large identity; yields pandas frames.
    schema : StructType
        Schema of these frames.
    bytes_at_once : int
        Vectors that a worker gathers before it computes with them.
    more : tuple of str
        Columns that are wanted beside those that every pass needs.

    Returns
    -------
    DataFrame
    """
    rows_at_once = max(1, bytes_at_once // (4 * dimension))
    # Cheap, and a plan that spread an identity over two tasks would give wrong results.
    in_place = F.pmod(F.hash(schemas.IDENTITY_KEY), F.lit(partitions)) == F.spark_partition_id()
    fault = F.raise_error(F.lit("images of one identity lie in several partitions")).cast("long")
    checked = joined.select(*_COLUMNS, *more).withColumn(
        schemas.IDENTITY_KEY, F.when(in_place, F.col(schemas.IDENTITY_KEY)).otherwise(fault)
    )
    known = to_arrow_schema(checked.drop(schemas.FEATURE).schema)

    @in_worker
    def compute(frames):
        rows = (_with_embeddings(frame, dimension) for frame in frames)
        for found in whole_identities(rows, rows_at_once, known):
            yield from of_spilled(found) if isinstance(found, SpilledIdentity) else of_identities(found)

    return checked.mapInPandas(compute, schema)


def _with_embeddings(frame, dimension):
    """A frame's rows beside their unit embeddings; while a vector is at hand, it is still in the processor's cache."""
    embeddings, usable = unit_embeddings(stack_vectors(frame[schemas.FEATURE], dimension))
    return Rows(frame.drop(columns=schemas.FEATURE), embeddings, usable)


def statuses_of(rows):
    """Status of each row, ``ok`` where there is an identity and a usable embedding; object, shape (rows,)."""
    statuses = np.where(rows.usable, schemas.OK, schemas.INVALID_FEATURE).astype(object)
    statuses[~rows.column(schemas.MATCHED).astype(bool)] = schemas.MISSING_FEATURE
    statuses[rows.frame[schemas.IDENTITY].isna().to_numpy()] = schemas.NO_IDENTITY
    return statuses


def distinct_images(rows):
    """The rows with each path once, and the lines of each; those of what is left out are added to the first."""
    repeated, lines = repeated_images(rows.frame)
    kept = np.flatnonzero(~repeated)
    return (joined_rows([rows], kept) if repeated.any() else rows), lines[kept]


def repeated_images(frame):
    """True where a path has come before, and the lines of each row, the first of all with those of the repeats."""
    cluster, image = frame[schemas.IDENTITY_KEY].to_numpy(), frame[schemas.IMAGE_HASH].to_numpy()
    lines, repeated = frame[schemas.LIST_ROWS].to_numpy(), np.zeros(len(frame), bool)
    same = (image[1:] == image[:-1]) & (cluster[1:] == cluster[:-1])
    if same.any():
        near = np.append(False, same) | np.append(same, False)
        repeated[near] = frame.loc[near, schemas.PATH].duplicated()
        lines = lines.copy()
        lines[0] += lines[repeated].sum()
    return repeated, lines


def first_of_each_identity(rows, seen):
    """Numbers of the rows whose identity has not come before.

    Parameters
    ----------
    rows : Rows
    seen : set of int
        Hashes of the identities of earlier rows; those of these rows are added.

    Returns
    -------
    list of int
    """
    identities, firsts = np.unique(rows.column(schemas.IDENTITY_HASH), return_index=True)
    has_identity = rows.frame[schemas.IDENTITY].notna().to_numpy()
    new = [
        first
        for identity, first in zip(identities.tolist(), firsts.tolist(), strict=True)
        if has_identity[first] and identity not in seen
    ]
    seen.update(rows.column(schemas.IDENTITY_HASH)[new].tolist())
    return new
