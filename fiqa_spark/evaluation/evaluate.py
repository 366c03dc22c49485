"""Are labels any good? Label sets over the same pairs of images, from the pairs to the numbers of the page."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.curves import compare, operating_points, similarity_histograms
from fiqa_spark.evaluation.drawn_pairs import MATED_AT_MOST, draw_mated, draw_non_mated
from fiqa_spark.evaluation.few_images import FewPairs, draw_pairs, few_images, listed_pairs
from fiqa_spark.evaluation.findings import Findings
from fiqa_spark.evaluation.label_profiles import profile
from fiqa_spark.evaluation.label_sets import LabelSet, has_every_label, quality_columns
from fiqa_spark.evaluation.labelled_images import LabelledImages, labelled_images
from fiqa_spark.evaluation.listed_pairs import read_listed_pairs, with_images
from fiqa_spark.evaluation.pair_similarities import ComparedPairs, ManyPairs, check_memory
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.parquet_features import Features
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_for_small_files
from fiqa_spark.runtime.storage import Storage

_log = logging.getLogger("fiqa_spark")
# Fewer non-mated pairs above a threshold do not tell where it is.
_PAIRS_OF_A_THRESHOLD = 10
_OF_IMAGE = (schemas.PATH, schemas.KEY, schemas.IDENTITY, schemas.IDENTITY_HASH)


def evaluate(
    spark: SparkSession,
    storage: Storage,
    sets: list[LabelSet],
    settings: EvaluationSettings,
    steps: Steps,
    features_of: Callable[[DataFrame], Features],
) -> Findings:
    """Compare label sets.

    Parameters
    ----------
    storage : Storage
        Where the file of pairs lies, if there is one.
    sets : list of LabelSet
        The first is the one that the others are compared with.
    features_of : callable
        Gives the features for a DataFrame of images, `path`.

    Raises
    ------
    InputError
        If the sets, the pairs or the features cannot be compared.
    """
    with steps("putting labels together"), planned_for_small_files(spark):
        images = labelled_images(sets, settings)
    names = quality_columns(len(sets))
    with steps("listing pairs" if settings.pairs_file else "drawing pairs"):
        pairs, account = _pairs(spark, storage, images, names, settings)
        _check_kinds(pairs.counts, settings)
        check_memory(spark, sum(pairs.counts.values()), len(sets))
    features = features_of(pairs.images)
    with steps("computing similarities"):
        compared, left_out = pairs.compared(features)
        counts = {True: int(compared.mated.sum()), False: int((~compared.mated).sum())}
        _check_kinds(counts, settings)
        _check_spread(compared, sets)
    with steps("drawing curves"):
        comparisons = compare(compared, [labels.name for labels in sets], settings)
    with steps("looking at labels"):
        profiles = tuple(profile(labels, settings) for labels in sets)
    account |= {"mated": counts[True], "non_mated": counts[False]}
    account["left_out"] |= left_out
    notes = tuple(_notes(account, settings))
    return Findings(settings.convention, account, comparisons, similarity_histograms(compared), profiles, notes)


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
        return evaluate(spark, storage, [labels], settings, steps, lambda _: features)
    except InputError as error:
        reason = f"There are no curves: {error.text}."
    _log.warning("%s", reason)
    with steps("looking at labels"):
        profiles = (profile(labels, settings),)
    return Findings(settings.convention, {"source": "none"}, (), None, profiles, (reason,))


def _notes(account: dict[str, Any], settings: EvaluationSettings) -> Iterator[str]:
    """What a reader must know before trusting the curves; `account` as in `Findings.pairs`."""
    identities = account.get("identities")
    if identities and identities["drawn_from"] < identities["with_mated_pairs"]:
        yield (
            f"Mated pairs were drawn of {identities['drawn_from']} of {identities['with_mated_pairs']} identities, as "
            f"there would be more than {MATED_AT_MOST} of all."
        )
    non_mated = account["non_mated"]
    for error, fixed_by, value in operating_points(settings):
        if "fmr" in (error, fixed_by) and value * non_mated < _PAIRS_OF_A_THRESHOLD:
            yield (
                f"The threshold at {'FMR' if fixed_by == 'fmr' else 'a starting FMR of'} {value:g} rests on "
                f"{value * non_mated:.1f} of {non_mated} non-mated pairs; more pairs would make it sure."
            )


def _pairs(
    spark: SparkSession, storage: Storage, images: LabelledImages, names: list[str], settings: EvaluationSettings
) -> tuple[ManyPairs | FewPairs, dict[str, Any]]:
    """Pairs, and the account of where they come from."""
    few = few_images(images, names)
    columns = (*_OF_IMAGE, *names) if few is None else (schemas.KEY, schemas.IMAGE_HASH)
    account: dict[str, Any] = {
        "images": images.counts["images"],
        "images_with_every_label": images.counts["labelled"],
    }
    if settings.pairs_file:
        listed = read_listed_pairs(spark, storage, settings.pairs_file)
        pairs, left_out = with_images(listed, images, columns, names, settings)
        together = ManyPairs(pairs, names) if few is None else listed_pairs(images.table, few, pairs, names)
        return together, {"source": settings.pairs_file, **account, "left_out": left_out}
    drawn: dict[str, Any] = {"source": "drawn", **account, "identities": None, "left_out": {}}
    if few is not None:
        check_memory(spark, min(settings.non_mated, len(few) * (len(few) - 1) // 2), len(names))
        drawn_of_few, drawn["identities"] = draw_pairs(images.table, few, names, settings)
        return drawn_of_few, drawn
    has_identity = F.col(schemas.IDENTITY).isNotNull()
    usable = images.table.where(has_identity & has_every_label(names)).persist(StorageLevel.MEMORY_AND_DISK)
    mated, drawn["identities"] = draw_mated(usable, columns, settings.mated_per_identity)
    non_mated = draw_non_mated(usable, columns, settings.non_mated)
    pairs = mated.withColumn(schemas.SAME, F.lit(True)).unionByName(non_mated.withColumn(schemas.SAME, F.lit(False)))
    return ManyPairs(pairs, names), drawn


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
