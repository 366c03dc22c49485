"""One pass over the features: the distances of all rounds for every image, identity by identity."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from fiqa_spark import schemas
from fiqa_spark.kernels.draws import block_start, inter_positions, intra_positions
from fiqa_spark.kernels.sdd_fiqa import drawn_distances, exact_distances, sampled_distances
from fiqa_spark.matching.identity_batches import joined_rows
from fiqa_spark.matching.identity_pass import (
    distinct_images,
    first_of_each_identity,
    pass_over_images,
    repeated_images,
    statuses_of,
)

# Vectors that a worker computes with at once: enough that many identities share one matrix product.
_BYTES_AT_ONCE = 64 << 20
_NOWHERE = np.empty(0, np.intp)


def round_distances(joined, pool, partitions, settings):
    """Distances of every image against its identity and against the pool.

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

    def of_identities(parts):
        yield _distances_of(parts, shared.value, settings)

    def of_spilled(parked):
        return _distances_of_large(parked, shared.value, settings)

    return pass_over_images(
        joined,
        partitions,
        pool.dimension,
        of_identities=of_identities,
        of_spilled=of_spilled,
        schema=schemas.distances(settings.rounds_computed),
        bytes_at_once=_BYTES_AT_ONCE,
    )


def _distances_of(parts, pool, settings):
    """Statuses and distances for whole clusters, in several parts."""
    known = pd.concat([part.frame for part in parts], ignore_index=True)
    hashes = known[schemas.IDENTITY_HASH].to_numpy()
    starts = block_start(hashes, len(pool.embeddings), settings.fix_num, settings.rounds)
    # Identities that begin at the same place of the pool are neighbours; within each, images are in hash order.
    order = np.lexsort((known[schemas.IMAGE_HASH].to_numpy(), hashes, starts))
    repeated, lines = repeated_images(known)
    order = order[~repeated[order]]
    rows, hashes, starts = joined_rows(parts, order), hashes[order], starts[order]
    has_identity = rows.frame[schemas.IDENTITY].notna().to_numpy()
    firsts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
    images_each = np.diff(firsts, append=rows.count)
    sizes = np.add.reduceat(rows.usable, firsts, dtype=np.intp)
    enough = (sizes >= settings.min_images) & has_identity[firsts]
    labelled = rows.usable & np.repeat(enough, images_each)
    found = None
    if enough.any():
        chosen = rows.embeddings if labelled.all() else rows.embeddings[labelled]
        own = pool.positions(hashes[firsts[enough]])
        found = _estimated(chosen, sizes[enough], starts[firsts[enough]], own, pool, settings)
    beyond = np.repeat(sizes > settings.max_intra, images_each) & labelled
    return _result(rows, lines[order], labelled, found, firsts[has_identity[firsts]], beyond, settings)


def _distances_of_large(parked, pool, settings):
    """What `_distances_of` gives, in several frames, for a cluster on disk: usually one large identity."""
    mates, place = {}, 0
    for part in parked:
        rows, _ = distinct_images(part)
        for identity, here in _by_identity(rows):
            images = rows.column(schemas.IMAGE_HASH)[here]
            first = mates.get(identity) or _Mates.none(pool.dimension)
            mates[identity] = first.with_more(images, place + here, rows.embeddings[here], settings.max_intra)
        place += rows.count
    seen, place = set(), 0
    for part in parked:
        rows, lines = distinct_images(part)
        labelled, beyond = np.zeros((2, rows.count), bool)
        distances = np.full((rows.count, settings.rounds_computed), np.nan, np.float32)
        counts = np.zeros((rows.count, 2), np.int32)
        for identity, here in _by_identity(rows):
            those = mates[identity]
            if those.images >= settings.min_images:
                own = pool.positions(np.array([identity])).get(0, _NOWHERE)
                ranks = those.ranks(place + here)
                distances[here], counts[here] = _estimated_at(
                    rows.embeddings[here], ranks, those.embeddings, identity, own, pool, settings
                )
                labelled[here], beyond[here] = True, those.images > settings.max_intra
        new = first_of_each_identity(rows, seen)
        yield _result(rows, lines, labelled, (distances[labelled], counts[labelled]), new, beyond, settings)
        place += rows.count


def _by_identity(rows):
    """Hash of each identity, and the numbers of its usable rows."""
    can_be_labelled = rows.usable & rows.frame[schemas.IDENTITY].notna().to_numpy()
    hashes = rows.column(schemas.IDENTITY_HASH)
    for identity in np.unique(hashes[can_be_labelled]).tolist():
        yield identity, np.flatnonzero(can_be_labelled & (hashes == identity))


class _Mates(NamedTuple):
    """The first images of an identity in hash order, out of those that were seen."""

    images: int
    """Number of usable images seen."""
    hashes: np.ndarray
    """Image hashes, ascending, int64, shape (c,)."""
    places: np.ndarray
    """Numbers of their rows in the cluster, shape (c,)."""
    embeddings: np.ndarray
    """Unit embeddings, float32, shape (c, dimension)."""

    @classmethod
    def none(cls, dimension):
        return cls(0, np.empty(0, np.int64), _NOWHERE, np.empty((0, dimension), np.float32))

    def with_more(self, hashes, places, embeddings, at_most):
        """The first `at_most` of these and of those held."""
        all_hashes = np.append(self.hashes, hashes)
        order = np.argsort(all_hashes, kind="stable")[:at_most]
        return _Mates(
            self.images + len(hashes),
            all_hashes[order],
            np.append(self.places, places)[order],
            np.concatenate([self.embeddings, embeddings])[order],
        )

    def ranks(self, places):
        """Position among the mates of the rows with these numbers; c for one that is not among them."""
        order = np.argsort(self.places)
        found = np.minimum(np.searchsorted(self.places, places, sorter=order), len(order) - 1)
        return np.where(self.places[order][found] == places, order[found], len(order))


def _result(rows, lines, labelled, found, firsts, beyond, settings):
    """The frame that the pass yields: `found` are the distances and counts of the labelled rows."""
    distances = np.full((rows.count, settings.rounds_computed), np.nan, np.float32)
    counts = np.zeros((rows.count, 2), np.int32)
    if found is not None:
        distances[labelled], counts[labelled] = found
    statuses = statuses_of(rows)
    statuses[(statuses == schemas.OK) & ~labelled] = schemas.TOO_FEW_IMAGES
    first_of_identity = np.zeros(rows.count, np.int32)
    first_of_identity[firsts] = 1
    return pd.DataFrame(
        {
            schemas.PATH: rows.column(schemas.PATH),
            schemas.IDENTITY: rows.column(schemas.IDENTITY),
            schemas.STATUS: statuses,
            schemas.INTRA_COUNT: counts[:, 0],
            schemas.INTER_COUNT: counts[:, 1],
            schemas.DISTANCE: distances.mean(axis=1, dtype=np.float64),
            schemas.DISTANCE_STD: distances.std(axis=1, dtype=np.float64),
            schemas.IDENTITY_KEY: rows.column(schemas.IDENTITY_KEY),
            schemas.LIST_ROWS: lines,
            schemas.FIRST_OF_IDENTITY: first_of_identity,
            schemas.INTRA_TRUNCATED: (beyond & (settings.estimator == "exact")).astype(np.int32),
            **{schemas.round_distance(number): distances[:, number] for number in range(distances.shape[1])},
        }
    )


def _estimated(embeddings, sizes, starts, own, pool, settings):
    """Distances and counts for the usable images of whole identities, each in hash order."""
    if settings.estimator == "sampled":
        options = {"comparisons": settings.fix_num, "rounds": settings.rounds}
        return sampled_distances(embeddings, sizes, starts, own, pool.embeddings, **options)
    found = []
    for number, part in enumerate(np.split(embeddings, np.cumsum(sizes)[:-1])):
        mates = part[: settings.max_intra]
        ranks = np.minimum(np.arange(len(part)), len(mates))
        found.append(_estimated_at(part, ranks, mates, None, own.get(number, _NOWHERE), pool, settings))
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def _estimated_at(embeddings, ranks, mates, identity, own, pool, settings):
    """Distances and counts for some images of an identity, whose first images are `mates`."""
    strangers = len(pool.embeddings)
    if settings.estimator == "sampled":
        start = block_start(identity, strangers, settings.fix_num, settings.rounds)
        intra = intra_positions(len(mates), settings.fix_num, settings.rounds)
        inter = inter_positions(start, own, strangers, settings.fix_num, settings.rounds)
        distances = drawn_distances(embeddings, ranks, mates, pool.embeddings, intra, inter)
        compared = intra.shape[1] - 1, inter.shape[1]
    else:
        distances = exact_distances(embeddings, ranks, mates, pool.embeddings, own)
        compared = len(mates) - 1, strangers - len(own)
    return distances, np.tile(np.int32(compared), (len(embeddings), 1))
