"""Are labels any good? Label sets over the same pairs of images, from the pairs to the numbers of the page."""

import logging

from pyspark import StorageLevel
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.curves import compare, similarity_histograms, starts_of
from fiqa_spark.evaluation.drawn_pairs import MATED_AT_MOST, draw_mated, draw_non_mated
from fiqa_spark.evaluation.findings import Findings
from fiqa_spark.evaluation.label_profiles import profile
from fiqa_spark.evaluation.label_sets import has_every_label, quality_columns
from fiqa_spark.evaluation.labelled_images import labelled_images
from fiqa_spark.evaluation.listed_pairs import read_listed_pairs, with_images
from fiqa_spark.evaluation.pair_similarities import check_memory, compared_pairs, flat_pairs, images_of

_log = logging.getLogger("fiqa_spark")
# Fewer non-mated pairs above a threshold do not tell where it is.
_PAIRS_OF_A_THRESHOLD = 10
_OF_IMAGE = (schemas.PATH, schemas.KEY, schemas.IDENTITY, schemas.IDENTITY_HASH)


def evaluate(spark, storage, sets, settings, steps, features_of):
    """Compare label sets.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    sets : list of LabelSet
    settings : EvaluationSettings
    steps : Steps
    features_of : callable
        Gives the `Features` for a DataFrame of images, `path`.

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        If the sets, the pairs or the features cannot be compared.
    """
    with steps("putting labels together"):
        images = labelled_images(sets, settings)
    names = quality_columns(len(sets))
    with steps("listing pairs" if settings.pairs_file else "drawing pairs"):
        pairs, account = _pairs(spark, storage, images, names, settings)
        pairs = flat_pairs(pairs, names).persist(StorageLevel.MEMORY_AND_DISK)
        kinds = dict(pairs.groupBy(schemas.SAME).count().collect())
        _check_kinds(kinds, settings)
        check_memory(spark, sum(kinds.values()), len(sets))
    features = features_of(images_of(pairs))
    with steps("computing similarities"):
        compared, without = compared_pairs(pairs, features, names, sum(kinds.values()))
        held = {True: int(compared.mated.sum()), False: int((~compared.mated).sum())}
        _check_kinds(held, settings)
        _check_spread(compared, sets)
    with steps("drawing curves"):
        comparisons = compare(compared, [labels.name for labels in sets], settings)
    with steps("looking at labels"):
        profiles = tuple(profile(labels, settings) for labels in sets)
    account |= {"mated": held[True], "non_mated": held[False]}
    account["left_out"] |= without
    notes = tuple(_notes(account, held[False], settings))
    return Findings(settings.convention, account, comparisons, similarity_histograms(compared), profiles, notes)


def evaluate_own_labels(spark, storage, labels, settings, steps, features):
    """What `evaluate` does for labels just computed, which are not lost where no pair can be compared.

    Parameters
    ----------
    spark : SparkSession
    storage : Storage
    labels : LabelSet
    settings : EvaluationSettings
    steps : Steps
    features : Features

    Returns
    -------
    Findings
        Without curves where there can be none; a note and a warning tell why.
    """
    try:
        return evaluate(spark, storage, [labels], settings, steps, lambda _: features)
    except InputError as error:
        reason = f"There are no curves: {error}"
    _log.warning("%s", reason)
    with steps("looking at labels"):
        profiles = (profile(labels, settings),)
    return Findings(settings.convention, {"source": "none"}, (), None, profiles, (reason,))


def _notes(account, non_mated, settings):
    """What a reader must know before trusting the curves."""
    identities = account.get("identities")
    if identities and identities["drawn_from"] < identities["with_mated_pairs"]:
        yield (
            f"Mated pairs were drawn of {identities['drawn_from']} of {identities['with_mated_pairs']} identities, as "
            f"there would be more than {MATED_AT_MOST} of all."
        )
    for error, start, at in starts_of(settings):
        if "fmr" in (error, start) and at * non_mated < _PAIRS_OF_A_THRESHOLD:
            yield (
                f"The threshold at {'FMR' if start == 'fmr' else 'a starting FMR of'} {at:g} rests on "
                f"{at * non_mated:.1f} of {non_mated} non-mated pairs; more pairs would make it sure."
            )


def _pairs(spark, storage, images, names, settings):
    """Pairs with their images as structs, and the account of where they come from."""
    columns = (*_OF_IMAGE, *names)
    account = {"images": images.counts["images"], "images_with_every_label": images.counts["labelled"]}
    if settings.pairs_file:
        listed = read_listed_pairs(spark, storage, settings.pairs_file)
        pairs, left_out = with_images(listed, images, columns, names, settings)
        return pairs, {"source": settings.pairs_file, **account, "left_out": left_out}
    known = F.col(schemas.IDENTITY).isNotNull()
    usable = images.table.where(known & has_every_label(names)).persist(StorageLevel.MEMORY_AND_DISK)
    mated, identities = draw_mated(usable, columns, settings.mated_per_identity)
    non_mated = draw_non_mated(usable, columns, settings.non_mated)
    pairs = mated.withColumn(schemas.SAME, F.lit(True)).unionByName(non_mated.withColumn(schemas.SAME, F.lit(False)))
    return pairs, {"source": "drawn", **account, "identities": identities, "left_out": {}}


def _check_spread(compared, sets):
    """Raise InputError if all pairs have the same quality in a set."""
    for labels, qualities in zip(sets, compared.qualities, strict=True):
        if qualities.min() == qualities.max():
            raise InputError(
                f"{labels.place}: the lower label of every pair is {qualities[0]:g}, by which nothing can be "
                "discarded; give labels that differ, or more pairs"
            )


def _check_kinds(counts, settings):
    """Raise InputError if the pairs that a curve needs are not there."""
    needs = {(error == "fnmr"): f"--error {error}" for error in settings.error}
    if any(start == "fmr" for _, start, _ in starts_of(settings)):
        needs.setdefault(False, "--at-fmr")
    for mated, who in needs.items():
        if counts.get(mated):
            continue
        kind, other = ("mated", "non-mated") if mated else ("non-mated", "mated")
        if settings.pairs_file:
            where, way_out = f"--pairs-file {settings.pairs_file}", f"list {kind} pairs"
        else:
            # Drawn non-mated pairs there always are.
            where = f"--id-key-index {settings.id_key_index}"
            way_out = "set it so that identities have several images, or give --pairs-file"
        without = (
            "give --at-fmr without a value" if who == "--at-fmr" else f"set --error to what {other} pairs can tell"
        )
        raise InputError(f"{where}: no {kind} pair can be compared, and {who} needs some; {way_out}, or {without}")
