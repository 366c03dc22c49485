"""What margins tell of the images of a batch: in whole groups of mates, and in groups that wait on disk."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from fiqa_spark import schemas
from fiqa_spark.kernels.prior import prior_margins
from fiqa_spark.kernels.settled_margins import SettledMates, margins_of_some, settled_margins, settled_mates
from fiqa_spark.matching.first_mates import FirstMates, first_mates
from fiqa_spark.matching.identity_images import IdentityImages, SpilledImages
from fiqa_spark.methods.margin.learning import Learned
from fiqa_spark.methods.margin.settings import MarginSettings


class _Alone(NamedTuple):
    """What usable images tell without their mates; one row an image."""

    embeddings: np.ndarray
    """Unit embeddings."""
    strangers: np.ndarray
    """Similarity with strangers."""
    priors: np.ndarray
    """What the own feature tells of the margin."""


class Judged(NamedTuple):
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
    identified = batch.can_be_labelled[chosen]
    hashes, folds = (rows.column(name)[chosen] for name in (schemas.IDENTITY_HASH, schemas.FOLD))
    return _alone(rows.embeddings_of(chosen), rows.norms[chosen], folds, hashes, identified, learned)


def of_whole_groups(batch: IdentityImages, learned: Learned, settings: MarginSettings) -> Judged:
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
    return Judged(chosen, alone.strangers, alone.priors, margins, weights, mates, truncated)


def _mates_that_count(
    group_sizes: np.ndarray, ranks: np.ndarray, settings: MarginSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Of images in groups of such sizes how many mates count, and whether there are more."""
    most = settings.intra_pool_size
    return np.minimum(group_sizes, most) - (ranks < most), group_sizes > most


class LargeGroup(NamedTuple):
    """A group of mates on disk."""

    mates: FirstMates
    priors: np.ndarray
    """What the own feature of each of them tells of its margin."""
    settled: SettledMates


def large_groups(batches: SpilledImages, learned: Learned, settings: MarginSettings) -> dict[int, LargeGroup]:
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
        settled = settled_mates(*alone, lo=lo, hi=hi, kappa=kappa)
        large[group] = LargeGroup(first, alone.priors, settled)
    return large


def of_large_groups(
    batch: IdentityImages, large: Mapping[int, LargeGroup], learned: Learned, settings: MarginSettings
) -> Judged:
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
        mates, _, settled = large[group]
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
    return Judged(chosen, alone.strangers, alone.priors, margins, weights, counts, truncated)
