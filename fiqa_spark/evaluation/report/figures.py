"""Figures of what an evaluation found, as SVG."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fiqa_spark.evaluation.findings import Comparison, Curve, ExpectedErrors, OperatingPoint, Profile, Similarities
from fiqa_spark.evaluation.report.drawing import (
    COLOURS,
    LINES,
    TITLE,
    draw_density,
    draw_legend,
    drawn_figure,
    line_style,
    short,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fiqa_spark.evaluation.report.drawing import Legend

# Positions along an axis at which a curve is looked at where it has more points; there are fewer pixels.
POSITIONS = 450

# Panels side by side.
_PANELS = 2
_THRESHOLD_LINES = ((), (6, 2), (6, 2, 1, 2), (1, 1.5))
# Characters that fit side by side along an axis.
_FITTING = 90


def heading(comparison: Comparison) -> str:
    """What a comparison is called, such as ``FNMR at the threshold of FMR 0.001``."""
    return point_heading(comparison.operating_point)


def point_heading(point: OperatingPoint) -> str:
    """What comparisons at an operating point are called."""
    error, fixed_by, value = point
    return f"{error.upper()} {'at the threshold of FMR' if fixed_by == 'fmr' else 'that starts at'} {value:g}"


def discard_curves(comparison: Comparison, convention: str) -> bytes:
    """Error-versus-discard curves of all label sets.

    Parameters
    ----------
    convention : {'fixed', 'recomputed'}
        The fixed one has a theoretical best, which is drawn too.

    Returns
    -------
    bytes
        SVG.
    """
    error, pairs = comparison.operating_point.error.upper(), _pairs_of_error(comparison)
    limits = [area.limit for area in comparison.curves[0].areas] if comparison.curves else []
    zoom = 1.15 * max((limit for limit in limits if limit <= 0.5), default=0)
    with drawn_figure(4.3) as (figure, finish):
        ends = [zoom, 1] if zoom else [1]
        panels = figure.subplots(1, len(ends), sharey=True, squeeze=False)[0]
        for axes, end in zip(panels, ends, strict=True):
            legend = _draw_curves(axes, end, comparison, limits, convention)
            axes.set_xlim(0, end)
            axes.set_xlabel("Pairs discarded (fraction)")
        panels[0].set_ylabel(f"{error} (fraction of {pairs} pairs left)")
        panels[0].set_ylim(0, _ceiling(comparison))
        anew = ", then taken anew from the pairs left" if convention == "recomputed" else ""
        figure.suptitle(
            f"{heading(comparison)}\nthreshold {comparison.threshold:.4f}{anew}; {error} "
            f"{comparison.starting_error:.4g} before any discard, of {comparison.pairs:,} pairs",
            **TITLE,
        )
        draw_legend(figure, legend)
    return finish()


def label_histogram(profile: Profile) -> bytes:
    """Histogram of the labels of a label set, as SVG."""
    # Where all labels are the same, the bins have no width of their own.
    edges = profile.edges if np.ptp(profile.edges) else np.linspace(-0.5, 0.5, len(profile.edges)) + profile.edges[0]
    with drawn_figure(3.1) as (figure, finish):
        axes = figure.subplots()
        axes.stairs(profile.counts, edges, fill=True, color=COLOURS[0])
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xlabel(_capital(_quantity(profile)))
        axes.set_ylabel("Images (number)")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.locator_params(axis="y", integer=True)
        figure.suptitle(
            f"{_capital(profile.quantity)}s of {short(profile.name)}: {profile.counts.sum():,} images", **TITLE
        )
    return finish()


def similarity_densities(similarities: Similarities, comparisons: Sequence[Comparison]) -> bytes:
    """Densities of the similarities of mated and non-mated pairs, with the thresholds of the comparisons, as SVG."""
    with drawn_figure(3.9) as (figure, finish):
        axes = figure.subplots()
        legend = _draw_densities(axes, similarities) + _draw_thresholds(axes, comparisons)
        filled = np.flatnonzero(similarities.mated + similarities.non_mated)
        if len(filled):
            axes.set_xlim(similarities.edges[filled[0]], similarities.edges[filled[-1] + 1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Similarity of the two images of a pair (cosine)")
        axes.set_ylabel("Density (per unit of similarity)")
        figure.suptitle("Similarities of mated and non-mated pairs", **TITLE)
        draw_legend(figure, legend)
    return finish()


def labels_by_size(profile: Profile) -> bytes:
    """Mean labels of the identities, against their number of images, as SVG; the profile must have size classes."""
    sizes = profile.sizes
    names = [
        f"{size.fewest:,}" if size.fewest == size.most else f"{size.fewest:,}\N{EN DASH}{size.most:,}" for size in sizes
    ]
    counts = [f"{size.identities:,}" for size in sizes]
    medians = np.array([size.median for size in sizes])
    bars = np.array([[size.median - size.lower_quartile, size.upper_quartile - size.median] for size in sizes]).T
    turned = 40 if sum(map(len, names)) > _FITTING else 0
    upright = 90 if sum(map(len, counts)) + len(counts) > _FITTING else 0
    with drawn_figure(3.6 + 0.7 * bool(turned) + 0.5 * bool(upright)) as (figure, finish):
        axes = figure.subplots()
        axes.errorbar(
            range(len(sizes)), medians, yerr=bars, fmt="o-", color=COLOURS[0], ecolor="#444444", capsize=4, linewidth=1
        )
        axes.set_xticks(range(len(sizes)), names, rotation=turned, ha="right" if turned else "center")
        for number, count in enumerate(counts):
            axes.annotate(
                count, (number, 1), (0, 3), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
                ha="center", rotation=upright, fontsize=9, color="#444444",
            )  # fmt: skip
        axes.set_xlim(-0.6, len(sizes) - 0.4)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("Images of the identity (number); above: identities (number)")
        axes.set_ylabel(f"Mean {_quantity(profile)}")
        figure.suptitle(
            f"{_capital(profile.quantity)} against the identity's number of images, {short(profile.name)}\n"
            "median of the identities' means, bars from quartile to quartile",
            **TITLE,
        )
    return finish()


def expected_errors(name: str, quantity: str, by_judge: Sequence[tuple[str, Sequence[ExpectedErrors]]]) -> bytes:
    """FNMR against the lower label of a pair, as SVG: a panel an FMR, a line a judge.

    Parameters
    ----------
    name, quantity : str
        Of the label set.
    by_judge : sequence of (str, sequence of ExpectedErrors)
        Judges, and what each says of the label set; the FMRs of the first have panels.
    """
    fmrs = [each.fmr for each in by_judge[0][1]]
    columns = min(len(fmrs), _PANELS)
    rows = -(-len(fmrs) // columns)
    with drawn_figure(0.7 + 2.7 * rows) as (figure, finish):
        panels = iter(figure.subplots(rows, columns, squeeze=False).flat)
        for fmr in fmrs:
            axes = next(panels)
            legend = _draw_expected(axes, fmr, by_judge)
            axes.set_xlabel(f"Lower {quantity} of a pair (higher is better)")
            axes.set_ylabel("FNMR (fraction of mated pairs)")
        for axes in panels:
            axes.set_axis_off()
        figure.suptitle(
            f"What a {quantity} of {short(name)} stands for\nlines: FNMR expected, dots: FNMR as counted", **TITLE
        )
        draw_legend(figure, legend)
    return finish()


def swatch(number: int) -> bytes:
    """A short piece of the line of a label set, which is numbered from 0, as SVG."""
    line = line_style(number)
    dashes = " ".join(f"{length * line['linewidth']:g}" for length in LINES[number % len(LINES)]) or "none"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="34" height="8"><path d="M0 4H34" '
        f'stroke="{line["color"]}" stroke-width="2" stroke-dasharray="{dashes}"/></svg>'
    ).encode("ascii")


def _pairs_of_error(comparison: Comparison) -> str:
    return "mated" if comparison.operating_point.error == "fnmr" else "non-mated"


def _draw_curves(axes: "Axes", end: float, comparison: Comparison, limits: list[float], convention: str) -> "Legend":
    """Draw the curves, up to a discard."""
    legend: Legend = []
    for number, curve in enumerate(comparison.curves):
        (line,) = axes.plot(*_thinned(curve, end), drawstyle="steps-post", **line_style(number))
        legend.append((short(curve.label_set), line))
    if convention == "fixed":
        start = comparison.starting_error
        (line,) = axes.plot(
            (0, start, 1), (start, 0, 0), color="#444444", linewidth=1.2, linestyle=(0, (3, 3)), zorder=1.5
        )
        legend.append(("theoretical best", line))
    below_all = [limit for limit in limits if limit < 1]
    for limit in below_all:
        line = axes.axvline(limit, color="#c4c4c4", linewidth=1.2, zorder=1)
    return [*legend, ("discard limits of the areas", line)] if below_all else legend


def _draw_expected(axes: "Axes", fmr: float, by_judge: Sequence[tuple[str, Sequence[ExpectedErrors]]]) -> "Legend":
    """Draw what is expected at an FMR as steps, and what was counted as dots."""
    legend: Legend = []
    for number, (judge, found) in enumerate(by_judge):
        style = line_style(number)
        for ranges in (each.ranges for each in found if each.fmr == fmr):
            edges = [ranges[0].low, *(each.high for each in ranges)]
            expected = [np.nan if each.expected is None else each.expected for each in ranges]
            counted = [np.nan if each.rate is None else each.rate for each in ranges]
            middles = [(each.low + each.high) / 2 for each in ranges]
            axes.plot(middles, counted, "o", color=style["color"], markersize=3.5, alpha=0.75)
            (line,) = axes.plot(edges, [*expected, expected[-1]], drawstyle="steps-post", **style)
            # Labels that are all the same have no range of their own.
            axes.set_xlim(edges[0], edges[-1] if edges[-1] > edges[0] else edges[0] + 1)
            legend.append((short(judge), line))
    axes.set_ylim(bottom=0)
    axes.set_title(f"FMR {fmr:g}", loc="left", fontsize=10)
    return legend


def _draw_densities(axes: "Axes", similarities: Similarities) -> "Legend":
    edges, counted = similarities.edges, (("mated", similarities.mated), ("non-mated", similarities.non_mated))
    legend: Legend = []
    for number, (name, counts) in enumerate(counted):
        legend += draw_density(axes, number, f"{counts.sum():,} {name} pairs", counts, edges)
    return legend


def _draw_thresholds(axes: "Axes", comparisons: Sequence[Comparison]) -> "Legend":
    legend: Legend = []
    for number, comparison in enumerate(comparisons):
        shade, style = divmod(number, len(_THRESHOLD_LINES))
        line = axes.axvline(
            comparison.threshold,
            linewidth=1,
            linestyle=(0, _THRESHOLD_LINES[style]) if style else "-",
            color=str(0.15 + 0.25 * (shade % 3)),
        )
        legend.append((f"threshold {comparison.threshold:.4f}: {heading(comparison)}", line))
    return legend


def _thinned(curve: Curve, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Discards and errors of a curve up to an end, at fewer places where there are too many, but exact there."""
    shown = slice(0, np.searchsorted(curve.discards, end, side="right") + 1)
    discards, errors = curve.discards[shown], curve.error_rates[shown]
    if len(discards) <= POSITIONS:
        return discards, errors
    positions = np.linspace(0, end, POSITIONS)
    return positions, errors[np.searchsorted(discards, positions, side="right") - 1]


def _ceiling(comparison: Comparison) -> float:
    """Upper end of the axis: all of the curves, unless one goes beyond twice the start, as the last few pairs may."""
    highest = max((curve.error_rates.max() for curve in comparison.curves), default=0)
    return 1.08 * max(min(highest, 2 * comparison.starting_error), comparison.starting_error) or 1.0


def _quantity(profile: Profile) -> str:
    scale = {"label": "0 to 100, ", "ERS": "0 to 1, "}.get(profile.quantity, "")
    return f"{profile.quantity} ({scale}higher is better)"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
