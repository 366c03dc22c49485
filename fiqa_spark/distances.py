"""One pass over the features: the distances of all rounds for every image, identity by identity."""

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.kernels.distances import exact_distances, sampled_distances
from fiqa_spark.kernels.draws import block_start
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.vectors import stack_vectors

# Vectors that a worker computes with at once: enough that many identities share one matrix product.
_BYTES_AT_ONCE = 64 << 20
_COLUMNS = (
    schemas.PATH,
    schemas.IDENTITY,
    schemas.CLUSTER,
    schemas.LINES,
    schemas.IDENTITY_HASH,
    schemas.IMAGE_HASH,
    schemas.MATCHED,
    schemas.FEATURE,
)


def round_distances(joined, pool, partitions, settings):
    """Distances of every image against its identity and against the pool.

    A worker sees one cluster after the other and never holds more than one of them and one batch.

    Parameters
    ----------
    joined : DataFrame
        From `join_features`.
    pool : Pool
    partitions : int
        Number of partitions by cluster that `joined` lies in.
    settings : LabelSettings

    Returns
    -------
    DataFrame
        With the schema `schemas.distances`, a row for every distinct path of `joined`.
    """
    shared = joined.sparkSession.sparkContext.broadcast(pool)
    rows_at_once = max(1, _BYTES_AT_ONCE // (4 * pool.dimension))

    def compute(frames):
        for frame in whole_clusters(frames, rows_at_once):
            yield _distances_of(frame, shared.value, settings)

    # Cheap, and a plan that spread an identity over two tasks would give wrong labels.
    in_place = F.pmod(F.hash(schemas.CLUSTER), F.lit(partitions)) == F.spark_partition_id()
    fault = F.raise_error(F.lit("images of one identity lie in several partitions")).cast("long")
    checked = joined.select(*_COLUMNS).withColumn(
        schemas.CLUSTER, F.when(in_place, F.col(schemas.CLUSTER)).otherwise(fault)
    )
    return checked.mapInPandas(compute, schemas.distances(settings.rounds_computed))


def whole_clusters(frames, rows_at_once):
    """Cut a sorted stream of frames anew so that no cluster is spread over two.

    Parameters
    ----------
    frames : iterator of DataFrame
        The rows of a cluster are neighbours.
    rows_at_once : int
        Rows to gather, as far as there are so many.

    Yields
    ------
    DataFrame
        One or more whole clusters; beyond `rows_at_once`, at most one cluster and one incoming frame are held.
    """
    held, rows = [], 0
    for frame in frames:
        if not len(frame):
            continue
        held.append(frame)
        rows += len(frame)
        if rows < rows_at_once:
            continue
        last = held[-1][schemas.CLUSTER].iloc[-1]
        # The last cluster may go on in the next frame.
        cut = next((number for number, part in enumerate(held) if part[schemas.CLUSTER].iloc[-1] == last), 0)
        border = int(np.argmax(held[cut][schemas.CLUSTER].to_numpy() == last))
        whole = [*held[:cut], held[cut].iloc[:border]]
        held = [held[cut].iloc[border:], *held[cut + 1 :]]
        rows = sum(map(len, held))
        if sum(map(len, whole)):
            yield pd.concat(whole, ignore_index=True)
    if held:
        yield pd.concat(held, ignore_index=True)


def _distances_of(frame, pool, settings):
    """Statuses and distances for a frame of whole clusters."""
    frame = _distinct(frame)
    hashes = frame[schemas.IDENTITY_HASH].to_numpy()
    starts = block_start(hashes, len(pool.embeddings), settings.fix_num, settings.rounds)
    # Identities that begin at the same place of the pool are neighbours; within each, images are in hash order.
    order = np.lexsort((frame[schemas.IMAGE_HASH].to_numpy(), hashes, starts))
    frame, hashes, starts = frame.iloc[order], hashes[order], starts[order]
    embeddings, usable = unit_embeddings(stack_vectors(frame[schemas.FEATURE], pool.dimension))
    firsts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
    has_identity = frame[schemas.IDENTITY].notna().to_numpy()
    sizes = np.add.reduceat(usable, firsts, dtype=np.intp)
    enough = (sizes >= settings.min_images) & has_identity[firsts]
    rows = usable & np.repeat(enough, np.diff(firsts, append=len(frame)))
    distances = np.full((len(frame), settings.rounds_computed), np.nan, np.float32)
    counts = np.zeros((len(frame), 2), np.int32)
    if enough.any():
        chosen = embeddings if rows.all() else embeddings[rows]
        own = pool.positions(hashes[firsts[enough]])
        distances[rows], counts[rows] = _estimated(chosen, sizes[enough], starts[firsts[enough]], own, pool, settings)
    statuses = np.where(usable, schemas.TOO_FEW_IMAGES, schemas.INVALID_FEATURE).astype(object)
    statuses[~frame[schemas.MATCHED].to_numpy(bool)] = schemas.MISSING_FEATURE
    statuses[~has_identity] = schemas.NO_IDENTITY
    statuses[rows] = schemas.OK
    first_of_identity = np.zeros(len(frame), np.int32)
    first_of_identity[firsts[has_identity[firsts]]] = 1
    means = distances.mean(axis=1, dtype=np.float64)
    return pd.DataFrame(
        {
            schemas.PATH: frame[schemas.PATH].to_numpy(),
            schemas.IDENTITY: frame[schemas.IDENTITY].to_numpy(),
            schemas.STATUS: statuses,
            schemas.INTRA_COUNT: counts[:, 0],
            schemas.INTER_COUNT: counts[:, 1],
            schemas.DISTANCE: means,
            schemas.DISTANCE_STD: distances.std(axis=1, dtype=np.float64),
            schemas.CLUSTER: frame[schemas.CLUSTER].to_numpy(),
            schemas.LINES: frame[schemas.LINES].to_numpy(),
            schemas.FIRST_OF_IDENTITY: first_of_identity,
            **{schemas.round_distance(number): distances[:, number] for number in range(distances.shape[1])},
        }
    )


def _distinct(frame):
    """The frame with each path once; the lines of what is left out are added to the first row of all."""
    cluster, image = frame[schemas.CLUSTER].to_numpy(), frame[schemas.IMAGE_HASH].to_numpy()
    same = (image[1:] == image[:-1]) & (cluster[1:] == cluster[:-1])
    if not same.any():
        return frame
    near = np.append(False, same) | np.append(same, False)
    repeated = np.zeros(len(frame), bool)
    repeated[near] = frame.loc[near, schemas.PATH].duplicated()
    distinct = frame[~repeated].copy()
    distinct.iloc[0, distinct.columns.get_loc(schemas.LINES)] += frame.loc[repeated, schemas.LINES].sum()
    return distinct


def _estimated(embeddings, sizes, starts, own, pool, settings):
    """Distances and counts for the usable images of whole identities."""
    if settings.estimator == "sampled":
        options = {"comparisons": settings.fix_num, "rounds": settings.rounds}
        return sampled_distances(embeddings, sizes, starts, own, pool.embeddings, **options)
    parts = np.split(embeddings, np.cumsum(sizes)[:-1])
    nowhere = np.empty(0, np.intp)
    found = [exact_distances(part, pool.embeddings, own.get(number, nowhere)) for number, part in enumerate(parts)]
    return tuple(map(np.concatenate, zip(*found, strict=True)))
