"""The first usable images of a list in the order of their hashes: what every random sample is made of."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql.functions import pandas_udf

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.inputs.image_list import few_of_each, first_images
from fiqa_spark.inputs.vectors import are_too_many_strays, stack_vectors, vector_lengths, with_binary_vectors
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.runtime.workers import in_worker

# Drawn beyond the size of a sample, for those that turn out not to be usable.
_EXTRA_SHARE, _EXTRA = 0.05, 64
# Where an identity may give few images, more lines are looked at for as many images.
_LINES_A_CAPPED_IMAGE = 2
_OF_VECTORS = (schemas.KEY_HASH, schemas.KEY, schemas.FEATURE, schemas.PROBLEM)


class UsableImages(NamedTuple):
    """Usable images in hash order."""

    frame: pd.DataFrame
    """What is known of each, as `first_images` gives it."""
    embeddings: np.ndarray
    """Unit embeddings, float32, shape (images, dimension)."""


def rows_to_draw_from(size, per_identity=None):
    """Number of lines of the list, those of the smallest hashes, among which a sample of this size should be."""
    return _candidates(size) * (_LINES_A_CAPPED_IMAGE if per_identity else 1)


def _candidates(size):
    """Number of images to look for, of which so many should be usable."""
    return int(size * (1 + _EXTRA_SHARE)) + _EXTRA


def draw_usable(images, vectors, first, list_rows, size, per_identity=None):
    """Draw the first usable images in the order of their hashes.

    The first images of the list tell which vectors are looked for, so that hardly more of them than the sample holds
    leave the executors. Where too many of these images have no feature, the first that have one are looked for; only
    where too many of those are not usable either are all features looked at.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    vectors : DataFrame
        Where to take `key_hash`, `key`, `feature` and `problem` from: features, or images joined with them where these
        are kept.
    first : DataFrame of pandas
        From `first_images`, out of as many lines as `rows_to_draw_from` tells.
    list_rows : int
        Number of rows of `images`.
    size : int
        Number of images to draw; all usable ones where there are fewer.
    per_identity : int, optional
        Images of an identity at most, those of the smallest hashes; default: any number. One of these that is not
        usable is replaced by the identity's next only where the sample would not be full otherwise.

    Returns
    -------
    UsableImages

    Raises
    ------
    NothingUsableError
        If no feature can be used.
    InputError
        If features have several lengths.
    """
    wanted, is_whole_list = _candidates(size), list_rows <= rows_to_draw_from(size, per_identity)
    identified = images.where(F.col(schemas.IDENTITY).isNotNull()).dropDuplicates([schemas.PATH])
    candidates = few_of_each(first, per_identity)
    # Only a part of the list can hold others that would take the place of those that are not usable.
    has_others = not is_whole_list or len(candidates) < len(first)
    if per_identity and not is_whole_list and len(candidates) < wanted:
        candidates = first_images(identified, wanted, per_identity)
    probe = _fetched(candidates[:wanted], vectors)
    dimension, embeddings, usable = _usable_of(probe)
    if has_others and usable.sum() < (min(size, len(candidates)) if per_identity else size):
        present = identified.join(vectors.select(schemas.KEY), schemas.KEY, "semi")
        probe = _fetched(first_images(present, wanted, per_identity), vectors)
        dimension, embeddings, usable = _usable_of(probe)
        if usable.sum() < min(size, len(probe)):
            fit = vectors.where(_usable(dimension)(schemas.FEATURE)).select(schemas.KEY)
            fitting = _fetched(first_images(identified.join(fit, schemas.KEY, "semi"), size, per_identity), vectors)
            probe = fitting if len(fitting) else probe
            dimension, embeddings, usable = _usable_of(probe)
    if not usable.any():
        raise _none_usable(probe, dimension)
    chosen = np.flatnonzero(usable)[:size]
    return UsableImages(probe.iloc[chosen].drop(columns=schemas.FEATURE), np.ascontiguousarray(embeddings[chosen]))


def _fetched(few, vectors):
    """Those of a few images that have a feature, with it, as a pandas frame in the images' order."""
    hashes = few[[schemas.KEY_HASH]].drop_duplicates().astype("int64")
    wanted = vectors.sparkSession.createDataFrame(hashes, f"{schemas.KEY_HASH} long")
    # By a number alone, which is quicker than by text; what merely has the same hash is left out below.
    found = vectors.select(*_OF_VECTORS).join(F.broadcast(wanted), schemas.KEY_HASH)
    columns = _OF_VECTORS[1:]
    rows = with_binary_vectors(found.select(*columns)).collect()
    frame = few.merge(pd.DataFrame(rows, columns=columns, dtype=object), on=schemas.KEY)
    return frame.drop_duplicates(schemas.PATH, ignore_index=True)


def _usable_of(probe):
    """Dimension, unit embeddings, and which of them are usable."""
    dimension = _dimension(probe) if len(probe) else 1
    return dimension, *unit_embeddings(stack_vectors(probe[schemas.FEATURE], dimension))


def _usable(dimension):
    """UDF: true where a feature has the dimension, finite values and a direction."""

    @pandas_udf("boolean")
    @in_worker
    def usable(features: pd.Series) -> pd.Series:
        return pd.Series(unit_embeddings(stack_vectors(features, dimension))[1])

    return usable


def _dimension(probe):
    """The one length of vectors; other lengths may occur here and there, but not often."""
    lengths = vector_lengths(probe[schemas.FEATURE])
    common = Counter(lengths[lengths > 0].tolist()).most_common(2)
    if not common:
        raise _none_usable(probe, 0)
    if len(common) == 2 and are_too_many_strays(common[1][1], len(probe)):
        seen = [f"{length} as of {probe[schemas.PATH][np.argmax(lengths == length)]!r}" for length, _ in common]
        raise InputError(
            f"features have several lengths, {seen[0]} and {seen[1]}",
            setting="feature_root",
            remedy="keep those of one model only",
        )
    return common[0][0]


def _none_usable(probe, dimension):
    problems = probe[schemas.PROBLEM].dropna()
    path = probe[schemas.PATH].iloc[0] if len(probe) else ""
    reason = (
        problems.iloc[0]
        if len(problems)
        else f"that of {path!r} is empty, not finite, zero or not of length {dimension}"
    )
    return NothingUsableError(
        f"none of {len(probe)} features can be used: {reason}",
        setting="feature_root",
        remedy="compute the features again",
    )
