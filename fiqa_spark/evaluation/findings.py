"""What an evaluation found: the numbers that the curves' files, summary.json and the page are made of."""

from typing import NamedTuple

import numpy as np


class Area(NamedTuple):
    """Area under a curve up to a discard limit, pAUC; lower is better."""

    limit: float
    value: float
    minus_best: float | None
    """Less the theoretical best; None where the convention has none."""
    low: float
    high: float
    """95 % bootstrap interval over identities."""
    minus_first: float
    """Less the area of the first label set."""
    minus_first_low: float
    minus_first_high: float
    """95 % interval of that, from the same resamples."""


class Curve(NamedTuple):
    """Error-versus-discard curve of a label set."""

    label_set: str
    discards: np.ndarray
    """Fraction of the pairs that have gone, from 0 to 1, float64."""
    error_rates: np.ndarray
    """Error among those left, float64; it holds until the next discard."""
    areas: tuple[Area, ...]


class Comparison(NamedTuple):
    """All label sets by one error from one start."""

    error: str
    """``"fnmr"`` or ``"fmr"``."""
    start: str
    """``"error"``: the error itself begins at `at`; ``"fmr"``: the threshold is that of FMR `at`."""
    at: float
    threshold: float
    """Similarity from which a pair counts as mated; before any discard, where it is taken anew."""
    starting_error: float
    """Error before any discard, as counted."""
    pairs: int
    """Pairs that the discards are fractions of."""
    curves: tuple[Curve, ...]


class Similarities(NamedTuple):
    """Histograms of the similarities of the pairs."""

    edges: np.ndarray
    """Shape (bins + 1,)."""
    mated: np.ndarray
    non_mated: np.ndarray
    """Number of pairs in each bin, shape (bins,)."""


class SizeClass(NamedTuple):
    """Identities with about the same number of images, and the mean label of each."""

    least: int
    most: int
    """Images of an identity, from least to most."""
    identities: int
    low: float
    median: float
    high: float
    """Quartiles of the identities' mean labels."""


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
    """None where the image file is not or cannot be read."""


class Sheet(NamedTuple):
    """Contact sheet."""

    title: str
    thumbnails: tuple[Thumbnail, ...]


class Profile(NamedTuple):
    """What a label set says of its images, pairs aside."""

    name: str
    place: str
    """Where it was read."""
    quantity: str
    """``"label"`` (0 to 100), ``"ERS"`` (0 to 1) or ``"score"``; higher is better."""
    statuses: dict
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
    """All of it."""

    convention: str
    """``"fixed"`` or ``"recomputed"``."""
    pairs: dict
    """Counts of pairs: where they come from, mated, non-mated, and those left out, by reason; nested, JSON-ready."""
    comparisons: tuple[Comparison, ...]
    """Empty where no pair can be compared, as a note tells then."""
    similarities: Similarities | None
    profiles: tuple[Profile, ...]
    """One a label set, in the order of the curves."""
    notes: tuple[str, ...]
    """What a reader must know before trusting the numbers, a sentence each."""
