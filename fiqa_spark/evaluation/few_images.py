"""Pairs of few images: the driver draws and compares them, where Spark would move every vector hundreds of times."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.image_frames import in_hash_order
from fiqa_spark.evaluation.label_sets import has_every_label
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.evaluation.numbered_pairs import Columns, compared_numbers, draw_numbers
from fiqa_spark.evaluation.pair_similarities import ComparedPairs, left_out_of
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.vectors import stack_vectors, vector_lengths
from fiqa_spark.kernels.edc import pair_similarities
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.matching.join import repeated_key
from fiqa_spark.runtime.frames_by_arrow import collected, distributed

IMAGES_AT_MOST = 20_000
"""Labelled images whose features the driver holds: 40 MB of 512 values each."""
# Vectors of one side of the pairs that are compared at once: they stay in the processor's cache.
_BYTES_AT_ONCE = 1 << 20


def few_images(images: LabelledImages, names: Sequence[str], settings: EvaluationSettings) -> pd.DataFrame | None:
    """Images that have a label in every set, if there are few enough for the driver.

    Parameters
    ----------
    names : sequence of str
        From `label_sets.quality_columns`.
    settings : EvaluationSettings
        `pairs` and `seed`, which tell the halves of identities.

    Returns
    -------
    DataFrame of pandas, or None
        `path`, `key`, `identity` (None if none), `identity_hash`, `image_hash` and the qualities, in the order of the
        image hashes, which are all different; `group_number` (-1 for none) where the images have it, and `half` (0 or
        1) where pairs are drawn across halves.
    """
    if images.counts["labelled"] > IMAGES_AT_MOST:
        return None
    known = (schemas.PATH, schemas.KEY, schemas.IDENTITY, schemas.IDENTITY_HASH, schemas.IMAGE_HASH, *names)
    frame = in_hash_order(images.table.where(has_every_label(names)), [F.col(name) for name in known], settings)
    return frame if frame[schemas.IMAGE_HASH].is_unique else None


class FewPairs:
    """Pairs of few images.

    Parameters
    ----------
    images : DataFrame
        The table that the frame comes from.
    frame : DataFrame of pandas
        From `few_images`.
    numbers : tuple of ndarray of int, shape (pairs,)
        Numbers of the two images of each pair, in the frame.
    mated : ndarray of bool, shape (pairs,)
    names : sequence of str
        From `label_sets.quality_columns`.
    pair_quality : str
        As of `EvaluationSettings`.
    """

    def __init__(
        self,
        images: DataFrame,
        frame: pd.DataFrame,
        numbers: tuple[np.ndarray, np.ndarray],
        mated: np.ndarray,
        names: Sequence[str],
        pair_quality: str,
    ) -> None:
        self._frame, self._numbers, self._mated = frame, numbers, mated
        self._names, self._pair_quality = names, pair_quality
        self.counts = {True: int(mated.sum()), False: int((~mated).sum())}
        """Number of pairs that are mated (True) and that are not."""
        used = np.zeros(len(frame), bool)
        for side in numbers:
            used[side] = True
        rows = frame.loc[used, [schemas.PATH, schemas.KEY]]
        self.images = distributed(images.sparkSession, rows, f"{schemas.PATH} string, {schemas.KEY} string")
        """The distinct images of the pairs, `path` and `key`."""

    def compared(self, features: Features) -> tuple[ComparedPairs, dict[str, int]]:
        """Pairs with the similarity of their features, and the pairs left out for them, as from `compared_pairs`.

        Features of any model may come after another's.
        """
        vectors, present = self._vectors(features)
        a, b = self._numbers
        matched, similarities = present[a] & present[b], _similarities(vectors, a, b)
        usable = np.isfinite(similarities)
        left_out = left_out_of(matched, usable, self.images, features)
        pairs = (_columns(self._frame), self._numbers, self._mated, similarities)
        return compared_numbers(*pairs, self._names, self._pair_quality), left_out

    def _vectors(self, features: Features) -> tuple[pd.Series, np.ndarray]:
        """The feature of each image of the frame, None where there is none, and whether there is one, be it useless."""
        # What merely has the same hash is left out below.
        wanted = features.of_keys(self.images.select(schemas.KEY))
        found = collected(wanted.select(schemas.KEY, schemas.FEATURE))
        numbers = pd.Index(self._frame[schemas.KEY]).get_indexer(found[schemas.KEY])
        found, numbers = found[numbers >= 0], numbers[numbers >= 0]
        if len(np.unique(numbers)) < len(numbers):
            raise repeated_key(self.images, features)
        vectors = np.full(len(self._frame), None, object)
        vectors[numbers] = found[schemas.FEATURE].to_numpy()
        present = np.zeros(len(self._frame), bool)
        present[numbers] = True
        return pd.Series(vectors), present


def _similarities(vectors: pd.Series, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Similarity of each pair of vectors, NaN where one cannot be used or they are of two lengths."""
    lengths, similarities = vector_lengths(vectors), np.full(len(a), np.nan)
    for length in np.unique(lengths[lengths > 0]).tolist():
        of_length = np.flatnonzero(lengths == length)
        embeddings, sound = unit_embeddings(stack_vectors(vectors.iloc[of_length], length))
        rows = np.full(len(vectors), -1, np.int32)
        rows[of_length[sound]] = np.flatnonzero(sound)
        rows_a, rows_b = rows[a], rows[b]
        chosen = np.flatnonzero((rows_a >= 0) & (rows_b >= 0))
        at_once = max(1, _BYTES_AT_ONCE // (4 * length))
        for begin in range(0, len(chosen), at_once):
            pairs = chosen[begin : begin + at_once]
            similarities[pairs] = pair_similarities(embeddings[rows_a[pairs]], embeddings[rows_b[pairs]])
    return similarities


def draw_pairs(
    images: DataFrame, frame: pd.DataFrame, names: Sequence[str], settings: EvaluationSettings
) -> tuple[FewPairs, dict[str, int]]:
    """The pairs that `draw_mated` and `draw_non_mated` draw.

    Parameters
    ----------
    images : DataFrame
        The table that the frame comes from.
    frame : DataFrame of pandas
        From `few_images`.

    Returns
    -------
    pairs : FewPairs
    identities : dict
        As from `draw_mated`.

    Raises
    ------
    InputError
        If no image has an identity, or all are of one.
    """
    known = np.flatnonzero(frame[schemas.IDENTITY].notna()).astype(np.int32)
    identities, _ = pd.factorize(frame[schemas.IDENTITY].iloc[known])
    numbers, mated, account = draw_numbers(_columns(frame), known, identities, settings)
    return FewPairs(images, frame, numbers, mated, names, settings.pair_quality), account


def _columns(frame: pd.DataFrame) -> Columns:
    return {name: frame[name].to_numpy() for name in frame}


def listed_pairs(
    images: DataFrame, frame: pd.DataFrame, pairs: DataFrame, names: Sequence[str], settings: EvaluationSettings
) -> FewPairs:
    """Listed pairs.

    Parameters
    ----------
    images : DataFrame
        The table that the frame comes from.
    frame : DataFrame of pandas
        From `few_images`.
    pairs : DataFrame
        `same`, and structs `a` and `b` with `image_hash`, of images in the frame.
    """
    hashes: Any = frame[schemas.IMAGE_HASH].to_numpy(np.int64)
    sides = [F.col(side)[schemas.IMAGE_HASH].alias(side) for side in ("a", "b")]
    rows = collected(pairs.select(schemas.SAME, *sides))
    numbers = tuple(np.searchsorted(hashes, rows[side].to_numpy(np.int64)) for side in ("a", "b"))
    mated = rows[schemas.SAME].to_numpy(bool)
    return FewPairs(images, frame, (numbers[0], numbers[1]), mated, names, settings.pair_quality)
