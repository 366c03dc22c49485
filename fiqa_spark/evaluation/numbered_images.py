"""Pairs of images whose numbers the driver can hold, though not their vectors: it draws them, and workers compare them.

Only numbers are collected, so that no path or key is moved for a pair.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.image_frames import in_hash_order
from fiqa_spark.evaluation.label_sets import has_every_label
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.evaluation.numbered_pairs import Numbers, compared_numbers, draw_numbers
from fiqa_spark.evaluation.pair_similarities import ComparedPairs, left_out_of
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.evaluation.vector_meetings import met_similarities
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.features import Features
from fiqa_spark.matching.join import repeated_key
from fiqa_spark.runtime.driver_memory import free_bytes
from fiqa_spark.runtime.frames_by_arrow import collected, distributed

IMAGES_AT_MOST = 2_000_000
"""Labelled images whose numbers the driver holds: some 50 bytes each, and 8 a label set."""
# Every worker holds the numbers of all pairs, 12 bytes each.
_NON_MATED_AT_MOST = 5_000_000
# Of an image in the driver, copies included.
_IMAGE_BYTES = 200


def numbered_images(images: LabelledImages, names: Sequence[str], settings: EvaluationSettings) -> pd.DataFrame | None:
    """Numbers of the images that have an identity and a label in every set, if there are few enough.

    Parameters
    ----------
    names : sequence of str
        From `label_sets.quality_columns`.
    settings : EvaluationSettings
        `pairs` and `seed`, which tell the halves of identities.

    Returns
    -------
    DataFrame of pandas, or None
        `identity_hash`, `image_hash`, `key_hash` and the qualities, in the order of the image hashes; the hashes of
        images are all different. `group_number` (-1 for none) where the images have it, and `half` (0 or 1) where pairs
        are drawn across halves.
    """
    count = images.counts["labelled"]
    if count > IMAGES_AT_MOST or settings.wanted_non_mated > _NON_MATED_AT_MOST:
        return None
    if count * _IMAGE_BYTES > free_bytes(images.table.sparkSession):
        return None
    columns = [F.col(name) for name in (schemas.IDENTITY_HASH, schemas.IMAGE_HASH, *names)]
    columns.append(F.xxhash64(schemas.KEY).alias(schemas.KEY_HASH))
    frame = in_hash_order(_usable(images.table, names), columns, settings)
    of_image = (frame[schemas.IMAGE_HASH], frame[schemas.KEY_HASH])
    return frame if all(hashes.is_unique for hashes in of_image) else None


def _usable(table: DataFrame, names: Sequence[str]) -> DataFrame:
    """The images that can be in a drawn pair."""
    return table.where(F.col(schemas.IDENTITY).isNotNull() & has_every_label(names))


class NumberedPairs:
    """Pairs of images of which the driver holds numbers.

    Parameters
    ----------
    images : DataFrame
        The table that the frame comes from.
    frame : DataFrame of pandas
        From `numbered_images`.
    numbers : Numbers
        In the frame.
    mated : ndarray of bool, shape (pairs,)
    names : sequence of str
        From `label_sets.quality_columns`.
    settings : EvaluationSettings
        `pair_quality`, and `seed`, by which image hashes are made.
    """

    def __init__(
        self,
        images: DataFrame,
        frame: pd.DataFrame,
        numbers: Numbers,
        mated: np.ndarray,
        names: Sequence[str],
        settings: EvaluationSettings,
    ) -> None:
        self._images, self._frame, self._numbers, self._mated = images, frame, numbers, mated
        self._names, self._settings = names, settings
        self.counts = {True: int(mated.sum()), False: int((~mated).sum())}
        """Number of pairs that are mated (True) and that are not."""
        used = np.zeros(len(frame), bool)
        for side in numbers:
            used[side] = True
        # Nearly all images are in pairs, or few are: the fewer ones tell which.
        few, how = (used, "left_semi") if used.mean() < 0.5 else (~used, "left_anti")
        hashes = distributed(images.sparkSession, frame.loc[few, [schemas.IMAGE_HASH]], f"{schemas.IMAGE_HASH} bigint")
        of_pairs = _usable(images, names).join(F.broadcast(hashes), schemas.IMAGE_HASH, how)
        self.images = of_pairs.select(schemas.PATH, schemas.KEY)
        """The distinct images of the pairs, `path` and `key`."""

    def compared(self, features: Features) -> tuple[ComparedPairs, dict[str, int]]:
        """Pairs with the similarity of their features, and the pairs left out for them, as from `compared_pairs`.

        Features of any model may come after another's.
        """
        images = self._frame[[schemas.KEY_HASH, schemas.IMAGE_HASH]]
        if features.stored:
            images = images.assign(**{schemas.IDENTITY_KEY: self._identity_keys(features.id_key_index)})
        similarities, matched = met_similarities(features, images, self._numbers, self._settings.seed)
        if similarities is None:
            raise repeated_key(self.images, features)
        left_out = left_out_of(matched, np.isfinite(similarities), self.images, features)
        columns = {name: self._frame[name].to_numpy() for name in self._frame}
        pairs = (columns, self._numbers, self._mated, similarities)
        return compared_numbers(*pairs, self._names, self._settings.pair_quality), left_out

    def _identity_keys(self, index: int) -> np.ndarray:
        """The identity key of each image of the frame, by such a part of the key."""
        identity_key = keys.identity_key(F.col(schemas.KEY), index).alias(schemas.IDENTITY_KEY)
        found = collected(_usable(self._images, self._names).select(schemas.IMAGE_HASH, identity_key))
        return found.sort_values(schemas.IMAGE_HASH)[schemas.IDENTITY_KEY].to_numpy(np.int64)


def draw_numbered(
    images: DataFrame, frame: pd.DataFrame, names: Sequence[str], settings: EvaluationSettings
) -> tuple[NumberedPairs, dict[str, int]]:
    """The pairs that `draw_mated` and `draw_non_mated` draw.

    Parameters
    ----------
    images : DataFrame
        The table that the frame comes from.
    frame : DataFrame of pandas
        From `numbered_images`.

    Returns
    -------
    pairs : NumberedPairs
    identities : dict
        As from `draw_mated`.

    Raises
    ------
    InputError
        If there is no image, or all are of one identity.
    """
    identities, _ = pd.factorize(frame[schemas.IDENTITY_HASH])
    known, hashes = np.arange(len(frame), dtype=np.int32), (schemas.IDENTITY_HASH, schemas.IMAGE_HASH, schemas.HALF)
    columns = {name: frame[name].to_numpy() for name in hashes if name in frame}
    numbers, mated, account = draw_numbers(columns, known, identities, settings)
    return NumberedPairs(images, frame, numbers, mated, names, settings), account
