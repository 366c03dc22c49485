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
    interval: Interval | None
    """None, as all intervals, where the threshold rests on too few non-mated pairs."""
    delta_to_best: float | None
    """Less the theoretical best; None where the convention has none."""
    of_chance: float | None
    """As a part of the area that labels by chance have, starting error times limit: 1 is worthless, 0 the least; None
    where nothing errs."""
    of_chance_interval: Interval | None
    delta_to_first: float
    """Less the area of the first label set."""
    delta_to_first_interval: Interval | None
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


class Cut(NamedTuple):
    """What is left of the images of a label set once those below a label have gone."""

    discard: float
    """Share of the labelled images that may go at most."""
    label: float
    """Images of at least this label stay."""
    discarded: float
    """Share that goes: less than `discard` where many images share a label."""
    images: int
    """Images left."""
    identities: int
    """Identities left."""
    with_mates: int
    """Identities left with two images or more."""


class ErrorRate(NamedTuple):
    """FNMR among some mated pairs at the threshold of an FMR."""

    fmr: float
    threshold: float
    pairs: int
    errors: int
    rate: float | None
    """Errors over pairs; None where there is no pair."""
    interval: Interval | None
    """95 % interval that allows for several pairs of an identity; None where the pairs cannot carry one."""


class CutErrors(NamedTuple):
    """FNMR of a label set by a judge after every cut."""

    label_set: str
    rates: tuple[tuple[ErrorRate, ...], ...]
    """By cut, as in `SetCuts.cuts`, and FMR."""


class SetCuts(NamedTuple):
    """Cuts of a label set, from no discard to half of the images."""

    label_set: str
    cuts: tuple[Cut, ...]


class Target(NamedTuple):
    """The least label from which an FNMR is kept."""

    label_set: str
    fmr: float
    target: float
    """FNMR among the pairs left is at most this with 95 % confidence."""
    label: float | None
    """None where it cannot be reached."""
    discarded: float | None
    """Share of the labelled images below it."""
    pairs: int
    """Mated pairs left there; of all pairs where it cannot be reached."""


class ExpectedError(NamedTuple):
    """FNMR of the mated pairs whose lower label lies in a range."""

    low: float
    high: float
    pairs: int
    errors: int
    rate: float | None
    """Errors over pairs; None where there is no pair."""
    expected: float | None
    """The same, made not to rise with the label (isotonic regression); None where no range has a pair."""


class ExpectedErrors(NamedTuple):
    """A label read as an error: of a label set, at the threshold of an FMR."""

    label_set: str
    fmr: float
    threshold: float
    ranges: tuple[ExpectedError, ...]
    """From the lowest labels to the highest."""


class Mistake(NamedTuple):
    """A mated pair that is an error although both labels are high."""

    path_a: str
    path_b: str
    identity: str | None
    quality: float
    """Of the pair."""
    similarity: float


class Mistakes(NamedTuple):
    """The mated pairs of highest quality that are still errors."""

    label_set: str
    threshold: float
    """Similarity below which a pair is one."""
    told_by: str
    """What fixes the threshold, in words."""
    errors: int
    """All of them."""
    pairs: tuple[Mistake, ...]
    """The highest quality first."""
    pictures: tuple[tuple[bytes | None, bytes | None], ...] | None = None
    """JPEG of both images of each pair, None where a file cannot be read; None where no files are looked at."""


class GroupLabels(NamedTuple):
    """Labels of the images of a group, in a label set, and what each cut takes of them."""

    label_set: str
    group: str
    images: int
    labelled: int
    mean: float | None
    """Mean label; None where there is none."""
    interval: Interval | None
    """95 % interval of the mean that allows for several images of an identity; None of fewer than two identities."""
    discarded: tuple[float | None, ...]
    """Share of its labelled images that goes at each cut of `SetCuts`."""


class GroupErrors(NamedTuple):
    """FNMR of the mated pairs inside of a group, by a judge, at one FMR."""

    label_set: str
    group: str
    rates: tuple[ErrorRate, ...]
    """By cut; the first is before any discard."""


class Groups(NamedTuple):
    """Groups of images as a file tells them."""

    path: str
    images: int
    """Labelled images that have a group."""
    without_group: int
    labels: tuple[GroupLabels, ...]
    """By label set and group."""


class JudgeFindings(NamedTuple):
    """What the features of one model say of all label sets."""

    name: str
    path: str
    """Its features."""
    made: tuple[str, ...]
    """Names of the label sets that were made from its features."""
    pairs: dict[str, Any]
    """Counts of pairs: where they come from, mated, non-mated, and those left out, by reason; nested, JSON-ready."""
    comparisons: tuple[Comparison, ...]
    """Empty where no pair can be compared, as a note tells then."""
    similarities: Similarities | None
    cuts: tuple[CutErrors, ...] = ()
    """One a label set."""
    targets: tuple[Target, ...] = ()
    expected: tuple[ExpectedErrors, ...] = ()
    """By label set and FMR."""
    groups: tuple[GroupErrors, ...] = ()
    """By label set and group, at the first FMR."""
    mistakes: tuple[Mistakes, ...] = ()
    """One a label set; by the first judge alone."""


class Findings(NamedTuple):
    """All that an evaluation found."""

    convention: str
    """``"fixed"`` or ``"recomputed"``."""
    pair_quality: str
    """``"min"``, ``"mean"``, ``"product"`` or ``"max"`` of the two labels."""
    judges: tuple[JudgeFindings, ...]
    profiles: tuple[Profile, ...]
    """One a label set, in the order of the curves."""
    notes: tuple[str, ...]
    """What a reader must know before trusting the numbers, a sentence each."""
    cuts: tuple[SetCuts, ...] = ()
    """One a label set."""
    groups: Groups | None = None
