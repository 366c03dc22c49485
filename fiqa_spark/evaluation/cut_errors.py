"""Where to cut: FNMR among the mated pairs that a label leaves, the label that keeps an FNMR, and labels as errors."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fiqa_spark.evaluation.curves import is_resolved
from fiqa_spark.evaluation.findings import (
    CutErrors,
    ErrorRate,
    ExpectedError,
    ExpectedErrors,
    GroupErrors,
    Interval,
    OperatingPoint,
    SetCuts,
    Target,
)
from fiqa_spark.evaluation.image_cuts import Candidates
from fiqa_spark.evaluation.label_sets import SCALES
from fiqa_spark.evaluation.pair_similarities import ComparedPairs
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.kernels.edc import are_errors, starting_threshold
from fiqa_spark.kernels.error_rates import NestedRates, least_label_for, nested_pairs, nested_rates, score_interval
from fiqa_spark.kernels.isotonic import non_increasing_fit

_RANGES = 10


class LabelledCuts(NamedTuple):
    """A label set, and where it is cut."""

    name: str
    quantity: str
    """As of `LabelSet`."""
    cuts: SetCuts
    candidates: Candidates
    """Among which the label for an FNMR is looked for."""


class MatedPairs(NamedTuple):
    """Mated pairs, and which of them are errors at the thresholds of FMRs."""

    fmrs: tuple[float, ...]
    thresholds: tuple[float, ...]
    are_sure: tuple[bool, ...]
    """Whether the non-mated pairs tell where each threshold is."""
    errors: tuple[np.ndarray, ...]
    """By FMR, bool, shape (pairs,)."""
    identities: np.ndarray
    """Number of the identity, from 0, shape (pairs,)."""
    lower: tuple[np.ndarray, ...]
    """Lower label of the two images, by label set, float64, shape (pairs,)."""
    groups: np.ndarray | None
    """As of `ComparedPairs`."""


def mated_pairs(compared: ComparedPairs, settings: EvaluationSettings) -> MatedPairs | None:
    """The mated pairs; None where there are none, or no FMR at whose threshold they could err."""
    mated, non_mated = compared.mated, int((~compared.mated).sum())
    fmrs = settings.at_fmr if "fnmr" in settings.error else ()
    if not fmrs or not non_mated or not mated.any():
        return None
    strangers = compared.similarities[~mated]
    thresholds = tuple(starting_threshold(strangers, fmr, error="fmr") for fmr in fmrs)
    similarities = compared.similarities[mated]
    return MatedPairs(
        fmrs,
        thresholds,
        tuple(is_resolved(OperatingPoint("fnmr", "fmr", fmr), non_mated) for fmr in fmrs),
        tuple(are_errors(similarities, threshold, error="fnmr") for threshold in thresholds),
        np.unique(compared.identities[0][mated], return_inverse=True)[1].reshape(-1),
        tuple(lower[mated] for lower in compared.lower),
        None if compared.groups is None else compared.groups[mated],
    )


def cut_errors(pairs: MatedPairs, sets: Sequence[LabelledCuts]) -> tuple[CutErrors, ...]:
    """FNMR of every label set after each of its cuts, at each FMR."""
    every = np.arange(len(pairs.identities))
    return tuple(
        CutErrors(labels.name, tuple(zip(*_rates_at_cuts(pairs, lower, labels.cuts, every), strict=True)))
        for labels, lower in zip(sets, pairs.lower, strict=True)
    )


def _rates_at_cuts(
    pairs: MatedPairs, lower: np.ndarray, cuts: SetCuts, chosen: np.ndarray, fmrs: int | None = None
) -> Iterator[tuple[ErrorRate, ...]]:
    """Rates by cut of some of the pairs, for each FMR or the first so many."""
    labels = np.array([cut.label for cut in cuts.cuts])
    nested = nested_pairs(lower[chosen], pairs.identities[chosen], labels)
    for number, errors in enumerate(pairs.errors[:fmrs]):
        yield tuple(_rates(pairs, number, nested_rates(nested, errors[chosen])))


def _rates(pairs: MatedPairs, fmr: int, rates: NestedRates) -> Iterator[ErrorRate]:
    lows, highs = score_interval(rates.errors, rates.pairs, rates.effects)
    for count, errors, low, high in zip(
        rates.pairs.tolist(), rates.errors.tolist(), lows.tolist(), highs.tolist(), strict=True
    ):
        interval = Interval(low, high) if count and pairs.are_sure[fmr] else None
        rate = errors / count if count else None
        yield ErrorRate(pairs.fmrs[fmr], pairs.thresholds[fmr], count, errors, rate, interval)


def targets(pairs: MatedPairs, sets: Sequence[LabelledCuts], wanted: Sequence[float]) -> tuple[Target, ...]:
    """The least label for every FNMR that is wanted, by label set and FMR."""
    found: list[Target] = []
    for labels, lower in zip(sets, pairs.lower, strict=True) if wanted else ():
        nested = nested_pairs(lower, pairs.identities, labels.candidates.labels)
        for fmr, errors in enumerate(pairs.errors):
            rates = nested_rates(nested, errors)
            found += (_target(pairs, fmr, rates, labels, target) for target in wanted)
    return tuple(found)


def _target(pairs: MatedPairs, fmr: int, rates: NestedRates, labels: LabelledCuts, target: float) -> Target:
    label, left = least_label_for(rates, target) if pairs.are_sure[fmr] else (None, int(rates.pairs[0]))
    candidates, discarded = labels.candidates
    gone = None if label is None else float(discarded[np.searchsorted(candidates, label)])
    return Target(labels.name, pairs.fmrs[fmr], target, label, gone, left)


def expected_errors(pairs: MatedPairs, sets: Sequence[LabelledCuts]) -> Iterator[ExpectedErrors]:
    """What a label stands for: FNMR of the pairs whose lower label lies in each tenth of the scale."""
    for labels, lower in zip(sets, pairs.lower, strict=True):
        low, high = SCALES.get(labels.quantity, tuple(labels.candidates.labels[[0, -1]].tolist()))
        low, high = min(low, float(lower.min())), max(high, float(lower.max()))
        edges = np.linspace(low, high, _RANGES + 1)
        places = np.clip(np.searchsorted(edges, lower, side="right") - 1, 0, _RANGES - 1)
        counts = np.bincount(places, minlength=_RANGES)
        for fmr, threshold, errors in zip(pairs.fmrs, pairs.thresholds, pairs.errors, strict=True):
            wrong = np.bincount(places[errors], minlength=_RANGES)
            yield ExpectedErrors(labels.name, fmr, threshold, tuple(_ranges(edges, counts, wrong)))


def _ranges(edges: np.ndarray, counts: np.ndarray, wrong: np.ndarray) -> Iterator[ExpectedError]:
    rates = wrong / np.maximum(counts, 1)
    expected = non_increasing_fit(rates, counts.astype(np.float64))
    for low, high, count, errors, rate, fitted in zip(
        *(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), wrong.tolist(), rates.tolist(), expected.tolist()),
        strict=True,
    ):
        yield ExpectedError(low, high, count, errors, rate if count else None, fitted)


def group_errors(pairs: MatedPairs, sets: Sequence[LabelledCuts], names: Sequence[str]) -> Iterator[GroupErrors]:
    """FNMR of the pairs inside of every group, at the first FMR, after each cut."""
    for labels, lower in zip(sets, pairs.lower, strict=True):
        for number, name in enumerate(names):
            chosen = np.flatnonzero(pairs.groups == number)
            [rates] = _rates_at_cuts(pairs, lower, labels.cuts, chosen, fmrs=1)
            yield GroupErrors(labels.name, name, rates)
