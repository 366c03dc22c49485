"""What a reader must know before trusting the numbers of an evaluation, a sentence each."""

from collections.abc import Iterator, Sequence
from typing import Any

from fiqa_spark.evaluation.curves import is_resolved
from fiqa_spark.evaluation.drawn_pairs import MATED_AT_MOST
from fiqa_spark.evaluation.findings import JudgeFindings
from fiqa_spark.evaluation.judges import MadeOf
from fiqa_spark.evaluation.settings import ACROSS_HALVES, ERRORS_OF_A_THRESHOLD, EvaluationSettings


def notes_on_pairs(account: dict[str, Any], settings: EvaluationSettings, origins: Sequence[MadeOf]) -> Iterator[str]:
    """Notes on where the pairs come from; `account` as in `JudgeFindings.pairs`."""
    identities = account.get("identities")
    if identities and identities["drawn_from"] < identities["with_mated_pairs"]:
        yield (
            f"Mated pairs were drawn of {identities['drawn_from']} of {identities['with_mated_pairs']} identities, as "
            f"there would be more than {MATED_AT_MOST} of all."
        )
    if settings.pairs == ACROSS_HALVES:
        whole = [each.label_set for each in origins if not _has_not_seen(each, settings)]
        if whole:
            yield (
                f"Pairs go across the halves of identities that the seed {settings.seed} makes, but labels of "
                f"{', '.join(whole)} come from mates of both halves: they have seen these pairs."
            )


def _has_not_seen(labels: MadeOf, settings: EvaluationSettings) -> bool:
    """Whether labels come from halves of identities as the pairs have them."""
    return labels.half_mates is None or (labels.half_mates and labels.seed in (None, settings.seed))


def notes_on_judge(judge: JudgeFindings) -> Iterator[str]:
    """Notes on what a judge says."""
    if judge.made:
        yield (
            f"Labels of {', '.join(judge.made)} were made from the features of {judge.name}, or from others of its "
            "model: what it says of them flatters."
        )
    non_mated = judge.pairs["non_mated"]
    for comparison in judge.comparisons:
        point = comparison.operating_point
        if not is_resolved(point, non_mated):
            yield (
                f"The threshold at {'FMR' if point.fixed_by == 'fmr' else 'a starting FMR of'} {point.value:g} rests "
                f"on {point.value * non_mated:.4g} of {non_mated} non-mated pairs, where {ERRORS_OF_A_THRESHOLD} are "
                f"needed: there are no intervals. So many pairs resolve an FMR of "
                f"{ERRORS_OF_A_THRESHOLD / max(non_mated, 1):.2g}."
            )
