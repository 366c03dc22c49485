"""A sample of whole identities in the order of their hashes, and a pool of images: out of one scan of the vectors."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import IN_ORDER, CheckedList, check_images, checked_list, observed_images
from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.inputs.text_lines import is_unusable
from fiqa_spark.matching.sample import (
    Candidates,
    UsableImages,
    candidates_of,
    draw_usable,
    keys_of_usable,
    looked_for,
    rows_to_draw_from,
    with_extra,
)
from fiqa_spark.runtime.frames_by_arrow import collected

_OF_AN_IDENTITY = 1000
# Rows of the list looked at for an image of the sample, as identities with one image give none.
_ROWS_AN_IMAGE, _ROWS_AT_LEAST = 1.2, 4096
_MORE_ROWS = 2
# Rows that one task puts in order, and tasks at most.
_ROWS_A_TASK, _TASKS_AT_MOST = 16_384, 16
# Of the rows that a list seems to have, so many are counted on, as lines may be longer than the first ones.
_COUNTED_ON = 0.8
# The order of a sample while it is cut.
_IN_ORDER = (schemas.IDENTITY_HASH, schemas.IDENTITY, *IN_ORDER)
_RANK, _IMAGES, _OF_SAMPLE, _OF_FIRST = "rank", "images_of_identity", "of_sample", "of_first"


class Wanted(NamedTuple):
    """What a sample of identities shall be."""

    images: int
    """Number of images to gather; all of the identities that have mates where there are fewer."""
    group: str
    """Column with the hash of an image's group of mates; an image alone in its group is no part of the sample."""
    more: tuple[str, ...]
    """Columns of the images that are wanted beside the usual ones."""


class Drawn(NamedTuple):
    """What was drawn."""

    pool: UsableImages
    """As from `draw_usable`."""
    sample: UsableImages
    """Images of whole identities, group by group, and in each in hash order; none if no image has a mate."""


class FirstIdentities(NamedTuple):
    """Images of the list that may make the sample."""

    few: pd.DataFrame
    """Those of the first identities by hash that have several; the images of each in hash order, each once."""
    are_all: bool
    """Whether the list holds no others of identities with several images."""


def check_with_identities(
    images: DataFrame, settings: ImageSettings, pool_size: int, wanted: Wanted, about_rows: int | None
) -> tuple[CheckedList, FirstIdentities | None]:
    """Read the list once: what `check_images` tells, and the images that may make the sample.

    Inside of `planned_by_identity`: planning anew on the way, Spark would lose sight of the facts of a list.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`, with the columns that `wanted` names.
    about_rows : int or None
        Rows that the list seems to have; None if nobody knows.

    Returns
    -------
    CheckedList
        Out of as many rows as `rows_to_draw_from` tells for the pool.
    FirstIdentities or None
        None where they were not found along the way.

    Raises
    ------
    InputError
        As of `checked_list`.
    """
    count = rows_to_draw_from(pool_size)
    if about_rows is None:
        return check_images(images, settings, count), None
    share, share_of_first = (
        max(_ROWS_AN_IMAGE * each, _ROWS_AT_LEAST) / max(_COUNTED_ON * about_rows, 1)
        for each in (with_extra(wanted.images), count)
    )
    observed, observation = observed_images(images)
    tasks = _tasks(wanted, about_rows)
    rows = collected(_first_identities(observed, share, wanted, tasks, share_of_first).sortWithinPartitions(*_IN_ORDER))
    first = rows[rows[_OF_FIRST]].sort_values(list(IN_ORDER), ignore_index=True)[:count]
    listed = checked_list(images, observation.get, first, settings)
    if share_of_first < 1 and len(first) < count:
        listed = check_images(images, settings, count)
    few = rows[rows[_OF_SAMPLE]]
    # All images of an identity are in one partition, and come in order.
    few = few.iloc[np.argsort(few[schemas.IDENTITY_HASH].to_numpy(), kind="stable")]
    return listed, _enough(few, share, wanted)


def draw_with_identities(
    images: DataFrame,
    features: Features,
    listed: CheckedList,
    pool_size: int,
    wanted: Wanted,
    identities: FirstIdentities | None = None,
) -> Drawn:
    """Draw a pool, see `draw_usable`, and whole identities in ascending order of `identity_hash`.

    Of an identity at most 1,000 usable images count, those of the smallest hashes. Hashes are uniform: the rows of the
    list whose identity hash is small enough are about as many as are wanted, and they alone are put in order.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`, with the columns that `wanted` names.
    listed : CheckedList
        Out of as many rows as `rows_to_draw_from` tells for the pool.
    identities : FirstIdentities, optional
        From `check_with_identities`; by default they are looked for.

    Raises
    ------
    NothingUsableError
        If no feature can be used.
    InputError
        If features have several lengths.
    """
    here = identities or _listed(images, listed.list_rows, wanted)
    first = looked_for(listed.first, pool_size)
    found = candidates_of(pd.concat([first, here.few]).drop_duplicates(schemas.PATH), features)
    pool = draw_usable(images, features, listed.first, listed.list_rows, pool_size, at_hand=found)
    for candidates, are_all in _stages(found.of(here.few), here.are_all, images, features, listed.list_rows, wanted):
        chosen = _chosen(candidates, wanted)
        if are_all or len(chosen) >= wanted.images:
            break
    sample = UsableImages(candidates.frame.iloc[chosen], candidates.embeddings[chosen], candidates.norms[chosen])
    return Drawn(pool, sample)


def _stages(
    found: Candidates, are_all: bool, images: DataFrame, features: Features, list_rows: int, wanted: Wanted
) -> Iterator[tuple[Candidates, bool]]:
    """Candidates for the sample, and whether there are no others; each stage costs more than the last."""
    yield found, are_all
    present = images.join(features.keys, schemas.KEY, "semi")
    listed = _listed(present, list_rows, wanted)
    candidates = candidates_of(listed.few, features)
    yield candidates, listed.are_all
    usable = images.join(keys_of_usable(features.table, candidates.dimension), schemas.KEY, "semi")
    listed = _listed(usable, list_rows, wanted)
    # With a feature that can be used each, there are as many as there ever will be.
    yield candidates_of(listed.few, features), True


def _listed(images: DataFrame, list_rows: int, wanted: Wanted) -> FirstIdentities:
    """The images of the first identities with several images, so many as should make the sample."""
    count = with_extra(wanted.images)
    share = max(_ROWS_AN_IMAGE * count, _ROWS_AT_LEAST) / list_rows
    while True:
        first = _first_identities(images, share, wanted, _tasks(wanted, list_rows)).orderBy(*_IN_ORDER)
        rows = collected(first.limit(_most(wanted)))
        if found := _enough(rows, share, wanted):
            return found
        share *= max(_MORE_ROWS, _ROWS_AN_IMAGE * count / max(len(rows), 1))


def _most(wanted: Wanted) -> int:
    """Number of images that are looked at for the sample at most."""
    return with_extra(wanted.images) + with_extra(_OF_AN_IDENTITY)


def _tasks(wanted: Wanted, list_rows: int) -> int:
    return min(_TASKS_AT_MOST, 1 + min(list_rows, _most(wanted)) // _ROWS_A_TASK)


def _enough(rows: pd.DataFrame, share: float, wanted: Wanted) -> FirstIdentities | None:
    """Images, in order, out of such a share of the list's identities; None if others should be looked for."""
    most = _most(wanted)
    are_all = share >= 1 and len(rows) < most
    rows = rows[:most]
    if len(rows) == most:
        # The last identity may go on.
        rows = rows[rows[schemas.IDENTITY_HASH] != rows[schemas.IDENTITY_HASH].iloc[-1]]
    return FirstIdentities(rows, are_all) if share >= 1 or len(rows) >= with_extra(wanted.images) else None


def _first_identities(
    images: DataFrame, share: float, wanted: Wanted, tasks: int, share_of_first: float = 0
) -> DataFrame:
    """Images out of such a share of the list's identities, and out of such a share of all, each once.

    Returns
    -------
    DataFrame
        With `of_sample`, true for the first images of identities with several, and `of_first`, for images of all.
    """
    is_identity, is_first = _is_below(schemas.IDENTITY_HASH, share), _is_below(schemas.IMAGE_HASH, share_of_first)
    identified = images.where(F.col(schemas.IDENTITY).isNotNull() & (is_identity | is_first))
    # A list with paths that are not UTF-8 is refused for them, and Arrow would fail before.
    identified = identified.where(~is_unusable(schemas.PATH))
    columns = dict.fromkeys((*_IN_ORDER, schemas.KEY_HASH, *wanted.more))
    each_once = identified.select(*columns).repartition(tasks, schemas.IDENTITY_HASH).distinct()
    of_identity = Window.partitionBy(schemas.IDENTITY_HASH, schemas.IDENTITY)
    counted = each_once.withColumns(
        {_RANK: F.row_number().over(of_identity.orderBy(*IN_ORDER)), _IMAGES: F.count("*").over(of_identity)}
    )
    of_sample = is_identity & (F.col(_RANK) <= with_extra(_OF_AN_IDENTITY)) & (F.col(_IMAGES) > 1)
    told = counted.withColumns({_OF_SAMPLE: of_sample, _OF_FIRST: is_first}).drop(_RANK, _IMAGES)
    return told.where(F.col(_OF_SAMPLE) | F.col(_OF_FIRST))


def _is_below(hashes: str, share: float) -> Column:
    """Whether the hash in a column is of the lowest so many, as a share of all."""
    if not 0 < share < 1:
        return F.lit(share > 0)
    return F.col(hashes) < int((share - 0.5) * 2**64)


def _chosen(candidates: Candidates, wanted: Wanted) -> np.ndarray:
    """Numbers of the images that make the sample, group by group and in hash order, shape (n,)."""
    known = candidates.frame
    frame = pd.DataFrame({"identity": known[schemas.IDENTITY_HASH], "group": known[wanted.group]})[candidates.usable]
    frame = frame[frame.groupby("identity").cumcount() < _OF_AN_IDENTITY]
    frame = frame[frame.groupby("group")["group"].transform("size") > 1]
    firsts = np.flatnonzero(~frame["identity"].duplicated())
    # The identities that begin before the sample is full.
    in_full = np.searchsorted(firsts, wanted.images)
    frame = frame[: firsts[in_full] if in_full < len(firsts) else None]
    return frame.index.to_numpy()[np.lexsort((frame["group"], frame["identity"]))]
