"""One pass over the features: the recognizability of every image, and of every identity a template."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.inputs.vectors import are_too_many_strays
from fiqa_spark.kernels.ers import mean_direction, recognizability_scores, weighted_sums
from fiqa_spark.matching.identity_batches import Rows, joined_rows
from fiqa_spark.matching.identity_pass import distinct_images, first_of_each_identity, pass_over_images, statuses_of
from fiqa_spark.matching.join import Joined
from fiqa_spark.matching.packs import PackedRows, PackFacts, image_columns, packed, packs_schema
from fiqa_spark.matching.status_counts import ImageCounts, counted, counts_in, listed_statuses, names_of_counts
from fiqa_spark.methods import image_examples
from fiqa_spark.methods.ers.settings import RecognizabilitySettings

# No product is shared by several identities, so that few rows at once are as quick as many.
_BYTES_AT_ONCE = 16 << 20
# Every status but that of an identity with too few images, which can be scored too.
_STATUSES = tuple(status for status in schemas.STATUSES if status != schemas.TOO_FEW_IMAGES)
_SUMS = (*names_of_counts(_STATUSES), schemas.RECOGNIZABLE, schemas.OTHER_LENGTH)
_SCORES = schemas.beside_identity_key(schemas.RECOGNIZABILITY)


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
        Packs, see `packed`, with a row for every distinct path of `joined`: the columns of `schemas.RECOGNIZABILITY`,
        and `identity_key`; with templates also `first_of_identity`, and beside it those of `schemas.TEMPLATES` where
        that is true. Their sums are those of `counted`, of `recognizable` and `other_length` (images whose feature has
        not the length of the centroid), their total that of `ers`.
    """
    dimension = len(ui_centroid)

    def packs(parts: Iterable[Rows]) -> Iterator[pd.DataFrame]:
        return _packs_of(parts, ui_centroid, settings, templates)

    return pass_over_images(
        joined,
        dimension,
        of_identities=lambda parts: packs([joined_rows(parts)]),
        of_spilled=packs,
        schema=packs_schema(_SUMS, totals=(schemas.ERS,), examples=image_examples.NAMES),
        bytes_at_once=_BYTES_AT_ONCE,
    )


def _packs_of(
    parts: Iterable[Rows], ui_centroid: np.ndarray, settings: RecognizabilitySettings, templates: bool
) -> Iterator[pd.DataFrame]:
    """Packs of whole identities in one or more parts, which are gone through twice for templates."""
    totals: dict[int, _Total] = {}
    if templates:
        for part in parts:
            rows, _, statuses, scores = _scored(part, ui_centroid, settings)
            _add_totals(totals, rows, statuses == schemas.OK, scores, settings.gamma)
    earlier: set[int] = set()
    for part in parts:
        rows, list_rows, statuses, scores = _scored(part, ui_centroid, settings)
        recognizable, firsts = scores >= settings.gamma, first_of_each_identity(rows, earlier)
        columns = {
            **image_columns(rows, statuses),
            schemas.ERS: pa.array(scores, from_pandas=True),
            schemas.RECOGNIZABLE: pa.array(recognizable, mask=np.isnan(scores)),
            **(_templates(rows, firsts, totals) if templates else {}),
        }
        sums = {
            **counted(statuses, _STATUSES, list_rows, firsts),
            schemas.RECOGNIZABLE: recognizable,
            schemas.OTHER_LENGTH: rows.column(schemas.OTHER_LENGTH),
        }
        examples = image_examples.examples_of(rows, statuses, firsts)
        yield from packed(columns, sums, totals={schemas.ERS: scores}, examples=examples)


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


def _templates(rows: Rows, firsts: list[int], totals: dict[int, _Total]) -> dict[str, pa.Array]:
    """Columns with the templates of identities, each beside its first image."""
    is_first = np.zeros(rows.count, bool)
    is_first[firsts] = True
    templates, numbers = np.full(rows.count, None, object), np.zeros((rows.count, 2), np.int32)
    hashes = rows.column(schemas.IDENTITY_HASH)
    for first in firsts:
        total = totals.get(hashes[first])
        if total is not None:
            numbers[first] = total.images, total.recognizable
            # No direction comes out where all images have the score 0.
            templates[first] = mean_direction(total.weighted) if total.weighted.any() else None
    return {
        schemas.FIRST_OF_IDENTITY: pa.array(is_first),
        schemas.TEMPLATE: pa.array(templates, pa.list_(pa.float32())),
        schemas.IMAGES: pa.array(numbers[:, 0]),
        schemas.RECOGNIZABLE_IMAGES: pa.array(numbers[:, 1]),
    }


class ScoreCounts(NamedTuple):
    """What the scores of all images have in common."""

    listed: ImageCounts
    recognizable: int
    """Number of images with a score of at least gamma."""
    mean: float
    """Mean score."""


def score_counts(facts: PackFacts, dimension: int, *, given: str | None) -> ScoreCounts:
    """Counts by status and recognizability.

    Parameters
    ----------
    facts : PackFacts
        Of packs from `scored_images`.
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
    counts, other = counts_in(facts.sums, _STATUSES), facts.sums[schemas.OTHER_LENGTH]
    present = counts.images - counts.statuses[schemas.MISSING_FEATURE]
    if given and are_too_many_strays(other, present):
        raise InputError(
            f"the UI centroid has {dimension} values, and {other} of {present} features have another length",
            setting=given,
            remedy="give that of the model that the features come from",
        )
    scored = counts.statuses[schemas.OK]
    if not scored:
        raise NothingUsableError(
            f"no image can be scored, of {listed_statuses(counts)}", remedy="check `id_key_index` and the features"
        )
    return ScoreCounts(counts, facts.sums[schemas.RECOGNIZABLE], facts.totals[schemas.ERS] / scored)


def scores_in(packs: DataFrame) -> PackedRows:
    """The scores in packs from `scored_images`: the columns of `schemas.RECOGNIZABILITY`, and `identity_key`."""
    return PackedRows(packs, _SCORES, lambda rows: [rows.column(name) for name in _SCORES.names])


def templates_in(packs: DataFrame) -> DataFrame:
    """A template of every identity.

    Parameters
    ----------
    packs : DataFrame
        From `scored_images`, computed with templates.

    Returns
    -------
    DataFrame
        With the schema `schemas.TEMPLATES`: `template` is the unit vector along the sum of score times embedding over
        the usable images of the identity, null if it has none or all have the score 0.
    """
    kinds = to_arrow_schema(schemas.TEMPLATES)

    def of_pack(rows: pa.RecordBatch) -> list[pa.Array]:
        first = rows.filter(rows.column(schemas.FIRST_OF_IDENTITY))
        return [first.column(field.name).cast(field.type) for field in kinds]

    return PackedRows(packs, schemas.TEMPLATES, of_pack).table
