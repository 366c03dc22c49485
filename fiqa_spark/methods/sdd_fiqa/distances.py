"""One pass over the features: the distances of all rounds for every image, identity by identity."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.kernels.draws import block_start
from fiqa_spark.kernels.label_scale import are_beyond
from fiqa_spark.kernels.sdd_fiqa import exact_distances, sampled_distances, sampled_distances_of_some
from fiqa_spark.matching.first_mates import FirstMates, first_mates
from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity
from fiqa_spark.matching.identity_images import (
    IdentityImages,
    LeadingKey,
    SpilledImages,
    identity_images,
    numbers_of_images,
)
from fiqa_spark.matching.identity_pass import first_of_each_identity, pass_over_images, statuses_of
from fiqa_spark.matching.join import Joined
from fiqa_spark.matching.packs import image_columns, packed, packs_schema
from fiqa_spark.matching.status_counts import counted, names_of_counts
from fiqa_spark.methods import image_examples
from fiqa_spark.methods.mate_groups import group_column
from fiqa_spark.methods.pool import Pool
from fiqa_spark.methods.sdd_fiqa.ranges import KnownRanges
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from fiqa_spark.runtime.workers import broadcast

# Vectors that a worker computes with at once: enough that many identities share one matrix product, and few enough that
# asking the system for their memory is no part of a small run.
_BYTES_AT_ONCE = 16 << 20
_NONE = np.empty(0, np.intp)


def round_distances(joined: Joined, pool: Pool, settings: LabelSettings, known: KnownRanges | None) -> DataFrame:
    """Distances of every image against its identity and against the pool.

    Parameters
    ----------
    joined : Joined
        Images beside their features, with the columns of `columns_of_groups`.
    known : KnownRanges, optional
        Those of a reference; images that lie beyond them are counted.

    Returns
    -------
    DataFrame
        Packs, see `packed`, with a row for every distinct path of `joined`: its column `distances` has the distances
        of all rounds, NaN unless the status is ``ok``. Their sums are those of `counted`, of `intra_truncated` (images
        whose identity has more images than the exact estimator compares them with) and `beyond_range`; their values
        the distances of each round and, last, their mean.
    """
    shared = broadcast(joined.table.sparkSession.sparkContext, pool)
    group = group_column(settings)
    sums = (*names_of_counts(schemas.STATUSES), schemas.INTRA_TRUNCATED, schemas.BEYOND_RANGE)

    def of_identities(parts: list[Rows]) -> Iterator[pd.DataFrame]:
        batch = identity_images(parts, group=group, leading=_by_block_start(shared.value, settings))
        yield from _packs_of(batch, _estimates_of(batch, None, shared.value, settings), set(), known)

    def of_spilled(identity: SpilledIdentity) -> Iterator[pd.DataFrame]:
        batches = SpilledImages(identity, group=group, leading=_by_block_start(shared.value, settings))
        mates = first_mates(batches, settings.max_intra)
        earlier: set[int] = set()
        for batch in batches:
            yield from _packs_of(batch, _estimates_of(batch, mates, shared.value, settings), earlier, known)

    return pass_over_images(
        joined,
        pool.dimension,
        of_identities=of_identities,
        of_spilled=of_spilled,
        schema=packs_schema(sums, examples=image_examples.NAMES),
        bytes_at_once=_BYTES_AT_ONCE,
    )


def _by_block_start(pool: Pool, settings: LabelSettings) -> LeadingKey:
    """Identities that begin at the same place of the pool become neighbours, which share a matrix product.

    Among these, neighbours are of one size, as far as that counts. Those that have too few images come last, so that
    the others need not be picked from among them.
    """

    def leading(identities: np.ndarray) -> np.ndarray:
        starts = block_start(identities, len(pool.embeddings), settings.fix_num, settings.rounds)
        sizes, of_one_size = numbers_of_images(identities), settings.fix_num + 2
        starts = np.where(sizes < settings.min_images, len(pool.embeddings), starts)
        return starts * (of_one_size + 1) + np.minimum(sizes, of_one_size)

    return leading


class _Estimates(NamedTuple):
    """What is found of the images of a batch."""

    labelled: np.ndarray
    """Whether an image has distances, bool, shape (n,)."""
    distances: np.ndarray
    """Of all rounds, NaN where there are none, float32, shape (n, rounds)."""
    comparisons: np.ndarray
    """Intra and inter comparisons, int32, shape (n, 2)."""
    truncated: np.ndarray
    """Whether an image was compared with a part of its identity only, bool, shape (n,)."""


def _packs_of(
    batch: IdentityImages, estimates: _Estimates, earlier: set[int], known: KnownRanges | None
) -> Iterator[pd.DataFrame]:
    """Statuses and distances of a batch, as `round_distances` tells of them.

    Parameters
    ----------
    earlier : set of int
        Hashes of the identities of earlier batches; those of this one are added.
    """
    distances = estimates.distances
    statuses = statuses_of(batch.rows)
    statuses[(statuses == schemas.OK) & ~estimates.labelled] = schemas.TOO_FEW_IMAGES
    firsts = first_of_each_identity(batch.rows, earlier)
    sums = {
        **counted(statuses, schemas.STATUSES, batch.list_rows, firsts),
        schemas.INTRA_TRUNCATED: estimates.truncated,
        schemas.BEYOND_RANGE: are_beyond(distances, known.of_rounds) if known else np.zeros(len(distances), bool),
    }
    means = distances.mean(axis=1, dtype=np.float64)
    columns = {
        **image_columns(batch.rows, statuses),
        schemas.INTRA_COUNT: pa.array(estimates.comparisons[:, 0]),
        schemas.INTER_COUNT: pa.array(estimates.comparisons[:, 1]),
        schemas.DISTANCE: pa.array(means),
        schemas.DISTANCE_STD: pa.array(distances.std(axis=1, dtype=np.float64)),
        schemas.DISTANCES: pa.FixedSizeListArray.from_arrays(pa.array(distances.ravel()), distances.shape[1]),
    }
    examples = image_examples.examples_of(batch.rows, statuses, firsts)
    return packed(columns, sums, np.column_stack([distances, means]), examples=examples)


def _estimates_of(
    batch: IdentityImages, mates: Mapping[int, FirstMates] | None, pool: Pool, settings: LabelSettings
) -> _Estimates:
    """Distances of the images of a batch.

    Parameters
    ----------
    mates : dict of int to FirstMates, or None
        Hash of each group to its mates; None where the batch holds whole groups, all of whose images are mates.
    """
    here, groups = batch.usable_sizes, batch.groups
    in_all = here
    if mates is not None:
        in_all = np.array([mates[one].images if one in mates else 0 for one in groups.tolist()])
    enough = in_all >= settings.min_images
    labelled = batch.can_be_labelled & np.repeat(enough, batch.sizes)
    distances = np.full((batch.rows.count, settings.rounds_computed), np.nan, np.float32)
    comparisons = np.zeros((batch.rows.count, 2), np.int32)
    if labelled.any():
        # Of a spilled identity a batch may hold no usable image.
        chosen = enough & (here > 0)
        count = np.count_nonzero(labelled)
        are_first = labelled[:count].all()
        embeddings = batch.rows.embeddings[:count] if are_first else batch.rows.embeddings[labelled]
        met = None if mates is None else _met(mates, groups[chosen], here[chosen], batch.places[labelled])
        # Images of the other half of an identity are no strangers.
        identities = batch.rows.column(schemas.IDENTITY_HASH)[batch.firsts[chosen]]
        found = _estimated(embeddings, here[chosen], identities, met, pool, settings)
        distances[labelled], comparisons[labelled] = found
    truncated = labelled & np.repeat(in_all > settings.max_intra, batch.sizes) & (settings.estimator == "exact")
    return _Estimates(labelled, distances, comparisons, truncated)


def _met(
    mates: Mapping[int, FirstMates], groups: np.ndarray, sizes: np.ndarray, places: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each group the embeddings of its mates, and the positions of the batch's images among them."""
    of_group = np.split(places, np.cumsum(sizes)[:-1])
    those = [mates[group] for group in groups.tolist()]
    return [(met.embeddings, met.ranks(images)) for met, images in zip(those, of_group, strict=True)]


def _estimated(
    embeddings: np.ndarray,
    sizes: np.ndarray,
    identities: np.ndarray,
    mates: list[tuple[np.ndarray, np.ndarray]] | None,
    pool: Pool,
    settings: LabelSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and counts of comparisons for images of several groups of mates.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings, group by group.
    sizes, identities : ndarray of int, shape (g,)
        Number of images of each group, and the hash of its identity.
    mates : list of (ndarray, ndarray), or None
        Of each group the embeddings of its mates and the images' positions among them; None where the images are
        all of their groups, in hash order.

    Returns
    -------
    distances : ndarray of float32, shape (n, rounds)
    counts : ndarray of int32, shape (n, 2)
    """
    own_positions = pool.positions(identities)
    if settings.estimator == "exact":
        met = _own_mates(embeddings, sizes, settings.max_intra) if mates is None else mates
        return exact_distances(embeddings, sizes, met, own_positions, pool.embeddings)
    starts = block_start(identities, len(pool.embeddings), settings.fix_num, settings.rounds)
    if mates is None:
        return sampled_distances(
            *(embeddings, sizes, starts, own_positions, pool.embeddings),
            comparisons=settings.fix_num,
            rounds=settings.rounds,
        )
    distances = np.empty((len(embeddings), settings.rounds), np.float32)
    counts = np.empty((len(embeddings), 2), np.int32)
    for number, (end, size) in enumerate(zip(np.cumsum(sizes).tolist(), sizes.tolist(), strict=True)):
        rows, (first, ranks) = slice(end - size, end), mates[number]
        distances[rows], counts[rows] = sampled_distances_of_some(
            *(embeddings[rows], ranks, first, int(starts[number]), own_positions.get(number, _NONE), pool.embeddings),
            comparisons=settings.fix_num,
            rounds=settings.rounds,
        )
    return distances, counts


def _own_mates(embeddings: np.ndarray, sizes: np.ndarray, max_intra: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each group, given whole and in hash order, the mates of all its images, and its images' places among them."""
    return [
        (embeddings[end - size : end][:max_intra], np.minimum(np.arange(size), max_intra))
        for end, size in zip(np.cumsum(sizes).tolist(), sizes.tolist(), strict=True)
    ]
