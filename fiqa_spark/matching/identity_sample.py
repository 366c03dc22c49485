"""A sample of whole identities in the order of their hashes, and a pool of images: out of one scan of the vectors."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs.image_list import CheckedList
from fiqa_spark.matching.sample import (
    Candidates,
    UsableImages,
    candidates_of,
    draw_usable,
    keys_of_usable,
    looked_for,
    with_extra,
)
from fiqa_spark.runtime.frames_by_arrow import collected

_OF_AN_IDENTITY = 1000
# Rows of the list looked at for an image of the sample, as identities with one image give none.
_ROWS_AN_IMAGE, _ROWS_AT_LEAST = 1.2, 4096
_MORE_ROWS = 2
# Rows that one task puts in order, and tasks at most.
_ROWS_A_TASK, _TASKS_AT_MOST = 16_384, 16
# The order of a sample while it is cut.
_IN_ORDER = (schemas.IDENTITY_HASH, schemas.IDENTITY, schemas.IMAGE_HASH, schemas.KEY, schemas.PATH)
_RANK, _IMAGES = "rank", "images_of_identity"


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


class _Listed(NamedTuple):
    """Images of the list that may make the sample."""

    few: pd.DataFrame
    """In the order `_IN_ORDER`, each once."""
    are_all: bool
    """Whether the list holds no others of identities with several images."""


def draw_with_identities(
    images: DataFrame, vectors: DataFrame, listed: CheckedList, pool_size: int, wanted: Wanted
) -> Drawn:
    """Draw a pool, see `draw_usable`, and whole identities in ascending order of `identity_hash`.

    Of an identity at most 1,000 usable images count, those of the smallest hashes. Hashes are uniform: the rows of the
    list whose identity hash is small enough are about as many as are wanted, and they alone are put in order.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`, with the columns that `wanted` names.
    vectors : DataFrame
        As for `draw_usable`.
    listed : CheckedList
        Out of as many rows as `rows_to_draw_from` tells for the pool.

    Raises
    ------
    NothingUsableError
        If no feature can be used.
    InputError
        If features have several lengths.
    """
    here = _listed(images, listed.list_rows, wanted)
    first = looked_for(listed.first, pool_size)
    found = candidates_of(pd.concat([first, here.few]).drop_duplicates(schemas.PATH), vectors)
    pool = draw_usable(images, vectors, listed.first, listed.list_rows, pool_size, at_hand=found)
    for candidates, are_all in _stages(found.of(here.few), here.are_all, images, vectors, listed.list_rows, wanted):
        chosen = _chosen(candidates, wanted)
        if are_all or len(chosen) >= wanted.images:
            break
    sample = UsableImages(candidates.frame.iloc[chosen], candidates.embeddings[chosen], candidates.norms[chosen])
    return Drawn(pool, sample)


def _stages(
    found: Candidates, are_all: bool, images: DataFrame, vectors: DataFrame, list_rows: int, wanted: Wanted
) -> Iterator[tuple[Candidates, bool]]:
    """Candidates for the sample, and whether there are no others; each stage costs more than the last."""
    yield found, are_all
    present = images.join(vectors.select(schemas.KEY), schemas.KEY, "semi")
    listed = _listed(present, list_rows, wanted)
    candidates = candidates_of(listed.few, vectors)
    yield candidates, listed.are_all
    usable = images.join(keys_of_usable(vectors, candidates.dimension), schemas.KEY, "semi")
    listed = _listed(usable, list_rows, wanted)
    # With a feature that can be used each, there are as many as there ever will be.
    yield candidates_of(listed.few, vectors), True


def _listed(images: DataFrame, list_rows: int, wanted: Wanted) -> _Listed:
    """The images of the first identities with several images, so many as should make the sample."""
    count = with_extra(wanted.images)
    share = max(_ROWS_AN_IMAGE * count, _ROWS_AT_LEAST) / list_rows
    most = count + with_extra(_OF_AN_IDENTITY)
    tasks = min(_TASKS_AT_MOST, 1 + min(list_rows, most) // _ROWS_A_TASK)
    while True:
        rows = collected(_first_identities(images, share, wanted, tasks).orderBy(*_IN_ORDER).limit(most))
        are_all = share >= 1 and len(rows) < most
        if len(rows) == most:
            # The last identity may go on.
            rows = rows[rows[schemas.IDENTITY_HASH] != rows[schemas.IDENTITY_HASH].iloc[-1]]
        if share >= 1 or len(rows) >= count:
            return _Listed(rows, are_all)
        share *= max(_MORE_ROWS, _ROWS_AN_IMAGE * count / max(len(rows), 1))


def _first_identities(images: DataFrame, share: float, wanted: Wanted, tasks: int) -> DataFrame:
    """Images of identities with several, out of those that such a share of the list's identities has, each once."""
    identified = images.where(F.col(schemas.IDENTITY).isNotNull())
    if share < 1:
        identified = identified.where(F.col(schemas.IDENTITY_HASH) < int((share - 0.5) * 2**64))
    columns = dict.fromkeys((*_IN_ORDER, schemas.KEY_HASH, *wanted.more))
    each_once = identified.select(*columns).repartition(tasks, schemas.IDENTITY_HASH).distinct()
    of_identity = Window.partitionBy(schemas.IDENTITY_HASH, schemas.IDENTITY)
    counted = each_once.withColumns(
        {_RANK: F.row_number().over(of_identity.orderBy(*_IN_ORDER[2:])), _IMAGES: F.count("*").over(of_identity)}
    )
    few = counted.where((F.col(_RANK) <= with_extra(_OF_AN_IDENTITY)) & (F.col(_IMAGES) > 1))
    return few.drop(_RANK, _IMAGES)


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
