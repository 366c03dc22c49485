"""Figures of what an audit of identities found, as SVG."""

import numpy as np

from fiqa_spark.evaluation.report.drawing import TITLE, WIDTH, draw_density, draw_legend, drawn_figure

# Two stand side by side, and below each other where there is no room for that.
_WIDTH = (WIDTH - 0.3) / 2


def images_and_centres(densities: dict[str, np.ndarray], threshold: float | None) -> bytes:
    """Densities of the similarities of images with the centres of identities.

    Parameters
    ----------
    densities : dict of str to ndarray
        As in `AuditFindings`.
    threshold : float or None
        From which an identity is suggested, if there is one.
    """
    drawn = {0: ("with the centre of their own identity", "own"), 1: ("with the centres of others", "others")}
    return _densities("Images and the centres of identities", drawn, densities, threshold, "an image is another's")


def two_centres(densities: dict[str, np.ndarray], threshold: float | None) -> bytes:
    """Density of the similarities of two identities' centres; the threshold is that from which two are named."""
    drawn = {2: ("of two identities", "centres")}
    return _densities("The centres of two identities", drawn, densities, threshold, "two are one person")


def _densities(
    title: str,
    drawn: dict[int, tuple[str, str]],
    densities: dict[str, np.ndarray],
    threshold: float | None,
    meaning: str,
) -> bytes:
    """A figure of densities, by the number of their line: what is told of each, and its name."""
    with drawn_figure(3.0, _WIDTH) as (figure, finish):
        axes = figure.subplots()
        legend, total = [], np.zeros(1)
        for number, (text, name) in drawn.items():
            counts = densities[name]
            edges = np.linspace(-1, 1, len(counts) + 1)
            legend += draw_density(axes, number, f"{text}: {counts.sum():,}", counts, edges)
            total = total + counts
        # An empty histogram is drawn all the same.
        filled = edges[np.flatnonzero(np.append(total, 0) + np.append(0, total))] if total.any() else edges
        shown = filled if threshold is None else np.append(filled, (threshold - 0.02, threshold + 0.02))
        if threshold is not None:
            line = axes.axvline(threshold, color="#262626", linewidth=1.2)
            legend.append((f"threshold {threshold:.4f}: from here {meaning}", line))
        axes.set_xlim(shown.min(), shown.max())
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Similarity (cosine)")
        axes.set_ylabel("Density (per unit of similarity)")
        figure.suptitle(title, **TITLE)
        draw_legend(figure, legend, columns=1)
    return finish()
