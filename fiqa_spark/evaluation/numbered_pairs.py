"""Pairs of images by their numbers: drawn by the driver, and with what it knows of both."""

from collections.abc import Mapping, Sequence

import numpy as np

from fiqa_spark import schemas
from fiqa_spark.evaluation.drawn_pairs import candidates_for, last_identity
from fiqa_spark.evaluation.pair_similarities import NO_GROUP, ComparedPairs
from fiqa_spark.evaluation.settings import ACROSS_HALVES, MIN, EvaluationSettings
from fiqa_spark.kernels.pair_draws import match_counts, matches_across, mated_matches, non_mated_matches
from fiqa_spark.kernels.pair_qualities import pair_qualities

Columns = Mapping[str, np.ndarray]
"""What the driver knows of images: name of a column to an array of a value an image."""
Numbers = tuple[np.ndarray, np.ndarray]
"""Numbers of the two images of each pair, two arrays of int, shape (pairs,)."""


def draw_numbers(
    images: Columns, known: np.ndarray, identities: np.ndarray, settings: EvaluationSettings
) -> tuple[Numbers, np.ndarray, dict[str, int]]:
    """The pairs that `draw_mated` and `draw_non_mated` draw.

    Parameters
    ----------
    images : Columns
        `identity_hash` and `image_hash`, in the order of the latter; `half` where pairs are across halves.
    known : ndarray of int32, shape (n,)
        Numbers of the images that have an identity, ascending.
    identities : ndarray of int, shape (n,)
        Number of the identity of each of these, from 0 and without gaps.

    Returns
    -------
    numbers : Numbers
    mated : ndarray of bool, shape (pairs,)
    account : dict
        As from `draw_mated`.

    Raises
    ------
    InputError
        If no image has an identity, or all are of one.
    """
    mated, account = _mated(images, known, identities, settings)
    sizes, at_most = np.bincount(identities).astype(np.int64), settings.wanted_non_mated
    candidates, last_hash = candidates_for(len(known), int((sizes**2).sum()), at_most)
    players = int((images[schemas.IMAGE_HASH][known] <= last_hash).sum())
    matches = min(candidates, players * (players - 1) // 2)
    others = [known[side] for side in non_mated_matches(identities[:players], matches, at_most)]
    a, b = (np.concatenate(sides) for sides in zip(mated, others, strict=True))
    return (a, b), np.arange(len(a)) < len(mated[0]), account


def _mated(
    images: Columns, known: np.ndarray, identities: np.ndarray, settings: EvaluationSettings
) -> tuple[list[np.ndarray], dict[str, int]]:
    """Numbers of the two images of mated pairs of the `known` ones, and the account of identities."""
    count, across = int(identities.max(initial=-1)) + 1, settings.pairs == ACROSS_HALVES
    codes = identities
    if across:
        codes = 2 * identities + images[schemas.HALF][known].astype(np.int64)
    sizes = np.bincount(codes, minlength=count * (1 + across))
    sizes = sizes.reshape(-1, 2) if across else sizes
    matches = match_counts(sizes, settings.mated_per_identity)
    hashes = np.empty(count, np.int64)
    hashes[identities] = images[schemas.IDENTITY_HASH][known]
    chosen = hashes <= last_identity(int(matches.sum()))
    several = matches > 0
    account = {"with_mated_pairs": int(several.sum()), "drawn_from": int((several & chosen).sum())}
    sizes[~chosen] = 0
    in_order = known[np.argsort(codes, kind="stable")]
    if not chosen.all():
        in_order = in_order[np.repeat(chosen, np.bincount(identities))]
    drawn = (matches_across if across else mated_matches)(sizes, settings.mated_per_identity)
    return [in_order[side] for side in drawn], account


def compared_numbers(
    images: Columns,
    numbers: Numbers,
    mated: np.ndarray,
    similarities: np.ndarray,
    names: Sequence[str],
    pair_quality: str,
) -> ComparedPairs:
    """The pairs whose similarity is finite, with all that is compared.

    Parameters
    ----------
    images : Columns
        `identity_hash`, `image_hash` and the qualities; `group_number` (-1 for none) where there are groups.
    mated : ndarray of bool, shape (pairs,)
    similarities : ndarray of float64, shape (pairs,)
    names : sequence of str
        From `label_sets.quality_columns`.
    pair_quality : str
        As of `EvaluationSettings`.
    """
    usable = np.isfinite(similarities)
    a, b = (side[usable] for side in numbers)
    labels = [images[name].astype(np.float64, copy=False) for name in names]
    sides = [(of_set[a], of_set[b]) for of_set in labels]
    qualities = lower = tuple(pair_qualities(*of_set, MIN) for of_set in sides)
    if pair_quality != MIN:
        qualities = tuple(pair_qualities(*of_set, pair_quality) for of_set in sides)
    identities, hashes = ((images[name][a], images[name][b]) for name in (schemas.IDENTITY_HASH, schemas.IMAGE_HASH))
    of_pairs = similarities[usable], mated[usable], identities, hashes
    return ComparedPairs(*of_pairs, qualities, lower, _groups(images, a, b))


def _groups(images: Columns, a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """Number of the group of both images of pairs; None where there are no groups."""
    if schemas.GROUP not in images:
        return None
    groups = images[schemas.GROUP].astype(np.int32, copy=False)
    return np.where(groups[a] == groups[b], groups[a], np.int32(NO_GROUP))
