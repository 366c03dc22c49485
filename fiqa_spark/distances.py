"""One pass over the features: the distances of all rounds for every image, identity by identity."""

import itertools

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.kernels.distances import exact_distances, sampled_distances
from fiqa_spark.kernels.draws import block_start
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.vectors import stack_vectors

# Vectors that a task brings together: enough to make its start-up small, few enough to be sorted in memory.
_PARTITION_BYTES = 128 << 20


def round_distances(joined, matched, pool, settings):
    """Distances of every image against its identity and against the pool.

    Rows are brought together by identity and sorted within the partition, so that a worker sees one identity after the
    other, in hash order, and never holds more than one identity and one batch.

    Parameters
    ----------
    joined : DataFrame
        From `join_features`.
    matched : int
        Number of images with a feature, from which the number of partitions follows.
    pool : Pool
    settings : LabelSettings

    Returns
    -------
    DataFrame
        With the schema `schemas.DISTANCES`, a row for every row of `joined`; `round_distances` is null unless the
        status is ``ok``.
    """
    context = joined.sparkSession.sparkContext
    shared = context.broadcast(pool)
    partitions = max(2 * context.defaultParallelism, -(-matched * pool.dimension * 4 // _PARTITION_BYTES))
    columns = (
        schemas.PATH,
        schemas.IDENTITY,
        schemas.IDENTITY_HASH,
        schemas.MATCHED,
        schemas.FEATURE,
    )
    gathered = joined.repartition(partitions, F.coalesce(schemas.IDENTITY, schemas.PATH)).sortWithinPartitions(
        schemas.IDENTITY, schemas.IMAGE_HASH, schemas.KEY, schemas.PATH
    )

    def compute(frames):
        pool = shared.value
        positions = pool.positions()
        for frame in whole_identities(frames):
            yield _distances_of(frame, pool, positions, settings)

    return gathered.select(*columns).mapInPandas(compute, schemas.DISTANCES)


def whole_identities(frames):
    """Cut a sorted stream of frames anew so that no identity is spread over two.

    Parameters
    ----------
    frames : iterator of DataFrame
        Sorted by `identity`, rows without one first.

    Yields
    ------
    DataFrame
        One or more whole identities; at most one incoming frame and one identity are held.
    """
    held = []
    for frame in frames:
        frame[schemas.IDENTITY] = frame[schemas.IDENTITY].fillna("")
        identities = frame[schemas.IDENTITY].to_numpy()
        if not len(identities):
            continue
        if held and identities[0] != held[-1][schemas.IDENTITY].iloc[-1]:
            yield pd.concat(held, ignore_index=True)
            held = []
        last = np.flatnonzero(identities != identities[-1])
        cut = last[-1] + 1 if len(last) else 0
        if cut:
            yield pd.concat([*held, frame.iloc[:cut]], ignore_index=True)
            held = []
        held.append(frame.iloc[cut:])
    if held:
        yield pd.concat(held, ignore_index=True)


def _distances_of(frame, pool, positions, settings):
    """Statuses and distances for a frame of whole identities."""
    embeddings, usable = unit_embeddings(stack_vectors(frame[schemas.FEATURE], pool.dimension))
    identities = frame[schemas.IDENTITY].to_numpy()
    statuses = np.where(usable, schemas.TOO_FEW_IMAGES, schemas.INVALID_FEATURE).astype(object)
    statuses[~frame[schemas.MATCHED].to_numpy(bool)] = schemas.MISSING_FEATURE
    statuses[identities == ""] = schemas.NO_IDENTITY
    counts = np.zeros((len(frame), 2), np.int32)
    distances = np.full(len(frame), None, dtype=object)
    for first, last in _runs(identities):
        rows = first + np.flatnonzero(usable[first:last])
        if identities[first] == "" or len(rows) < settings.min_images:
            continue
        own = positions.get(identities[first], np.empty(0, np.intp))
        identity_hash = frame[schemas.IDENTITY_HASH].iloc[first]
        found, *compared = _identity_distances(embeddings[rows], pool.embeddings, own, identity_hash, settings)
        statuses[rows] = schemas.OK
        counts[rows] = compared
        distances[rows] = list(found)
    return pd.DataFrame(
        {
            schemas.PATH: frame[schemas.PATH],
            schemas.IDENTITY: np.where(identities == "", None, identities),
            schemas.STATUS: statuses,
            schemas.INTRA_COUNT: counts[:, 0],
            schemas.INTER_COUNT: counts[:, 1],
            schemas.ROUND_DISTANCES: distances,
        }
    )


def _identity_distances(embeddings, pool, own, identity_hash, settings):
    if settings.estimator == "exact":
        return exact_distances(embeddings, pool, own)
    return sampled_distances(
        embeddings,
        pool,
        own,
        start=block_start(identity_hash, len(pool), settings.fix_num, settings.rounds),
        comparisons=settings.fix_num,
        rounds=settings.rounds,
    )


def _runs(values):
    """Pairs (first, last) of the slices in which neighbouring values are equal."""
    borders = np.flatnonzero(values[1:] != values[:-1]) + 1
    edges = [0, *borders.tolist(), len(values)]
    return itertools.pairwise(edges)
