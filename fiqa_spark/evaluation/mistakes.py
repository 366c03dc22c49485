"""Errors in spite of high labels: mated pairs that a model takes for strangers though both images are good."""

from collections.abc import Iterator, Sequence

import numpy as np
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.findings import Mistake, Mistakes
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.evaluation.pair_similarities import ComparedPairs
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.kernels.edc import are_errors, starting_threshold

SHOWN_AT_MOST = 50


def mistakes(
    compared: ComparedPairs, images: LabelledImages, names: Sequence[str], settings: EvaluationSettings
) -> tuple[Mistakes, ...]:
    """The mated pairs of highest quality that are errors, of every label set.

    Parameters
    ----------
    images : LabelledImages
        Those of the pairs, and perhaps others.
    names : sequence of str
        Of the label sets, in the order of ``compared.qualities``.

    Returns
    -------
    tuple of Mistakes
        By the threshold of the first FMR, or else of the first starting FNMR; empty where there are no mated pairs.
    """
    mated = compared.mated
    if not mated.any():
        return ()
    similarities, strangers = compared.similarities[mated], compared.similarities[~mated]
    if settings.at_fmr and len(strangers):
        threshold = starting_threshold(strangers, settings.at_fmr[0], error="fmr")
        told_by = f"FMR {settings.at_fmr[0]:g}"
    elif settings.starting_error:
        threshold = starting_threshold(similarities, settings.starting_error[0], error="fnmr")
        told_by = f"a starting FNMR of {settings.starting_error[0]:g}"
    else:
        return ()
    wrong = np.flatnonzero(are_errors(similarities, threshold, error="fnmr"))
    sides = [side[mated][wrong] for side in compared.images]
    chosen = [_of_highest_quality(quality[mated][wrong], sides) for quality in compared.qualities]
    known = _known_images(images, np.unique(np.concatenate([side[rows] for rows in chosen for side in sides])))
    return tuple(
        Mistakes(
            name,
            threshold,
            told_by,
            len(wrong),
            tuple(_told(rows, sides, known, quality[mated][wrong], similarities[wrong])),
        )
        for name, rows, quality in zip(names, chosen, compared.qualities, strict=True)
    )


def _of_highest_quality(qualities: np.ndarray, sides: Sequence[np.ndarray]) -> np.ndarray:
    """Numbers of the pairs to show, the highest quality first, of equal ones in the order of the images' hashes."""
    return np.lexsort((sides[1], sides[0], -qualities))[:SHOWN_AT_MOST]


def _known_images(images: LabelledImages, hashes: np.ndarray) -> dict[int, tuple[str, str | None]]:
    """Hash of an image to its path and identity."""
    if not len(hashes):
        return {}
    rows = images.table.where(F.col(schemas.IMAGE_HASH).isin(hashes.tolist()))
    found = rows.select(schemas.IMAGE_HASH, schemas.PATH, schemas.IDENTITY).collect()
    return {number: (path, identity) for number, path, identity in found}


def _told(
    rows: np.ndarray,
    sides: Sequence[np.ndarray],
    known: dict[int, tuple[str, str | None]],
    qualities: np.ndarray,
    similarities: np.ndarray,
) -> Iterator[Mistake]:
    for row in rows.tolist():
        (path_a, identity), (path_b, _) = (known[int(side[row])] for side in sides)
        yield Mistake(path_a, path_b, identity, float(qualities[row]), float(similarities[row]))
