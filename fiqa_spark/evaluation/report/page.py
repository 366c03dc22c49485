"""The page that shows what an evaluation found: its numbers as texts, its figures and pictures."""

import math
from collections.abc import Iterator
from typing import Any

from fiqa_spark.evaluation.findings import Comparison, Findings, Interval, PartialAuc, Profile
from fiqa_spark.evaluation.report import figures
from fiqa_spark.evaluation.report.rendering import image, rendered, share

_TEMPLATE = "report_template.html"
_PAIR_COUNTS = {"non_mated": "non-mated"}


def page(findings: Findings, *, title: str, facts: dict[str, str]) -> str:
    """The page as text.

    Parameters
    ----------
    findings : Findings
        With the pictures of its contact sheets, see `contact_sheets.with_pictures`.
    title : str
        Its heading.
    facts : dict of str to str
        What else is worth knowing, such as settings and versions, in the order in which it is shown.

    Returns
    -------
    str
        HTML that needs no other file, no network and no script, to be written as UTF-8.
    """
    return rendered(
        _TEMPLATE,
        title=title,
        facts=facts,
        convention=findings.convention,
        pairs=list(_indented(findings.pairs)),
        comparisons=[_comparison(comparison, findings.convention) for comparison in findings.comparisons],
        similarities=_similarities(findings),
        notes=findings.notes,
        profiles=[_profile(profile) for profile in findings.profiles],
    )


def _indented(counts: dict[str, Any], depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """Depth, name and text of each entry of nested counts."""
    for name, value in counts.items():
        shown = _PAIR_COUNTS.get(name, name.replace("_", " "))
        if isinstance(value, dict):
            yield from [(depth, shown, ""), *_indented(value, depth + 1)] if value else ()
        else:
            yield depth, shown, f"{value:,}" if isinstance(value, int) else str(value)


def _similarities(findings: Findings) -> str | None:
    if findings.similarities is None:
        return None
    return image("svg+xml", figures.similarity_densities(findings.similarities, findings.comparisons))


def _comparison(comparison: Comparison, convention: str) -> dict[str, Any]:
    names = [curve.label_set for curve in comparison.curves]
    return {
        "heading": figures.heading(comparison),
        "figure": image("svg+xml", figures.discard_curves(comparison, convention)),
        "names": names,
        "swatches": [image("svg+xml", figures.swatch(number)) for number in range(len(names))],
        "limits": [_limit(names, areas) for areas in zip(*(curve.areas for curve in comparison.curves), strict=True)],
    }


def _limit(names: list[str], areas: tuple[PartialAuc, ...]) -> dict[str, Any]:
    """Areas of all label sets up to one limit, as texts."""
    digits = _decimals(4, *(area.value for area in areas), *(area.interval.high for area in areas))
    ends = [end for area in areas for end in area.delta_to_first_interval]
    finer = max(digits, _decimals(3, *ends))
    rows = [
        {
            "name": name,
            "value": _number(area.value, digits),
            "interval": _interval(area.interval, digits),
            "delta_to_best": "\N{EN DASH}" if area.delta_to_best is None else _number(area.delta_to_best, digits),
            "delta_to_first": _number(area.delta_to_first, finer, "+"),
            "delta_to_first_interval": _interval(area.delta_to_first_interval, finer, "+"),
            "verdict": _verdict(area),
        }
        for name, area in zip(names, areas, strict=True)
    ]
    return {"limit": f"{areas[0].limit:g}", "rows": rows}


def _verdict(area: PartialAuc) -> str:
    """Whether a label set is better than the first, as far as the interval of the difference tells."""
    low, high = area.delta_to_first_interval
    if high < 0:
        return "\N{BLACK DOWN-POINTING TRIANGLE} better"
    if low > 0:
        return "\N{BLACK UP-POINTING TRIANGLE} worse"
    return "not told apart"


def _decimals(significant: int, *values: float) -> int:
    """Decimals that show so many digits of the largest of some values, all of which then stand in line."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0)
    return min(max(significant - 1 - math.floor(math.log10(largest)), 0), 12) if largest else significant


def _number(value: float, decimals: int, sign: str = "-") -> str:
    # No sign before what is rounded to zero.
    return f"{round(value, decimals) + 0.0:{sign if round(value, decimals) else '-'}.{decimals}f}".replace(
        "-", "\N{MINUS SIGN}"
    )


def _interval(interval: Interval, decimals: int, sign: str = "-") -> str:
    return " to ".join(_number(end, decimals, sign) for end in interval)


def _profile(profile: Profile) -> dict[str, Any]:
    total = sum(profile.statuses.values())
    decimals = {"label": 2, "ERS": 3}.get(profile.quantity)

    def shown(value: float) -> str:
        return f"{value:.4g}" if decimals is None else f"{value:.{decimals}f}"

    return {
        "name": profile.name,
        "path": profile.path,
        "quantity": profile.quantity,
        "statuses": [(status, f"{count:,}", share(count, total)) for status, count in profile.statuses.items()],
        "total": f"{total:,}",
        "histogram": image("svg+xml", figures.label_histogram(profile)),
        "by_size": image("svg+xml", figures.labels_by_size(profile)) if profile.sizes else None,
        "lowest": [
            (name, f"{images:,}", f"{labelled:,}", *map(shown, mean_and_range))
            for name, images, labelled, *mean_and_range in profile.lowest
        ],
        "sheets": [
            (
                sheet.title,
                [(path, shown(label), jpeg and image("jpeg", jpeg)) for path, label, jpeg in sheet.thumbnails],
            )
            for sheet in profile.sheets
        ],
    }
