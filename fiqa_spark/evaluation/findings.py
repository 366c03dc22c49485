"""What an evaluation found: the numbers that the curves' files, summary.json and the page are made of."""

from typing import Any, NamedTuple

import numpy as np


class OperatingPoint(NamedTuple):
    """The error that curves show, and what fixes its threshold before any discard."""

    error: str
    """``"fnmr"`` or ``"fmr"``."""
    fixed_by: str
    """``"error"``: the error itself starts at `value`; ``"fmr"``: the threshold is that of FMR `value`."""
    value: float


class Interval(NamedTuple):
    """95 % bootstrap interval over identities."""

    low: float
    high: float


class PartialAuc(NamedTuple):
    """Area under a curve up to a discard limit, pAUC; lower is better."""

    limit: float
    value: float
    interval: Interval
    delta_to_best: float | None
    """Less the theoretical best; None where the convention has none."""
    delta_to_first: float
    """Less the area of the first label set."""
    delta_to_first_interval: Interval
    """From the same resamples as `interval`."""


class Curve(NamedTuple):
    """Error-versus-discard curve of a label set."""

    label_set: str
    discards: np.ndarray
    """Fraction of the pairs that have gone, from 0 to 1, float64."""
    error_rates: np.ndarray
    """Error among those left, float64; it holds until the next discard."""
    areas: tuple[PartialAuc, ...]
    """One a discard limit."""


class Comparison(NamedTuple):
    """All label sets at one operating point."""

    operating_point: OperatingPoint
    threshold: float
    """Similarity from which a pair counts as mated; before any discard, where it is taken anew."""
    starting_error: float
    """Error before any discard, as counted."""
    pairs: int
    """Pairs that the discards are fractions of."""
    curves: tuple[Curve, ...]
    """One a label set."""


class Similarities(NamedTuple):
    """Histograms of the similarities of the pairs."""

    edges: np.ndarray
    """Shape (bins + 1,)."""
    mated: np.ndarray
    non_mated: np.ndarray
    """Number of pairs in each bin, shape (bins,)."""


class SizeClass(NamedTuple):
    """Identities with about the same number of images, and the mean label of each."""

    fewest: int
    most: int
    """Images of an identity."""
    identities: int
    lower_quartile: float
    median: float
    upper_quartile: float
    """Of the identities' mean labels."""


class IdentityLabels(NamedTuple):
    """Labels of an identity."""

    identity: str
    images: int
    labelled: int
    mean: float
    lowest: float
    highest: float


class Thumbnail(NamedTuple):
    """A small picture of an image."""

    path: str
    label: float
    jpeg: bytes | None
    """None where the image file is not read, or cannot be."""


class Sheet(NamedTuple):
    """Contact sheet."""

    title: str
    thumbnails: tuple[Thumbnail, ...]


class Profile(NamedTuple):
    """What a label set says of its images, pairs aside."""

    name: str
    path: str
    """File or folder that it was read from."""
    quantity: str
    """``"label"`` (0 to 100), ``"ERS"`` (0 to 1) or ``"score"``; higher is better."""
    statuses: dict[str, int]
    """Status to number of images."""
    edges: np.ndarray
    """Edges of the histogram, shape (bins + 1,)."""
    counts: np.ndarray
    """Number of images in each bin, shape (bins,)."""
    sizes: tuple[SizeClass, ...]
    lowest: tuple[IdentityLabels, ...]
    """Identities of the lowest mean label, the lowest first."""
    sheets: tuple[Sheet, ...]
    """Images to look at."""


class Findings(NamedTuple):
    """All that an evaluation found."""

    convention: str
    """``"fixed"`` or ``"recomputed"``."""
    pairs: dict[str, Any]
    """Counts of pairs: where they come from, mated, non-mated, and those left out, by reason; nested, JSON-ready."""
    comparisons: tuple[Comparison, ...]
    """Empty where no pair can be compared, as a note tells then."""
    similarities: Similarities | None
    profiles: tuple[Profile, ...]
    """One a label set, in the order of the curves."""
    notes: tuple[str, ...]
    """What a reader must know before trusting the numbers, a sentence each."""
