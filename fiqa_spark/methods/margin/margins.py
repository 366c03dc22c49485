"""One pass over the features: the margin label of every image, identity by identity."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.kernels.margin import margin_labels, standard_deviations
from fiqa_spark.kernels.prior import prior_margins
from fiqa_spark.kernels.settled_margins import SettledMates, margins_of_some, settled_margins, settled_mates
from fiqa_spark.matching.first_mates import FirstMates, first_mates
from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity
from fiqa_spark.matching.identity_images import IdentityImages, SpilledImages, identity_images
from fiqa_spark.matching.identity_pass import first_of_each_identity, pass_over_images
from fiqa_spark.methods.margin.folds import with_folds
from fiqa_spark.methods.margin.learning import Learned
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.mate_groups import columns_of_groups, group_column, with_mate_groups
from fiqa_spark.runtime.workers import broadcast

# Vectors that a worker computes with at once: many small identities make one product.
_BYTES_AT_ONCE = 16 << 20


def labelled_images(joined: DataFrame, learned: Learned, partitions: int, settings: MarginSettings) -> DataFrame:
    """Margin labels of every image.

    Parameters
    ----------
    joined : DataFrame
        From `join_features`.
    partitions : int
        Number of partitions by identity that `joined` lies in.

    Returns
    -------
    DataFrame
        With the schema `schemas.MARGINS`, a row for every distinct path of `joined`.
    """
    shared = broadcast(joined.sparkSession.sparkContext, learned)
    group = group_column(settings)

    def of_identities(parts: list[Rows]) -> Iterator[pd.DataFrame]:
        batch = identity_images(parts, group=group)
        yield _frame(batch, _of_whole_groups(batch, shared.value, settings), set(), shared.value, settings)

    def of_spilled(identity: SpilledIdentity) -> Iterator[pd.DataFrame]:
        batches = SpilledImages(identity, group=group)
        large = _large_groups(batches, shared.value, settings)
        earlier: set[int] = set()
        for batch in batches:
            yield _frame(batch, _of_large_groups(batch, large, shared.value, settings), earlier, shared.value, settings)

    return pass_over_images(
        with_mate_groups(with_folds(joined), settings),
        partitions,
        len(learned.strangers.pool_sum),
        of_identities=of_identities,
        of_spilled=of_spilled,
        schema=schemas.MARGINS,
        bytes_at_once=_BYTES_AT_ONCE,
        more=(schemas.FOLD, *columns_of_groups(settings)),
    )


class _Alone(NamedTuple):
    """What usable images tell without their mates; one row an image."""

    embeddings: np.ndarray
    """Unit embeddings."""
    strangers: np.ndarray
    """Similarity with strangers."""
    priors: np.ndarray
    """What the own feature tells of the margin."""


class _Judged(NamedTuple):
    """What is known of usable images; one element an image."""

    chosen: np.ndarray
    """Number of the image in its batch."""
    strangers: np.ndarray
    priors: np.ndarray
    margins: np.ndarray
    weights: np.ndarray
    """Summed weights of the mates."""
    mates: np.ndarray
    """Number of images that it was compared with."""
    truncated: np.ndarray
    """Whether there are more mates than count."""


def _alone(
    embeddings: np.ndarray,
    norms: np.ndarray,
    folds: np.ndarray,
    identity_hashes: np.ndarray,
    identified: np.ndarray,
    learned: Learned,
) -> _Alone:
    """What usable images tell without their mates."""
    strangers = learned.strangers.similarities(embeddings, identity_hashes, identified)
    return _Alone(embeddings, strangers, prior_margins(embeddings, norms, folds, learned.reference.prior))


def _alone_in(batch: IdentityImages, chosen: np.ndarray, learned: Learned) -> _Alone:
    """What usable images of a batch, by their numbers, tell without their mates."""
    rows = batch.rows
    are_all = len(chosen) == rows.count
    identified = batch.can_be_labelled[chosen]
    hashes, folds = (rows.column(name)[chosen] for name in (schemas.IDENTITY_HASH, schemas.FOLD))
    embeddings = rows.embeddings if are_all else rows.embeddings[chosen]
    return _alone(embeddings, rows.norms[chosen], folds, hashes, identified, learned)


def _of_whole_groups(batch: IdentityImages, learned: Learned, settings: MarginSettings) -> _Judged:
    """Margins in a batch that holds whole identities."""
    chosen = np.flatnonzero(batch.rows.usable)
    alone = _alone_in(batch, chosen, learned)
    identified = batch.can_be_labelled[chosen]
    margins, weights = alone.priors.copy(), np.zeros(len(chosen))
    sizes = batch.usable_sizes
    if identified.any():
        of_mates = alone if identified.all() else _Alone(*(each[identified] for each in alone))
        margins[identified], weights[identified] = settled_margins(
            of_mates.embeddings,
            sizes[sizes > 0],
            of_mates.strangers,
            of_mates.priors,
            lo=learned.reference.lo,
            hi=learned.reference.hi,
            kappa=settings.prior_weight,
            max_mates=settings.intra_pool_size,
        )
    sizes = sizes[sizes > 0]
    mates, truncated = np.zeros(len(chosen), np.intp), np.zeros(len(chosen), bool)
    ranks = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    mates[identified], truncated[identified] = _mates_that_count(np.repeat(sizes, sizes), ranks, settings)
    return _Judged(chosen, alone.strangers, alone.priors, margins, weights, mates, truncated)


def _mates_that_count(
    group_sizes: np.ndarray, ranks: np.ndarray, settings: MarginSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Of images in groups of such sizes how many mates count, and whether there are more."""
    most = settings.intra_pool_size
    return np.minimum(group_sizes, most) - (ranks < most), group_sizes > most


class _LargeGroup(NamedTuple):
    """A group of mates on disk."""

    mates: FirstMates
    settled: SettledMates


def _large_groups(batches: SpilledImages, learned: Learned, settings: MarginSettings) -> dict[int, _LargeGroup]:
    """Hash of each group to its first images and what these have settled among themselves."""
    known: dict[int, tuple[int, int]] = {}

    def noted() -> Iterator[IdentityImages]:
        """The batches; while they pass, the hash and the fold of the identity of each group are noted."""
        for batch in batches:
            of_groups = (batch.rows.column(name)[batch.firsts] for name in (schemas.IDENTITY_HASH, schemas.FOLD))
            known.update(zip(batch.groups.tolist(), zip(*of_groups, strict=True), strict=True))
            yield batch

    lo, hi, kappa = learned.reference.lo, learned.reference.hi, settings.prior_weight
    large = {}
    for group, first in first_mates(noted(), settings.intra_pool_size).items():
        identity_hash, fold = (np.full(len(first.hashes), number) for number in known[group])
        identified = np.ones(len(first.hashes), bool)
        alone = _alone(first.embeddings, first.norms, fold, identity_hash, identified, learned)
        large[group] = _LargeGroup(first, settled_mates(*alone, lo=lo, hi=hi, kappa=kappa))
    return large


def _of_large_groups(
    batch: IdentityImages, large: Mapping[int, _LargeGroup], learned: Learned, settings: MarginSettings
) -> _Judged:
    """Margins in a batch that holds a part of an identity."""
    chosen = np.flatnonzero(batch.rows.usable)
    alone = _alone_in(batch, chosen, learned)
    margins, weights = alone.priors.copy(), np.zeros(len(chosen))
    counts, truncated = np.zeros(len(chosen), np.intp), np.zeros(len(chosen), bool)
    identified = batch.can_be_labelled[chosen]
    group_numbers = np.repeat(np.arange(len(batch.firsts)), batch.sizes)[chosen]
    for number, group in enumerate(batch.groups.tolist()):
        rows = np.flatnonzero((group_numbers == number) & identified)
        if not len(rows):
            continue
        mates, settled = large[group]
        ranks = mates.ranks(batch.places[chosen[rows]])
        margins[rows], weights[rows] = margins_of_some(
            alone.embeddings[rows],
            ranks,
            alone.strangers[rows],
            alone.priors[rows],
            settled,
            kappa=settings.prior_weight,
        )
        counts[rows], truncated[rows] = _mates_that_count(np.full(len(rows), mates.images), ranks, settings)
    return _Judged(chosen, alone.strangers, alone.priors, margins, weights, counts, truncated)


def _frame(
    batch: IdentityImages, judged: _Judged, earlier: set[int], learned: Learned, settings: MarginSettings
) -> pd.DataFrame:
    """The frame that the pass yields; of identities in `earlier` batches, which grows, no image is the first."""
    rows, reference, chosen = batch.rows, learned.reference, judged.chosen
    counts = np.zeros((rows.count, 2), np.int32)
    counts[chosen, 0], counts[chosen, 1] = judged.mates, judged.truncated
    statuses = np.where(rows.usable, schemas.PREDICTED, schemas.INVALID_FEATURE).astype(object)
    statuses[~rows.column(schemas.MATCHED).astype(bool)] = schemas.MISSING_FEATURE
    statuses[counts[:, 0] > 0] = schemas.OK
    bounds = {"lo": reference.lo, "hi": reference.hi}
    deviation = {"sigma": reference.sigma, "tau": reference.prior.tau, "kappa": settings.prior_weight}
    numbers = {
        schemas.LABEL: margin_labels(judged.margins, **bounds),
        schemas.MARGIN: judged.margins,
        schemas.MARGIN_STD: standard_deviations(judged.weights, **deviation),
        schemas.PRIOR: judged.priors,
        schemas.STRANGER_SIMILARITY: judged.strangers,
    }
    is_first = np.zeros(rows.count, np.int32)
    is_first[first_of_each_identity(rows, earlier)] = 1
    return pd.DataFrame(
        {
            schemas.PATH: rows.column(schemas.PATH),
            schemas.IDENTITY: rows.column(schemas.IDENTITY),
            schemas.STATUS: statuses,
            schemas.MATES: counts[:, 0],
            schemas.IDENTITY_KEY: rows.column(schemas.IDENTITY_KEY),
            schemas.LIST_ROWS: batch.list_rows,
            schemas.FIRST_OF_IDENTITY: is_first,
            schemas.INTRA_TRUNCATED: counts[:, 1],
            **{name: _spread(values, chosen, rows.count) for name, values in numbers.items()},
        }
    )


def _spread(values: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """Values where they belong, and NaN elsewhere, which Spark reads as null."""
    spread = np.full(count, np.nan)
    spread[chosen] = values
    return spread
