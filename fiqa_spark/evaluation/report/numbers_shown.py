"""Numbers as the page of an evaluation shows them."""

import math
from collections.abc import Iterable

from fiqa_spark.evaluation.findings import Interval

DASH = "\N{EN DASH}"
NO_INTERVAL = "no interval"
_MINUS = "\N{MINUS SIGN}"
_LABEL_DECIMALS = {"label": 2, "ERS": 3}


def decimals(significant: int, values: Iterable[float | None]) -> int:
    """Decimals that show so many digits of the largest of some values, all of which then stand in line."""
    largest = max((abs(value) for value in values if value is not None and math.isfinite(value)), default=0)
    return min(max(significant - 1 - math.floor(math.log10(largest)), 0), 12) if largest else significant


def number(value: float | None, digits: int, sign: str = "-") -> str:
    """A number with so many decimals, and a dash where there is none; a `sign` of ``+`` marks what is above 0 too."""
    if value is None or not math.isfinite(value):
        return DASH
    # No sign before what is rounded to zero.
    return f"{round(value, digits) + 0.0:{sign if round(value, digits) else '-'}.{digits}f}".replace("-", _MINUS)


def interval(ends: Interval | None, digits: int, sign: str = "-") -> str:
    """An interval from its low to its high end, or that there is none."""
    return NO_INTERVAL if ends is None else " to ".join(number(end, digits, sign) for end in ends)


def percent(part: float | None) -> str:
    """A part of one in per cent; a dash where there is none."""
    if part is None:
        return DASH
    return "< 0.1 %" if 0 < part < 0.0005 else f"{100 * part:.1f} %"


def label(value: float, quantity: str) -> str:
    """A label of a set, with the decimals of its quantity."""
    digits = _LABEL_DECIMALS.get(quantity)
    return (f"{value:.4g}" if digits is None else f"{value:.{digits}f}").replace("-", _MINUS)
