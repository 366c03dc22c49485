"""One pass over the features: the membership of every image, and the centre of every identity."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.kernels.centres import Centres, centres_of, weighted_sums_of_groups
from fiqa_spark.kernels.margin import mate_weights
from fiqa_spark.kernels.membership import SettledMembers, memberships, memberships_of_some, settled_members
from fiqa_spark.kernels.membership_fit import MembershipModel
from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity
from fiqa_spark.matching.identity_images import IdentityImages, SpilledImages, identity_images, numbers_of_images
from fiqa_spark.matching.identity_pass import first_of_each_identity, pass_over_images, statuses_of
from fiqa_spark.matching.join import Joined
from fiqa_spark.methods.identities.settings import AuditSettings, margin_settings
from fiqa_spark.methods.margin.judging import Judged, LargeGroup, large_groups, of_large_groups, of_whole_groups
from fiqa_spark.methods.margin.learning import Learned
from fiqa_spark.runtime.workers import broadcast

# Vectors that a worker computes with at once: many small identities make one product.
_BYTES_AT_ONCE = 16 << 20


def members(joined: Joined, learned: Learned, model: MembershipModel, settings: AuditSettings) -> DataFrame:
    """Membership of every image, and of every identity what its images tell together.

    Parameters
    ----------
    joined : Joined
        Images beside their features, with `fold`.

    Returns
    -------
    DataFrame
        With the schema `schemas.MEMBERS`, a row for every distinct path of `joined`.
    """
    shared = broadcast(joined.table.sparkSession.sparkContext, learned)

    def of_identities(parts: list[Rows]) -> Iterator[pd.DataFrame]:
        # Those of one size are computed together, where they stand if they are neighbours.
        batch = identity_images(parts, leading=numbers_of_images)
        images = _of_whole_groups(batch, shared.value, model, settings)
        yield _frame(images, _identities_of(images), set(), settings)

    def of_spilled(identity: SpilledIdentity) -> Iterator[pd.DataFrame]:
        batches = SpilledImages(identity)
        large = large_groups(batches, shared.value, margin_settings(settings))
        settled = _settled_members(large, model)
        totals: dict[int, _Total] = {}
        for images in _of_large_groups(batches, large, settled, shared.value, model, settings):
            _add_totals(totals, images)
        earlier: set[int] = set()
        for images in _of_large_groups(batches, large, settled, shared.value, model, settings):
            yield _frame(images, _identities_in(totals, images), earlier, settings)

    return pass_over_images(
        joined,
        len(learned.strangers.pool_sum),
        of_identities=of_identities,
        of_spilled=of_spilled,
        schema=schemas.MEMBERS,
        bytes_at_once=_BYTES_AT_ONCE,
    )


class _Images(NamedTuple):
    """A batch, and what is known of its usable images that have an identity; one element such an image."""

    batch: IdentityImages
    chosen: np.ndarray
    """Number of the image in the batch."""
    memberships: np.ndarray
    """NaN for an image alone in its identity."""
    weights: np.ndarray
    """What it counts in the centre."""
    trusted: np.ndarray
    """Whether it is taken for its identity's person."""


class _Identities(NamedTuple):
    """What the images of each group of a batch tell together; one element or row a group."""

    images: np.ndarray
    """Number of images in the list."""
    trusted: np.ndarray
    """Number of trusted ones."""
    centres: Centres


def _images_of(
    batch: IdentityImages, judged: Judged, found: np.ndarray, learned: Learned, settings: AuditSettings
) -> _Images:
    """What margins and memberships, the latter of images that can be labelled alone, make together."""
    identified = batch.can_be_labelled[judged.chosen]
    weights = mate_weights(judged.margins[identified], lo=learned.reference.lo, hi=learned.reference.hi)
    is_alone = np.isnan(found)
    trusted = is_alone | (found >= settings.suspect_below)
    return _Images(batch, judged.chosen[identified], found, weights * np.where(is_alone, 1, found), trusted)


def _of_whole_groups(
    batch: IdentityImages, learned: Learned, model: MembershipModel, settings: AuditSettings
) -> _Images:
    """Memberships in a batch that holds whole identities."""
    judged = of_whole_groups(batch, learned, margin_settings(settings))
    identified = batch.can_be_labelled[judged.chosen]
    sizes = batch.usable_sizes
    found = memberships(
        batch.rows.embeddings_of(judged.chosen[identified]),
        sizes[sizes > 0],
        judged.priors[identified],
        model.pairs,
        expected=model.expected,
        max_mates=settings.intra_pool_size,
    )
    return _images_of(batch, judged, found, learned, settings)


def _settled_members(large: Mapping[int, LargeGroup], model: MembershipModel) -> dict[int, SettledMembers]:
    """Hash of each group to what its first images have settled among themselves."""
    return {
        group: settled_members(one.mates.embeddings, one.priors, model.pairs, expected=model.expected)
        for group, one in large.items()
    }


def _of_large_groups(
    batches: SpilledImages,
    large: Mapping[int, LargeGroup],
    settled: Mapping[int, SettledMembers],
    learned: Learned,
    model: MembershipModel,
    settings: AuditSettings,
) -> Iterator[_Images]:
    """Memberships in batches that hold a part of an identity each."""
    for batch in batches:
        judged = of_large_groups(batch, large, learned, margin_settings(settings))
        identified = batch.can_be_labelled[judged.chosen]
        chosen, priors = judged.chosen[identified], judged.priors[identified]
        found, numbers = np.empty(len(chosen)), _group_numbers(batch)[chosen]
        for number in np.unique(numbers).tolist():
            rows, group = np.flatnonzero(numbers == number), batch.groups[number]
            found[rows] = memberships_of_some(
                batch.rows.embeddings[chosen[rows]],
                large[group].mates.ranks(batch.places[chosen[rows]]),
                priors[rows],
                settled[group],
                model.pairs,
                expected=model.expected,
            )
        yield _images_of(batch, judged, found, learned, settings)


def _group_numbers(batch: IdentityImages) -> np.ndarray:
    """Number of the group of each image."""
    return np.repeat(np.arange(len(batch.firsts)), batch.sizes)


class _Sums(NamedTuple):
    """Sums over the images of each group of a batch; one element or row a group."""

    images: np.ndarray
    trusted: np.ndarray
    weighted: np.ndarray
    """Sum of weight times embedding, shape (g, dimension)."""
    evidence: np.ndarray


def _sums(images: _Images) -> _Sums:
    batch = images.batch
    groups, dimension = len(batch.firsts), batch.rows.embeddings.shape[1]
    numbers, sizes = _group_numbers(batch)[images.chosen], batch.usable_sizes
    trusted = np.bincount(numbers[images.trusted], minlength=groups)
    weighted, evidence = np.zeros((groups, dimension), np.float32), np.zeros(groups)
    present = sizes > 0
    if present.any():
        embeddings = batch.rows.embeddings_of(images.chosen)
        weighted[present], evidence[present] = weighted_sums_of_groups(embeddings, sizes[present], images.weights)
    return _Sums(batch.sizes, trusted, weighted, evidence)


def _identities_of(images: _Images) -> _Identities:
    """The identities of a batch that holds whole ones."""
    sums = _sums(images)
    return _Identities(sums.images, sums.trusted, centres_of(sums.weighted, sums.evidence))


class _Total(NamedTuple):
    """Sums over the images of an identity on disk."""

    images: int
    trusted: int
    weighted: np.ndarray
    evidence: float


def _add_totals(totals: dict[int, _Total], images: _Images) -> None:
    """Add the images of a batch to the totals of their identities."""
    sums = _sums(images)
    for number, group in enumerate(images.batch.groups.tolist()):
        before = totals.get(group, _Total(0, 0, np.zeros(sums.weighted.shape[1], np.float32), 0.0))
        totals[group] = _Total(
            before.images + int(sums.images[number]),
            before.trusted + int(sums.trusted[number]),
            before.weighted + sums.weighted[number],
            before.evidence + float(sums.evidence[number]),
        )


def _identities_in(totals: Mapping[int, _Total], images: _Images) -> _Identities:
    """The identities of a batch, each with all its images."""
    ones = [totals[group] for group in images.batch.groups.tolist()]
    counted, trusted, evidence = (np.array([one[place] for one in ones]) for place in (0, 1, 3))
    return _Identities(counted, trusted, centres_of(np.stack([one.weighted for one in ones]), evidence))


def _frame(images: _Images, identities: _Identities, earlier: set[int], settings: AuditSettings) -> pd.DataFrame:
    """The frame that the pass yields; of identities in `earlier` batches, which grows, no image is the first."""
    batch, rows = images.batch, images.batch.rows
    firsts = np.asarray(first_of_each_identity(rows, earlier), np.intp)
    groups = _group_numbers(batch)[firsts]
    suspects = images.chosen[~images.trusted]
    centres = identities.centres
    known = np.flatnonzero(centres.evidence[groups] >= max(settings.least_evidence, np.finfo(float).tiny))
    is_first = np.zeros(rows.count, np.int32)
    is_first[firsts] = 1
    of_identity = {
        schemas.IMAGES: identities.images,
        schemas.TRUSTED_IMAGES: identities.trusted,
        schemas.EVIDENCE: centres.evidence,
        schemas.COHESION: centres.cohesion,
    }
    return pd.DataFrame(
        {
            schemas.PATH: rows.column(schemas.PATH),
            schemas.IDENTITY: rows.column(schemas.IDENTITY),
            schemas.STATUS: statuses_of(rows),
            schemas.MEMBERSHIP: _spread(images.memberships, images.chosen, rows.count),
            schemas.WEIGHT: _spread(images.weights, images.chosen, rows.count),
            schemas.EMBEDDING: _bytes_at(rows.embeddings[suspects], suspects, rows.count),
            **{name: rows.column(name) for name in (schemas.IDENTITY_KEY, schemas.IDENTITY_HASH, schemas.IMAGE_HASH)},
            schemas.LIST_ROWS: batch.list_rows,
            schemas.FIRST_OF_IDENTITY: is_first,
            **{name: _spread(values[groups], firsts, rows.count) for name, values in of_identity.items()},
            schemas.CENTRE: _bytes_at(centres.directions[groups[known]], firsts[known], rows.count),
        }
    )


def _spread(values: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Values where they belong, and NaN elsewhere, which Spark reads as null."""
    spread = np.full(count, np.nan)
    spread[places] = values
    return spread


def _bytes_at(vectors: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Vectors as bytes where they belong, and None elsewhere."""
    spread = np.full(count, None, object)
    width = 4 * vectors.shape[1]
    content = np.ascontiguousarray(vectors, "<f4").tobytes()
    for number, place in enumerate(places.tolist()):
        spread[place] = content[number * width : (number + 1) * width]
    return spread
