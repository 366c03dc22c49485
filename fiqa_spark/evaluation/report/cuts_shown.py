"""What the page says of where to cut, and of what a label stands for."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fiqa_spark.evaluation.findings import (
    Cut,
    ErrorRate,
    ExpectedError,
    ExpectedErrors,
    Findings,
    JudgeFindings,
    Profile,
    SetCuts,
    Target,
)
from fiqa_spark.evaluation.report import figures
from fiqa_spark.evaluation.report.numbers_shown import DASH, decimals, interval, label, number, percent
from fiqa_spark.evaluation.report.rendering import image
from fiqa_spark.evaluation.settings import ERRORS_OF_A_THRESHOLD, pairs_of_fmr

# Columns of rates that a table has room for, and beside the columns of what is left.
_COLUMNS, _COLUMNS_BESIDE = 6, 2


class _Column(NamedTuple):
    """Cells of a judge at an FMR, the value of each above what stands in small letters below it."""

    fmr: float
    cells: list[tuple[str, list[str]]]


class _Columns(NamedTuple):
    """Columns of a judge."""

    judge: JudgeFindings
    columns: list[_Column]


def where_to_cut(findings: Findings) -> list[dict[str, Any]]:
    """Cuts of every label set, the errors left by each judge, and the targets."""
    quantities = _quantities(findings.profiles)
    return [_set_cuts(each, findings, quantities.get(each.label_set, "score")) for each in findings.cuts]


def labels_as_errors(findings: Findings) -> list[dict[str, Any]]:
    """What a label of every set stands for, by each judge."""
    quantities = _quantities(findings.profiles)
    names = dict.fromkeys(each.label_set for judge in findings.judges for each in judge.expected)
    return [_as_errors(name, findings, quantities.get(name, "score")) for name in names]


def rate_and_interval(rate: ErrorRate, digits: int) -> tuple[str, str]:
    """An error rate and its interval, if there are any."""
    if rate.rate is None:
        return DASH, "no pair"
    return number(rate.rate, digits), interval(rate.interval, digits)


def rate_decimals(rates: Sequence[float | None]) -> int:
    """Decimals of error rates that stand in line."""
    return max(4, decimals(3, (rate for rate in rates if rate is not None)))


def is_unresolved(fmr: float, judge: JudgeFindings) -> bool:
    """Whether the non-mated pairs of a judge are too few for an FMR."""
    return 0 < judge.pairs.get("non_mated", 0) < pairs_of_fmr(fmr)


def unresolved(findings: Findings) -> list[dict[str, str]]:
    """Numbers of non-mated pairs that do not tell an FMR that is shown, whose they are, and which they do tell."""
    judges_of: dict[int, list[str]] = {}
    for judge in findings.judges:
        if any(is_unresolved(fmr, judge) for fmr in _fmrs(judge)):
            judges_of.setdefault(judge.pairs["non_mated"], []).append(judge.name)
    return [
        {
            "pairs": f"{pairs:,}",
            "judges": ", ".join(names) if len(names) < len(findings.judges) else "",
            "fmr": f"{ERRORS_OF_A_THRESHOLD / pairs:.2g}",
        }
        for pairs, names in judges_of.items()
    ]


def _fmrs(judge: JudgeFindings) -> set[float]:
    """FMRs of the rates that are shown."""
    of_cuts = {rate.fmr for each in judge.cuts for rates in each.rates for rate in rates}
    return of_cuts | {each.fmr for each in judge.expected}


def _quantities(profiles: Sequence[Profile]) -> dict[str, str]:
    return {profile.name: profile.quantity for profile in profiles}


def _set_cuts(set_cuts: SetCuts, findings: Findings, quantity: str) -> dict[str, Any]:
    name, several = set_cuts.label_set, len(findings.judges) > 1
    by_judge = list(_cut_columns(name, findings.judges))
    beside = not several and sum(len(each.columns) for each in by_judge) <= _COLUMNS_BESIDE
    parts = list(_in_tables(by_judge))
    return {
        "name": name,
        "lead": [_cut(cut, quantity) for cut in set_cuts.cuts],
        "whole": [(*_cut(cut, quantity), *_left(cut)) for cut in set_cuts.cuts],
        # Errors stand beside what is left where there is room for both.
        "is_one_table": beside and len(parts) == 1,
        "tables": [_table(part, several, name) for part in parts],
        "is_flattering": any(name in each.judge.made for each in by_judge),
        "targets": _targets(name, findings.judges, quantity),
    }


def _cut(cut: Cut, quantity: str) -> tuple[str, str]:
    """Share that goes, and label from which images stay."""
    return percent(cut.discarded), label(cut.label, quantity)


def _left(cut: Cut) -> tuple[str, str, str]:
    return f"{cut.images:,}", f"{cut.identities:,}", f"{cut.with_mates:,}"


def _cut_columns(name: str, judges: Sequence[JudgeFindings]) -> Iterator[_Columns]:
    """Columns of the errors left after every cut of a label set, by judge."""
    for judge in judges:
        for found in judge.cuts:
            if found.label_set == name and found.rates:
                by_fmr = list(zip(*found.rates, strict=True))
                yield _Columns(judge, [_Column(rates[0].fmr, _cells(rates)) for rates in by_fmr])


def _cells(rates: Sequence[ErrorRate]) -> list[tuple[str, list[str]]]:
    digits = rate_decimals([rate.rate for rate in rates])
    shown = (rate_and_interval(rate, digits) for rate in rates)
    return [(value, [small]) for value, small in shown]


def _in_tables(by_judge: list[_Columns]) -> Iterator[list[_Columns]]:
    """Judges, as many in a table as there is room for."""
    most = max((len(each.columns) for each in by_judge), default=1)
    together = max(_COLUMNS // most, 1)
    for start in range(0, len(by_judge), together):
        yield by_judge[start : start + together]


def _table(part: list[_Columns], several: bool, name: str) -> dict[str, Any]:
    """Headings and cells of the columns of some judges."""
    judges = [
        {"name": each.judge.name, "columns": len(each.columns), "is_flattered": name in each.judge.made}
        for each in part
    ]
    if not several and not judges[0]["is_flattered"]:
        judges = []
    return {
        "judges": judges,
        "heads": [
            {
                "fmr": f"{column.fmr:g}",
                "is_unresolved": is_unresolved(column.fmr, each.judge),
                "is_first": column is each.columns[0] and bool(judges),
            }
            for each in part
            for column in each.columns
        ],
        "rows": list(zip(*(column.cells for each in part for column in each.columns), strict=True)),
    }


def _targets(name: str, judges: Sequence[JudgeFindings], quantity: str) -> dict[str, Any]:
    """The least labels that keep an FNMR: a row an FMR and FNMR, a column a judge."""
    by_judge = {
        judge.name: {(each.fmr, each.target): each for each in judge.targets if each.label_set == name}
        for judge in judges
        if judge.targets
    }
    asked = dict.fromkeys(key for found in by_judge.values() for key in found)
    return {
        "judges": list(by_judge),
        "rows": [
            (f"{fmr:g}", f"{target:g}", [_target(found.get((fmr, target)), quantity) for found in by_judge.values()])
            for fmr, target in asked
        ],
    }


def _target(target: Target | None, quantity: str) -> tuple[str, str]:
    if target is None:
        return DASH, ""
    if target.label is None:
        return "cannot be reached", f"{target.pairs:,} mated pairs of all images"
    goes = f"{percent(target.discarded)} of images go"
    return (
        f"label \N{GREATER-THAN OR EQUAL TO} {label(target.label, quantity)}",
        f"{goes}, {target.pairs:,} mated pairs left",
    )


def _as_errors(name: str, findings: Findings, quantity: str) -> dict[str, Any]:
    of_set = ((judge, [each for each in judge.expected if each.label_set == name]) for judge in findings.judges)
    by_judge = [(judge, found) for judge, found in of_set if found]
    columns = [_Columns(judge, [_expected_column(each) for each in found]) for judge, found in by_judge]
    drawn = [(judge.name, found) for judge, found in by_judge]
    first = drawn[0][1][0]
    several = len(findings.judges) > 1
    return {
        "name": name,
        "figure": image("svg+xml", figures.expected_errors(name, quantity, drawn)),
        "lead": [(f"{each.low:.4g} to {each.high:.4g}".replace("-", "\N{MINUS SIGN}"),) for each in first.ranges],
        "tables": [_table(part, several, name) for part in _in_tables(columns)],
        "is_flattering": any(name in judge.made for judge, _ in by_judge),
    }


def _expected_column(expected: ExpectedErrors) -> _Column:
    digits = rate_decimals([each.rate for each in expected.ranges])
    return _Column(expected.fmr, [_expected_cell(each, digits) for each in expected.ranges])


def _expected_cell(each: ExpectedError, digits: int) -> tuple[str, list[str]]:
    value = DASH if each.expected is None else number(each.expected, digits)
    if each.rate is None:
        return value, ["no pair"]
    return value, [f"counted {number(each.rate, digits)}", f"{each.errors:,} of {each.pairs:,}"]
