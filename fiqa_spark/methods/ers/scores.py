"""One pass over the features: the recognizability of every image, and of every identity a template."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.inputs.vectors import are_too_many_strays
from fiqa_spark.kernels.ers import mean_direction, recognizability_scores, weighted_sums
from fiqa_spark.matching.identity_batches import Rows, joined_rows
from fiqa_spark.matching.identity_pass import distinct_images, first_of_each_identity, pass_over_images, statuses_of
from fiqa_spark.matching.join import Joined
from fiqa_spark.matching.status_counts import ImageCounts, count_columns, counts_in, listed_statuses
from fiqa_spark.methods.ers.settings import RecognizabilitySettings

# No product is shared by several identities, so that few rows at once are as quick as many.
_BYTES_AT_ONCE = 16 << 20
# Every status but that of an identity with too few images, which can be scored too.
_STATUSES = tuple(status for status in schemas.STATUSES if status != schemas.TOO_FEW_IMAGES)


def scored_images(
    joined: Joined,
    ui_centroid: np.ndarray,
    settings: RecognizabilitySettings,
    *,
    templates: bool,
) -> DataFrame:
    """Scores of every image.

    Parameters
    ----------
    joined : Joined
        Images beside their features.
    ui_centroid : ndarray of float32, shape (dimension,)
    templates : bool
        Whether templates are computed too.

    Returns
    -------
    DataFrame
        With the schema `schemas.SCORES`, a row for every distinct path of `joined`.
    """
    dimension = len(ui_centroid)

    def frames(parts: Iterable[Rows]) -> Iterator[pd.DataFrame]:
        return _scores_of(parts, ui_centroid, settings, templates)

    return pass_over_images(
        joined,
        dimension,
        of_identities=lambda parts: frames([joined_rows(parts)]),
        of_spilled=frames,
        schema=schemas.SCORES,
        bytes_at_once=_BYTES_AT_ONCE,
    )


def _scores_of(
    parts: Iterable[Rows], ui_centroid: np.ndarray, settings: RecognizabilitySettings, templates: bool
) -> Iterator[pd.DataFrame]:
    """Frames with the scores of whole identities in one or more parts, which are gone through twice for templates."""
    totals: dict[int, _Total] = {}
    if templates:
        for part in parts:
            rows, _, statuses, scores = _scored(part, ui_centroid, settings)
            _add_totals(totals, rows, statuses == schemas.OK, scores, settings.gamma)
    earlier: set[int] = set()
    for part in parts:
        rows, list_rows, statuses, scores = _scored(part, ui_centroid, settings)
        yield _frame(rows, list_rows, statuses, scores, first_of_each_identity(rows, earlier), totals, settings.gamma)


def _scored(
    part: Rows, ui_centroid: np.ndarray, settings: RecognizabilitySettings
) -> tuple[Rows, np.ndarray, np.ndarray, np.ndarray]:
    """The distinct images of a part, their rows of the list, statuses, and scores, NaN where there is none."""
    rows, list_rows = distinct_images(part)
    statuses = statuses_of(rows)
    scores = recognizability_scores(rows.embeddings, ui_centroid, clip=not settings.no_clip)
    scores[statuses != schemas.OK] = np.nan
    return rows, list_rows, statuses, scores


class _Total(NamedTuple):
    """What is known of an identity's template while its images are gone through."""

    images: int
    recognizable: int
    weighted: np.ndarray
    """Sum of score times embedding, float64, shape (dimension,)."""


def _add_totals(totals: dict[int, _Total], rows: Rows, chosen: np.ndarray, scores: np.ndarray, gamma: float) -> None:
    """Add the chosen rows to the totals of their identities."""
    identities, owners = np.unique(rows.column(schemas.IDENTITY_HASH)[chosen], return_inverse=True)
    sums = weighted_sums(rows.embeddings[chosen], scores[chosen], owners, len(identities))
    images = np.bincount(owners, minlength=len(identities)).tolist()
    recognizable = np.bincount(owners[scores[chosen] >= gamma], minlength=len(identities)).tolist()
    for number, identity in enumerate(identities.tolist()):
        before = totals.get(identity, _Total(0, 0, np.zeros(rows.embeddings.shape[1])))
        totals[identity] = _Total(
            before.images + images[number],
            before.recognizable + recognizable[number],
            before.weighted + sums[number],
        )


def _frame(
    rows: Rows,
    list_rows: np.ndarray,
    statuses: np.ndarray,
    scores: np.ndarray,
    firsts: list[int],
    totals: dict[int, _Total],
    gamma: float,
) -> pd.DataFrame:
    is_first = np.zeros(rows.count, np.int32)
    is_first[firsts] = 1
    recognizable = pd.Series(scores >= gamma, dtype=object)
    recognizable[np.isnan(scores)] = None
    templates, numbers = np.full(rows.count, None, object), np.zeros((rows.count, 2), np.int32)
    hashes = rows.column(schemas.IDENTITY_HASH)
    for first in firsts if totals else ():
        total = totals.get(hashes[first])
        if total is not None:
            numbers[first] = total.images, total.recognizable
            # No direction comes out where all images have the score 0.
            templates[first] = mean_direction(total.weighted) if total.weighted.any() else None
    return pd.DataFrame(
        {
            schemas.PATH: rows.column(schemas.PATH),
            schemas.IDENTITY: rows.column(schemas.IDENTITY),
            schemas.ERS: scores,
            schemas.RECOGNIZABLE: recognizable,
            schemas.STATUS: statuses,
            schemas.IDENTITY_KEY: rows.column(schemas.IDENTITY_KEY),
            schemas.LIST_ROWS: list_rows,
            schemas.FIRST_OF_IDENTITY: is_first,
            schemas.OTHER_LENGTH: rows.column(schemas.OTHER_LENGTH).astype(np.int32),
            schemas.TEMPLATE: templates,
            schemas.IMAGES: numbers[:, 0],
            schemas.RECOGNIZABLE_IMAGES: numbers[:, 1],
        }
    )


class ScoreCounts(NamedTuple):
    """What the scores of all images have in common."""

    listed: ImageCounts
    recognizable: int
    """Number of images with a score of at least gamma."""
    mean: float
    """Mean score."""


def score_counts(scores: DataFrame, dimension: int, *, given: str | None) -> ScoreCounts:
    """Counts by status and recognizability.

    Parameters
    ----------
    scores : DataFrame
        With the schema `schemas.SCORES`.
    dimension : int
        Length of the UI centroid.
    given : str or None
        Setting that gave the centroid, None if it was found among these images.

    Raises
    ------
    NothingUsableError
        If no image has a score.
    InputError
        If a centroid that was given is of another model than the features.
    """
    [totals] = scores.agg(
        *count_columns(),
        F.count_if(schemas.RECOGNIZABLE).alias("recognizable"),
        F.avg(schemas.ERS).alias("mean"),
        F.sum(schemas.OTHER_LENGTH).alias("other"),
    ).collect()
    counts = counts_in(totals, _STATUSES)
    present = counts.images - counts.statuses[schemas.MISSING_FEATURE]
    if given and are_too_many_strays(totals["other"], present):
        raise InputError(
            f"the UI centroid has {dimension} values, and {totals['other']} of {present} features have another length",
            setting=given,
            remedy="give that of the model that the features come from",
        )
    if not counts.statuses[schemas.OK]:
        raise NothingUsableError(
            f"no image can be scored, of {listed_statuses(counts)}", remedy="check `id_key_index` and the features"
        )
    return ScoreCounts(counts, totals["recognizable"], totals["mean"])


def templates_of(scores: DataFrame) -> DataFrame:
    """A template of every identity.

    Parameters
    ----------
    scores : DataFrame
        From `scored_images`, computed with templates.

    Returns
    -------
    DataFrame
        With the schema `schemas.TEMPLATES`: `template` is the unit vector along the sum of score times embedding over
        the usable images of the identity, null if it has none or all have the score 0.
    """
    return scores.where(F.col(schemas.FIRST_OF_IDENTITY) == 1).select(*schemas.TEMPLATES.names)
