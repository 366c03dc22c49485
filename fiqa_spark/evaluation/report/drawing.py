"""What figures have in common: how they look, their densities and legends, and how they become SVG.

Matplotlib is needed once one is drawn, not before.
"""

import contextlib
import io
import logging
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    # The lines of a legend, each after what it is called.
    Legend = list[tuple[str, Line2D]]

WIDTH = 9.5
"""Inches that the page has room for."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe and Ito, those that stand out from white."""
LINES = ((), (7, 2), (7, 2, 1.5, 2), (1.5, 1.5), (13, 3))
"""Dashes, in multiples of the width of a line; with these colours the first style to come again is the 36th."""
TITLE = {"x": 0.004, "ha": "left", "fontsize": 11}
"""How the title of a figure stands."""
_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.06,
    # Every text names them all.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10,
    "grid.color": "#e8e8e8",
    # A quarter of a point that a curve is off by cannot be seen, and makes a third of a page's bytes.
    "path.simplify_threshold": 0.25,
    "svg.fonttype": "none",
    "svg.hashsalt": "fiqa-spark",
    # Names of label sets may hold a dollar sign.
    "text.parse_math": False,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
}
_LONGEST_NAME = 40
# Inches that a line of the legend takes.
_ROW = 0.22
# Only markup holds a "<"; a text may hold all else.
_PATH, _PART = re.compile('(<path (?:id="[^"]*" )?d=")([^"]*)'), re.compile("([A-Za-z])([^A-Za-z]*)")
_INDENTED = re.compile(r">\n *<")
_LONG_NUMBER = re.compile(r"(\.\d\d)\d+")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f]")


def readable(text: str) -> str:
    """The text as XML, HTML and UTF-8 may hold it: U+FFFD in place of what they may not."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


@contextlib.contextmanager
def drawn_figure(height: float, width: float = WIDTH) -> Iterator[tuple["Figure", Callable[[], bytes]]]:
    """A figure of so many inches to draw in, and a function that says afterwards what it looks like as SVG."""
    log = logging.getLogger("matplotlib")
    level = log.level
    # A job's log is no place for where Matplotlib keeps its cache.
    log.setLevel(logging.ERROR)
    try:
        import matplotlib
        from matplotlib.figure import Figure

        written = io.BytesIO()
        with matplotlib.rc_context(), warnings.catch_warnings():
            # Whoever opens the page has fonts of their own.
            warnings.filterwarnings(
                "ignore", r"Glyph .* missing from|Matplotlib currently does not support .* natively"
            )
            # What a user's own matplotlibrc says is meant for other figures.
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_STYLE)
            figure = Figure(figsize=(width, height), layout="constrained")
            yield figure, lambda: _compact(written.getvalue())
            figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    finally:
        log.setLevel(level)


def _compact(svg: bytes) -> bytes:
    """The same figure in fewer bytes: paths to a hundredth of a point, whose steps name one coordinate each."""
    return _PATH.sub(_stepped, _INDENTED.sub("><", svg.decode("utf-8"))).encode("utf-8")


def _stepped(path: re.Match[str]) -> str:
    x = y = None
    parts = []
    for command, numbers in _PART.findall(_LONG_NUMBER.sub(r"\1", path[2])):
        *before, next_x, next_y = numbers.split() or (None, None)
        if command == "L" and next_x == x:
            parts.append(f"V{next_y}")
        elif command == "L" and next_y == y:
            parts.append(f"H{next_x}")
        else:
            parts.append(command + " ".join(filter(None, (*before, next_x, next_y))))
        x, y = next_x, next_y
    return path[1] + "".join(parts)


def line_style(number: int) -> dict[str, Any]:
    """Style of the line that is numbered so, from 0."""
    dashes = LINES[number % len(LINES)]
    return {
        "color": COLOURS[number % len(COLOURS)], "linewidth": 1.7, "linestyle": (0, dashes) if dashes else "-",
        "dash_capstyle": "butt",
    }  # fmt: skip


def draw_density(axes: "Axes", number: int, name: str, counts: np.ndarray, edges: np.ndarray) -> "Legend":
    """Draw the density that a histogram tells, in the style of a line's number; without counts it is 0."""
    density = counts / max(counts.sum(), 1) / np.diff(edges)
    axes.stairs(density, edges, fill=True, alpha=0.15, color=COLOURS[number])
    (line,) = axes.plot(edges, np.append(density, 0), drawstyle="steps-post", **line_style(number))
    return [(name, line)]


def draw_legend(figure: "Figure", legend: "Legend", columns: int = 2) -> None:
    """A legend below the axes, in columns whose places do not depend on which fonts know a name's letters."""
    from matplotlib.lines import Line2D

    rows = -(-len(legend) // columns)
    # As long whatever the width of the figure.
    length = 0.05 * WIDTH / figure.get_figwidth()
    figure.set_figheight(figure.get_figheight() + rows * _ROW)
    row = _ROW / figure.get_figheight()
    figure.set_layout_engine("constrained", rect=(0, row * rows, 1, 1 - row * rows))
    for number, (name, drawn) in enumerate(legend):
        left, y = 0.01 + number // rows / columns, row * (rows - 0.5 - number % rows)
        line = Line2D((left, left + length), (y, y))
        line.update_from(drawn)
        line.set(transform=figure.transFigure, clip_on=False)
        figure.add_artist(line)
        figure.text(left + 0.01 + length, y, name, va="center_baseline")


def short(name: str) -> str:
    """A name in one line that fits a legend, where letters of East Asia take up twice the room."""
    name = " ".join(readable(name).split()) or "(no name)"
    ends = np.cumsum([1 + (unicodedata.east_asian_width(letter) in "WF") for letter in name])
    return name if ends[-1] <= _LONGEST_NAME else f"{name[: np.searchsorted(ends, _LONGEST_NAME)]}…"
