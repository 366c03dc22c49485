"""The first usable images of a list in the order of their hashes: what every random sample is made of."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.inputs.element_types import check_are_float32
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import few_of_each, first_images
from fiqa_spark.inputs.vectors import are_too_many_strays, stack_vectors, vector_lengths, with_binary_vectors
from fiqa_spark.kernels.embeddings import embeddings_and_norms, unit_embeddings
from fiqa_spark.runtime.frames_by_arrow import collected, distributed
from fiqa_spark.runtime.workers import in_worker

# Drawn beyond the size of a sample, for those that turn out not to be usable.
_EXTRA_SHARE, _EXTRA = 0.05, 64
# Where an identity may give few images, more rows are looked at for as many images.
_ROWS_A_CAPPED_IMAGE = 2


class UsableImages(NamedTuple):
    """Usable images in hash order."""

    frame: pd.DataFrame
    """What is known of each, as `first_images` gives it."""
    embeddings: npt.NDArray[np.float32]
    """Unit embeddings, shape (images, dimension)."""
    norms: npt.NDArray[np.float64]
    """Lengths that the features had before, shape (images,)."""


class Candidates(NamedTuple):
    """Images that have a feature, in the order in which they were asked for."""

    frame: pd.DataFrame
    """What is known of each, and the problem with its feature, if there is one."""
    dimension: int
    embeddings: npt.NDArray[np.float32]
    """Unit embeddings, shape (images, dimension)."""
    norms: npt.NDArray[np.float64]
    """Lengths that the features had before, shape (images,); NaN where they cannot be used."""
    usable: npt.NDArray[np.bool_]
    """Whether an embedding can be used, shape (images,)."""

    def of(self, few: pd.DataFrame) -> "Candidates":
        """Those of some images, by their paths, and in their order."""
        rows = pd.Index(self.frame[schemas.PATH]).get_indexer(few[schemas.PATH])
        found = rows >= 0
        problems = self.frame[schemas.PROBLEM].to_numpy()[rows[found]]
        frame = few[found].reset_index(drop=True).assign(**{schemas.PROBLEM: problems})
        beside = (each[rows[found]] for each in (self.embeddings, self.norms, self.usable))
        return Candidates(frame, self.dimension, *beside)


def rows_to_draw_from(size: int, per_identity: int | None = None) -> int:
    """Number of rows of the list, those of the smallest hashes, among which a sample of this size should be."""
    return with_extra(size) * (_ROWS_A_CAPPED_IMAGE if per_identity else 1)


def with_extra(size: int) -> int:
    """Number of images to look for, of which so many should be usable."""
    return int(size * (1 + _EXTRA_SHARE)) + _EXTRA


def draw_usable(
    images: DataFrame,
    features: Features,
    first: pd.DataFrame,
    list_rows: int,
    size: int,
    per_identity: int | None = None,
    *,
    at_hand: Candidates | None = None,
) -> UsableImages:
    """Draw the first usable images in the order of their hashes.

    The first images of the list tell which vectors are looked for, so that hardly more of them than the sample holds
    leave the executors. Where too many of these images have no feature, the first that have one are looked for; only
    where too many of those are not usable either are all features looked at.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    features : Features
        Those of the images, and perhaps of others.
    first : DataFrame of pandas
        From `first_images`, out of as many rows as `rows_to_draw_from` tells.
    list_rows : int
        Number of rows of `images`.
    size : int
        Number of images to draw; all usable ones where there are fewer.
    per_identity : int, optional
        Images of an identity at most, those of the smallest hashes; default: any number. One of these that is not
        usable is replaced by the identity's next only where the sample would not be full otherwise.
    at_hand : Candidates, optional
        What was found of the images that `looked_for` tells, and perhaps of others; by default these are looked for.

    Raises
    ------
    NothingUsableError
        If no feature can be used.
    InputError
        If features have several lengths.
    """
    for candidates, enough in _stages(images, features, first, list_rows, size, per_identity, at_hand):
        if candidates.usable.sum() >= enough:
            break
    if not candidates.usable.any():
        raise none_usable(candidates.frame, candidates.dimension)
    chosen = np.flatnonzero(candidates.usable)[:size]
    return UsableImages(candidates.frame.iloc[chosen], candidates.embeddings[chosen], candidates.norms[chosen])


def looked_for(first: pd.DataFrame, size: int) -> pd.DataFrame:
    """The images among which `draw_usable` looks first for so many, where an identity may give any number."""
    return first[: with_extra(size)]


def _stages(
    images: DataFrame,
    features: Features,
    first: pd.DataFrame,
    list_rows: int,
    size: int,
    per_identity: int | None,
    at_hand: Candidates | None,
) -> Iterator[tuple[Candidates, int]]:
    """Candidates for a sample, and how many of them must be usable to make it; each stage costs more than the last."""
    wanted, is_whole_list = with_extra(size), list_rows <= rows_to_draw_from(size, per_identity)
    identified = images.where(F.col(schemas.IDENTITY).isNotNull()).dropDuplicates([schemas.PATH])

    listed = few_of_each(first, per_identity)
    # Only a part of the list can hold others that would take the place of those that are not usable.
    has_others = not is_whole_list or len(listed) < len(first)
    if per_identity and not is_whole_list and len(listed) < wanted:
        listed = first_images(identified, wanted, per_identity)
    listed = listed[:wanted]
    found = at_hand.of(listed) if at_hand else candidates_of(listed, features)
    yield found, min(size, len(listed)) if per_identity else size
    if not has_others:
        return

    present = identified.join(features.keys, schemas.KEY, "semi")
    candidates = candidates_of(first_images(present, wanted, per_identity), features)
    yield candidates, min(size, len(candidates.frame))

    usable = identified.join(keys_of_usable(features.table, candidates.dimension), schemas.KEY, "semi")
    candidates = candidates_of(first_images(usable, size, per_identity), features)
    if len(candidates.frame):
        yield candidates, 0


def candidates_of(few: pd.DataFrame, features: Features) -> Candidates:
    """Those of a few images that have a feature, in the images' order."""
    wanted = distributed(features.table.sparkSession, few[[schemas.KEY]].drop_duplicates(), f"{schemas.KEY} string")
    # What merely has the same hash is left out below.
    matched = features.of_keys(wanted).select(schemas.KEY, schemas.FEATURE, schemas.PROBLEM)
    frame = few.merge(collected(with_binary_vectors(matched)), on=schemas.KEY)
    frame = frame.drop_duplicates(schemas.PATH, ignore_index=True)
    if isinstance(features.table.schema[schemas.FEATURE].dataType, BinaryType):
        check_are_float32(frame[schemas.FEATURE], setting="feature_root")
    dimension = _dimension(frame) if len(frame) else 1
    found = embeddings_and_norms(stack_vectors(frame[schemas.FEATURE], dimension))
    return Candidates(frame.drop(columns=schemas.FEATURE), dimension, *found)


def keys_of_usable(vectors: DataFrame, dimension: int) -> DataFrame:
    """Column `key`: of the features that have the dimension, finite values and a direction."""

    @in_worker
    def select(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            yield frame.loc[unit_embeddings(stack_vectors(frame[schemas.FEATURE], dimension))[1], [schemas.KEY]]

    return vectors.select(schemas.KEY, schemas.FEATURE).mapInPandas(select, f"{schemas.KEY} string")


def _dimension(frame: pd.DataFrame) -> int:
    """The one length of vectors; other lengths may occur here and there, but not often."""
    lengths = vector_lengths(frame[schemas.FEATURE])
    common = Counter(lengths[lengths > 0].tolist()).most_common(2)
    if not common:
        raise none_usable(frame, 0)
    if len(common) == 2 and are_too_many_strays(common[1][1], len(frame)):
        examples = [f"{length} as of {frame[schemas.PATH][np.argmax(lengths == length)]!r}" for length, _ in common]
        raise InputError(
            f"features have several lengths, {examples[0]} and {examples[1]}",
            setting="feature_root",
            remedy="keep those of one model only",
        )
    return common[0][0]


def none_usable(frame: pd.DataFrame, dimension: int) -> NothingUsableError:
    """The error of images none of which has a feature that can be used."""
    problems = frame[schemas.PROBLEM].dropna()
    path = frame[schemas.PATH].iloc[0] if len(frame) else ""
    reason = (
        problems.iloc[0]
        if len(problems)
        else f"that of {path!r} is empty, not finite, zero or not of length {dimension}"
    )
    return NothingUsableError(
        f"none of {len(frame)} features can be used: {reason}",
        setting="feature_root",
        remedy="compute the features again",
    )
