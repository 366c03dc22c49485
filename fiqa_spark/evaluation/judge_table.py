"""Label sets by judges: the part of chance that each judge leaves a set, its rank there, and its worst."""

from typing import NamedTuple

from fiqa_spark.evaluation.findings import Findings, OperatingPoint, PartialAuc


class JudgedSet(NamedTuple):
    """A label set by all judges."""

    label_set: str
    areas: tuple[PartialAuc, ...]
    """By judge."""
    ranks: tuple[int, ...]
    """Place among the label sets by each judge, 1 for the least area; of equal areas the same."""
    worst: float | None
    """The highest part of chance by any judge; None where nothing errs by one."""


class JudgedSets(NamedTuple):
    """All label sets by all judges, up to one discard limit."""

    operating_point: OperatingPoint
    limit: float
    sets: tuple[JudgedSet, ...]


def sets_by_judges(findings: Findings) -> tuple[JudgedSets, ...]:
    """A table for every operating point and discard limit, in the order of the curves."""
    by_point = zip(*(judge.comparisons for judge in findings.judges), strict=True)
    return tuple(
        _table(
            comparisons[0].operating_point,
            [[curve.areas[limit] for curve in each.curves] for each in comparisons],
            names,
        )
        for comparisons in by_point
        for names in [[curve.label_set for curve in comparisons[0].curves]]
        for limit in range(len(comparisons[0].curves[0].areas))
    )


def _table(point: OperatingPoint, areas: list[list[PartialAuc]], names: list[str]) -> JudgedSets:
    """Out of areas by judge and label set."""
    ranks = [[1 + sum(other.value < area.value for other in of_judge) for area in of_judge] for of_judge in areas]
    sets = []
    for place, name in enumerate(names):
        own = tuple(of_judge[place] for of_judge in areas)
        parts = [area.of_chance for area in own if area.of_chance is not None]
        worst = max(parts) if len(parts) == len(own) else None
        sets.append(JudgedSet(name, own, tuple(of_judge[place] for of_judge in ranks), worst))
    return JudgedSets(point, areas[0][0].limit, tuple(sets))
