"""What margins are measured by: learned from a pool of strangers and a sample of whole identities."""

from typing import Any, NamedTuple

import numpy as np
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError, SettingsError
from fiqa_spark.inputs.features import Features, vector_length
from fiqa_spark.inputs.image_list import CheckedList
from fiqa_spark.kernels.margin_reference import MarginReference, learned_reference
from fiqa_spark.kernels.prior import Prior
from fiqa_spark.matching.identity_sample import Drawn, FirstIdentities, Wanted, draw_with_identities
from fiqa_spark.matching.sample import UsableImages
from fiqa_spark.methods.margin.settings import LEARNED_WITH, MarginSettings
from fiqa_spark.methods.margin.strangers import Strangers
from fiqa_spark.methods.mate_groups import columns_of_groups, group_column
from fiqa_spark.methods.pool import Pool, pool_of
from fiqa_spark.methods.references import Reference
from fiqa_spark.runtime.driver_memory import free_bytes
from fiqa_spark.runtime.workers import ArrayAsBytes, as_bytes, from_bytes

METHOD = "margin"
"""Name of the method."""
# How often the vectors of a sample are in memory at once, on their way from bytes to embeddings in order; the length of
# vectors up to which nothing need be known of them if they would fit.
_COPIES, _LONG = 5, 2048
# Part of the free memory that is advised; images of a sample at least.
_OF_FREE, _FEWEST = 0.9, 10
_OF_PRIOR = ("norm_mean", "norm_std", "penalty", "r2", "tau")


class Learned(NamedTuple):
    """All that margins need beside an image and its mates."""

    strangers: Strangers
    reference: MarginReference

    def __reduce__(self) -> tuple[Any, ...]:
        lo, hi, prior, sigma = self.reference
        arrays = (prior.coefficients, prior.norm_coefficients, prior.constants)
        return _learned_of_bytes, (self.strangers, tuple(map(as_bytes, arrays)), prior[len(arrays) :], (lo, hi, sigma))


def _learned_of_bytes(
    strangers: Strangers,
    arrays: tuple[ArrayAsBytes, ArrayAsBytes, ArrayAsBytes],
    of_prior: tuple[float, float, float, float, float],
    numbers: tuple[float, float, float],
) -> Learned:
    """What was learned, with arrays that share memory with the bytes that they came in."""
    coefficients, norm_coefficients, constants = map(from_bytes, arrays)
    lo, hi, sigma = numbers
    return Learned(
        strangers, MarginReference(lo, hi, Prior(coefficients, norm_coefficients, constants, *of_prior), sigma)
    )


def _as_reference(learned: Learned, pool: Pool, hashes: np.ndarray, settings: MarginSettings) -> Reference:
    """What was learned from a sample of images with such hashes of their identities."""
    lo, hi, prior, sigma = learned.reference
    columns = (prior.coefficients, prior.norm_coefficients[:, None], prior.constants[:, None])
    numbers = {
        **{"lo": lo, "hi": hi, "sigma": sigma},
        **{name: getattr(prior, name) for name in _OF_PRIOR},
        "sample_images": len(hashes),
        "sample_identities": len(np.unique(hashes)),
    }
    fixed = {name: getattr(settings, name) for name in LEARNED_WITH}
    return Reference(METHOD, fixed, numbers, pool, np.hstack(columns))


def learned_in(reference: Reference) -> Learned:
    """What a reference holds."""
    numbers, coefficients = reference.numbers, reference.coefficients
    of_fold = (coefficients[:, :-2], coefficients[:, -2], coefficients[:, -1])
    prior = Prior(*of_fold, **{name: numbers[name] for name in _OF_PRIOR})
    learned = MarginReference(numbers["lo"], numbers["hi"], prior, numbers["sigma"])
    return Learned(Strangers.in_pool(reference.pool), learned)


def wanted_sample(settings: MarginSettings) -> Wanted:
    """The sample from which margins are learned, of images from `with_folds` and `with_mate_groups`."""
    return Wanted(settings.reference_sample, group_column(settings), (schemas.FOLD, *columns_of_groups(settings)))


def learn(
    images: DataFrame,
    features: Features,
    listed: CheckedList,
    settings: MarginSettings,
    identities: FirstIdentities | None = None,
) -> Reference:
    """Learn from the images of a list; parameters and errors as of `draw` and `reference_of`."""
    return reference_of(draw(images, features, listed, settings, identities), settings)


def draw(
    images: DataFrame,
    features: Features,
    listed: CheckedList,
    settings: MarginSettings,
    identities: FirstIdentities | None = None,
) -> Drawn:
    """Draw what is learned from.

    Parameters
    ----------
    images : DataFrame
        From `with_folds` and `with_mate_groups`.
    identities : FirstIdentities, optional
        From `check_with_identities`; by default they are looked for.

    Raises
    ------
    NothingUsableError
        If no feature can be used.
    InputError
        If features have several lengths.
    """
    _check_memory(features, listed.list_rows, settings)
    return draw_with_identities(images, features, listed, settings.pool_size, wanted_sample(settings), identities)


def reference_of(drawn: Drawn, settings: MarginSettings) -> Reference:
    """What is learned from a pool and a sample.

    Raises
    ------
    NothingUsableError
        If there are no mates to learn from, or no strangers.
    InputError
        If nothing can be learned from them.
    """
    pool = pool_of(drawn.pool, settings.pool_size)
    strangers = Strangers.in_pool(pool)
    hashes = drawn.sample.frame[schemas.IDENTITY_HASH].to_numpy(np.int64)
    learned = Learned(strangers, _learned(drawn.sample, hashes, strangers, settings))
    return _as_reference(learned, pool, hashes, settings)


def _check_memory(features: Features, list_rows: int, settings: MarginSettings) -> None:
    """Refuse to gather so many images for which there is not enough memory."""
    available = free_bytes(features.table.sparkSession)
    images = min(list_rows, settings.reference_sample + settings.pool_size)
    if _bytes_needed(images, _LONG) <= available:
        return
    dimension = vector_length(features)
    if (needed := _bytes_needed(images, dimension)) > available:
        fitting = int(images * available / needed * _OF_FREE) - settings.pool_size
        smaller = f"use {fitting} images" if fitting >= _FEWEST else "use a smaller `pool_size`"
        raise SettingsError(
            f"{images} images of {dimension} values need {needed / 1e9:.2f} GB of memory, and {available / 1e9:.2f} GB "
            "are free",
            setting="reference_sample",
            remedy=f"{smaller}, or a driver with more memory",
        )


def _bytes_needed(images: int, dimension: int) -> int:
    return _COPIES * 4 * images * dimension


def _learned(
    sample: UsableImages, hashes: np.ndarray, strangers: Strangers, settings: MarginSettings
) -> MarginReference:
    """What the sample tells."""
    if not len(hashes):
        raise NothingUsableError(
            "no identity has two images with a usable feature, and margins are learned from such",
            setting="feature_root",
            remedy="check `id_key_index`, or give the `reference` of an earlier run",
        )
    groups = sample.frame[group_column(settings)].to_numpy(np.int64)
    firsts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    similarities = strangers.similarities(sample.embeddings, hashes, np.ones(len(hashes), bool))
    folds = sample.frame[schemas.FOLD].to_numpy(np.intp)
    sizes = np.diff(firsts, append=len(groups))
    try:
        return learned_reference(
            sample.embeddings, sizes, similarities, sample.norms, folds, kappa=settings.prior_weight
        )
    except ValueError as error:
        raise InputError(
            f"nothing can be learned from them: {error}",
            setting="feature_root",
            remedy="give the images of more people, or the `reference` of an earlier run",
        ) from None
