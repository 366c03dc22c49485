"""Are labels any good? Label sets over the same pairs of images, from the pairs to the numbers of the page."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, SparkSession

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.curves import compare, operating_points, similarity_histograms
from fiqa_spark.evaluation.cut_errors import (
    LabelledCuts,
    cut_errors,
    expected_errors,
    group_errors,
    mated_pairs,
    targets,
)
from fiqa_spark.evaluation.findings import Findings, Groups, JudgeFindings
from fiqa_spark.evaluation.image_cuts import image_facts
from fiqa_spark.evaluation.image_groups import read_groups
from fiqa_spark.evaluation.image_pairs import image_pairs
from fiqa_spark.evaluation.judges import Judge, MadeOf, made_of, named_judges, naming, sets_made_from
from fiqa_spark.evaluation.label_profiles import profile
from fiqa_spark.evaluation.label_sets import LabelSet, quality_columns
from fiqa_spark.evaluation.labelled_images import LabelledImages, labelled_images
from fiqa_spark.evaluation.mistakes import mistakes
from fiqa_spark.evaluation.notes import notes_on_judge, notes_on_pairs
from fiqa_spark.evaluation.pair_similarities import ComparedPairs
from fiqa_spark.evaluation.settings import ACROSS_HALVES, EvaluationSettings
from fiqa_spark.inputs.features import Features
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_for_small_files
from fiqa_spark.runtime.storage import Storage

_log = logging.getLogger("fiqa_spark")


class _Images(NamedTuple):
    """What is known of the images before any judge is asked."""

    labelled: LabelledImages
    sets: list[LabelSet]
    cuts: tuple[LabelledCuts, ...]
    """One a label set."""
    group_names: tuple[str, ...]
    groups: Groups | None


def evaluate(
    spark: SparkSession,
    storage: Storage,
    sets: list[LabelSet],
    settings: EvaluationSettings,
    steps: Steps,
    features_of: Callable[[DataFrame, Judge], Features],
    origins: Sequence[MadeOf] | None = None,
) -> Findings:
    """Compare label sets.

    Parameters
    ----------
    storage : Storage
        Where the files of pairs and groups lie, if there are any.
    sets : list of LabelSet
        The first is the one that the others are compared with.
    features_of : callable
        Gives the features of a judge for a DataFrame of images, `path`.
    origins : sequence of MadeOf, optional
        What the labels were made from; default: what their folders tell.

    Raises
    ------
    InputError
        If the sets, the pairs or the features cannot be compared.
    """
    judges = named_judges(storage, settings)
    with steps("putting labels together"), planned_for_small_files(spark):
        images = _images(spark, storage, sets, settings)
    names = quality_columns(len(sets))
    with steps("listing pairs" if settings.pairs_file else "drawing pairs"):
        pairs, account = image_pairs(spark, storage, images.labelled, names, settings)
        _check_kinds(pairs.counts, settings)
    origins = made_of(storage, sets) if origins is None else origins
    judged: list[JudgeFindings] = []
    for judge in judges:
        of_judge = f" of {judge.name}" if len(judges) > 1 else ""
        with naming(judge, settings):
            features = features_of(pairs.images, judge)
        with steps(f"computing similarities{of_judge}"), naming(judge, settings):
            compared, left_out = pairs.compared(features)
            made = sets_made_from(storage, judge, features, origins)
        with steps(f"drawing curves{of_judge}"):
            found = _judged(compared, judge, images, settings, is_first=not judged)
            judged.append(found._replace(made=made, pairs=_with_counts(account, compared, left_out)))
    with steps("looking at labels"):
        profiles = tuple(profile(labels, settings, images.labelled.counts["images"]) for labels in sets)
    notes = [*notes_on_pairs(account, settings, origins), *(note for each in judged for note in notes_on_judge(each))]
    of_sets = tuple(labels.cuts for labels in images.cuts)
    judgements = tuple(judged)
    return Findings(
        settings.convention,
        settings.pair_quality,
        judgements,
        profiles,
        tuple(dict.fromkeys(notes)),
        of_sets,
        images.groups,
    )


def _images(spark: SparkSession, storage: Storage, sets: list[LabelSet], settings: EvaluationSettings) -> _Images:
    """Images of all label sets, their groups, and where each set is cut."""
    groups = read_groups(spark, storage, settings) if settings.groups else None
    labelled = labelled_images(sets, settings, groups)
    facts = image_facts(labelled, quality_columns(len(sets)), [labels.name for labels in sets], groups)
    cuts = tuple(
        LabelledCuts(labels.name, labels.quantity, of_set, candidates)
        for labels, of_set, candidates in zip(sets, facts.cuts, facts.candidates, strict=True)
    )
    return _Images(labelled, sets, cuts, groups.names if groups else (), facts.groups)


def _judged(
    compared: ComparedPairs, judge: Judge, images: _Images, settings: EvaluationSettings, *, is_first: bool
) -> JudgeFindings:
    """What a judge finds; its origin and its account of pairs are not known here."""
    _check_kinds(_counts(compared), settings)
    _check_spread(compared, images.sets)
    names = [labels.name for labels in images.sets]
    found = JudgeFindings(
        judge.name, judge.path, (), {}, compare(compared, names, settings), similarity_histograms(compared)
    )
    if is_first:
        found = found._replace(mistakes=mistakes(compared, images.labelled, names, settings))
    pairs = mated_pairs(compared, settings)
    if pairs is None:
        return found
    return found._replace(
        cuts=cut_errors(pairs, images.cuts),
        targets=targets(pairs, images.cuts, settings.target_fnmr),
        expected=tuple(expected_errors(pairs, images.cuts)),
        groups=tuple(group_errors(pairs, images.cuts, images.group_names)),
    )


def _counts(compared: ComparedPairs) -> dict[bool, int]:
    return {True: int(compared.mated.sum()), False: int((~compared.mated).sum())}


def _with_counts(account: dict[str, Any], compared: ComparedPairs, left_out: dict[str, int]) -> dict[str, Any]:
    """The account of the pairs, with what became of them with a judge."""
    counts = _counts(compared)
    together = {**account["left_out"], **left_out}
    return {**account, "left_out": together, "mated": counts[True], "non_mated": counts[False]}


def evaluate_own_labels(
    spark: SparkSession,
    storage: Storage,
    labels: LabelSet,
    settings: EvaluationSettings,
    steps: Steps,
    features: Features,
) -> Findings:
    """What `evaluate` does for labels just computed, which are not lost where no pair can be compared.

    Returns
    -------
    Findings
        Without curves where there can be none; a note and a warning tell why.
    """
    try:
        own = MadeOf(labels.name, None, settings.feature_root, half_mates=settings.pairs == ACROSS_HALVES)
        return evaluate(spark, storage, [labels], settings, steps, lambda *_: features, [own])
    except InputError as error:
        reason = f"There are no curves: {error.text}."
    _log.warning("%s", reason)
    with steps("looking at labels"):
        profiles = (profile(labels, settings),)
    nothing = JudgeFindings("features", settings.feature_root, (), {"source": "none"}, (), None)
    return Findings(settings.convention, settings.pair_quality, (nothing,), profiles, (reason,))


def _check_spread(compared: ComparedPairs, sets: list[LabelSet]) -> None:
    """Raise InputError if all pairs have the same quality in a set."""
    for labels, qualities in zip(sets, compared.qualities, strict=True):
        if qualities.min() == qualities.max():
            raise InputError(
                f"the lower label of every pair is {qualities[0]:g}, by which nothing can be discarded",
                path=labels.path,
                remedy="give labels that differ, or more pairs",
            )


def _check_kinds(counts: Mapping[bool, int], settings: EvaluationSettings) -> None:
    """Raise InputError if the pairs that a curve needs, mated (True) or not, are not there."""
    needed_for = {error == "fnmr": f"`error` {error}" for error in settings.error}
    if any(point.fixed_by == "fmr" for point in operating_points(settings)):
        needed_for.setdefault(False, "`at_fmr`")
    for mated, curves in needed_for.items():
        if not counts.get(mated):
            raise _no_pairs_of_a_kind(mated, curves, settings.pairs_file)


def _no_pairs_of_a_kind(mated: bool, curves: str, pairs_file: str) -> InputError:
    """The error of mated or non-mated pairs that are not there, though curves need them."""
    kind, other = ("mated", "non-mated") if mated else ("non-mated", "mated")
    more = f"list {kind} pairs" if pairs_file else "set it so that identities have several images, or give `pairs_file`"
    without = "give `at_fmr` without a value" if curves == "`at_fmr`" else f"set `error` to what {other} pairs can tell"
    return InputError(
        f"no {kind} pair can be compared, and {curves} needs some",
        # Drawn non-mated pairs there always are.
        setting="pairs_file" if pairs_file else "id_key_index",
        remedy=f"{more}, or {without}",
    )
