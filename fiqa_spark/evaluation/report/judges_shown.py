"""What the page says of label sets by each judge: ranks, curves and areas."""

from collections.abc import Sequence
from typing import Any

from fiqa_spark.evaluation.findings import Comparison, Findings, JudgeFindings, PartialAuc
from fiqa_spark.evaluation.judge_table import JudgedSet, JudgedSets, sets_by_judges
from fiqa_spark.evaluation.report import figures
from fiqa_spark.evaluation.report.numbers_shown import DASH, NO_INTERVAL, decimals, interval, number
from fiqa_spark.evaluation.report.rendering import image


def sets_of_judges(findings: Findings) -> list[dict[str, Any]]:
    """Tables of label sets by judges, one an operating point, up to the smallest discard limit; none of one judge."""
    if len(findings.judges) < 2:
        return []
    tables = sets_by_judges(findings)
    least = min((table.limit for table in tables), default=0)
    return [_sets_of_judges(table, findings.judges) for table in tables if table.limit == least]


def judge_shown(judge: JudgeFindings, convention: str) -> dict[str, Any]:
    """Curves, areas and similarities of a judge."""
    return {
        "name": judge.name,
        "path": judge.path,
        "comparisons": [_comparison(comparison, judge, convention) for comparison in judge.comparisons],
        "similarities": _similarities(judge),
        "is_flattering": bool(judge.made),
        "lacks_interval": any(
            area.interval is None for each in judge.comparisons for curve in each.curves for area in curve.areas
        ),
    }


def _sets_of_judges(table: JudgedSets, judges: Sequence[JudgeFindings]) -> dict[str, Any]:
    digits = max(3, decimals(3, (area.of_chance for each in table.sets for area in each.areas)))
    return {
        "heading": figures.point_heading(table.operating_point),
        "limit": f"{table.limit:g}",
        "rows": [_set_of_judges(each, judges, digits) for each in table.sets],
        "is_flattering": any(judge.made for judge in judges),
    }


def _set_of_judges(judged: JudgedSet, judges: Sequence[JudgeFindings], digits: int) -> dict[str, Any]:
    """Row of a label set: what each judge says of it, and the worst of that."""
    worst = [
        judge.name
        for judge, area in zip(judges, judged.areas, strict=True)
        if area.of_chance is not None and area.of_chance == judged.worst
    ]
    return {
        "name": judged.label_set,
        "cells": [
            {
                "value": number(area.of_chance, digits),
                "interval": interval(area.of_chance_interval, digits),
                "rank": str(rank),
                "is_flattered": judged.label_set in judge.made,
            }
            for judge, area, rank in zip(judges, judged.areas, judged.ranks, strict=True)
        ],
        "worst": number(judged.worst, digits),
        "worst_judge": worst[0] if worst else "",
    }


def _similarities(judge: JudgeFindings) -> str | None:
    if judge.similarities is None:
        return None
    return image("svg+xml", figures.similarity_densities(judge.similarities, judge.comparisons))


def _comparison(comparison: Comparison, judge: JudgeFindings, convention: str) -> dict[str, Any]:
    names = [curve.label_set for curve in comparison.curves]
    limits = [_limit(names, areas, judge) for areas in zip(*(curve.areas for curve in comparison.curves), strict=True)]
    return {
        "heading": figures.heading(comparison),
        "figure": image("svg+xml", figures.discard_curves(comparison, convention)),
        "names": names,
        "swatches": [image("svg+xml", figures.swatch(place)) for place in range(len(names))],
        "limits": limits,
    }


def _limit(names: list[str], areas: tuple[PartialAuc, ...], judge: JudgeFindings) -> dict[str, Any]:
    """Areas of all label sets up to one limit, as texts."""
    digits = decimals(4, [end for area in areas for end in (area.value, *(area.interval or ()))])
    finer = max(digits, decimals(3, [end for area in areas for end in area.delta_to_first_interval or ()]))
    parts = max(3, decimals(3, (area.of_chance for area in areas)))
    rows = [
        {
            "name": name,
            "is_flattered": name in judge.made,
            "value": number(area.value, digits),
            "interval": interval(area.interval, digits),
            "delta_to_best": DASH if area.delta_to_best is None else number(area.delta_to_best, digits),
            "of_chance": number(area.of_chance, parts),
            "of_chance_interval": interval(area.of_chance_interval, parts),
            "delta_to_first": number(area.delta_to_first, finer, "+"),
            "delta_to_first_interval": interval(area.delta_to_first_interval, finer, "+"),
            "verdict": _verdict(area),
        }
        for name, area in zip(names, areas, strict=True)
    ]
    return {"limit": f"{areas[0].limit:g}", "rows": rows}


def _verdict(area: PartialAuc) -> str:
    """Whether a label set is better than the first, as far as the interval of the difference tells."""
    if area.delta_to_first_interval is None:
        return NO_INTERVAL
    low, high = area.delta_to_first_interval
    if high < 0:
        return "\N{BLACK DOWN-POINTING TRIANGLE} better"
    if low > 0:
        return "\N{BLACK UP-POINTING TRIANGLE} worse"
    return "not told apart"
