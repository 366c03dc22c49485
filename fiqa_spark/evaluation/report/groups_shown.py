"""What the page says of groups of images: their labels, and the errors of their pairs."""

from collections.abc import Sequence
from typing import Any

from fiqa_spark.evaluation.findings import Findings, GroupErrors, GroupLabels, Groups, SetCuts
from fiqa_spark.evaluation.report.cuts_shown import rate_and_interval, rate_decimals
from fiqa_spark.evaluation.report.numbers_shown import DASH, interval, percent


def groups_shown(findings: Findings) -> dict[str, Any] | None:
    """Labels and errors by group in every label set; None without groups."""
    groups = findings.groups
    if groups is None:
        return None
    cuts = {each.label_set: each for each in findings.cuts}
    names = list(dict.fromkeys(each.label_set for each in groups.labels))
    fmrs = {rate.fmr for judge in findings.judges for each in judge.groups for rate in each.rates}
    return {
        "path": groups.path,
        "images": f"{groups.images:,}",
        "without_group": f"{groups.without_group:,}",
        "fmr": " and ".join(f"{fmr:g}" for fmr in sorted(fmrs)),
        "sets": [_set(name, groups, cuts.get(name), findings) for name in names],
    }


def _set(name: str, groups: Groups, cuts: SetCuts | None, findings: Findings) -> dict[str, Any]:
    labels = [each for each in groups.labels if each.label_set == name]
    quantity = next((profile.quantity for profile in findings.profiles if profile.name == name), "score")
    digits = {"label": 2, "ERS": 4}.get(quantity, 3)
    parts = [
        _errors(judge.name, name in judge.made, [each for each in judge.groups if each.label_set == name])
        for judge in findings.judges
    ]
    return {
        "name": name,
        "quantity": quantity,
        "labels": [_labels(each, digits) for each in labels],
        "cuts": [percent(cut.discarded) for cut in cuts.cuts] if cuts else [],
        "discarded": [(each.group, [percent(part) for part in each.discarded]) for each in labels],
        "errors": [part for part in parts if part["rows"]],
    }


def _labels(labels: GroupLabels, digits: int) -> dict[str, str]:
    mean = labels.mean
    return {
        "group": labels.group,
        "images": f"{labels.images:,}",
        "labelled": f"{labels.labelled:,}",
        "mean": DASH if mean is None else f"{mean:.{digits}f}".replace("-", "\N{MINUS SIGN}"),
        "interval": "" if mean is None else interval(labels.interval, digits),
    }


def _errors(judge: str, is_flattered: bool, errors: Sequence[GroupErrors]) -> dict[str, Any]:
    """FNMR of every group after every cut, by a judge."""
    digits = rate_decimals([rate.rate for each in errors for rate in each.rates])
    rows = [
        (each.group, [(*rate_and_interval(rate, digits), f"{rate.pairs:,}") for rate in each.rates]) for each in errors
    ]
    return {
        "judge": judge,
        "is_flattered": is_flattered,
        "rows": rows,
    }
