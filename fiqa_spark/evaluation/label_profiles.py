"""What a label set says of its images, pairs aside: how labels are spread, by identity and by number of images."""

from collections.abc import Iterable, Iterator

import numpy as np

from fiqa_spark.evaluation.few_labels import few_labels
from fiqa_spark.evaluation.findings import Profile, Sheet, Thumbnail
from fiqa_spark.evaluation.label_sets import SCALES, LabelSet, with_identity
from fiqa_spark.evaluation.many_labels import Labels, ManyLabels
from fiqa_spark.evaluation.settings import EvaluationSettings

_BINS = 50
_LOWEST_IDENTITIES = 15
_IMAGES_OF_A_MEAN = 2
_TILES, _TILES_OF_IDENTITY = 12, 24


def profile(labels: LabelSet, settings: EvaluationSettings, known_at_most: int | None = None) -> Profile:
    """Profile of a label set, of so many images at most if that is known; its contact sheets have no pictures yet."""
    images = with_identity(labels, settings.id_key_index)
    # Few are looked through by the driver, which takes one look.
    found: Labels = few_labels(images, known_at_most) or ManyLabels(images)
    statuses, (lowest, median, highest) = found.statuses_and_range()
    low, high = SCALES.get(labels.quantity, (lowest, highest))
    edges = np.linspace(min(low, lowest), max(high, highest), _BINS + 1)
    return Profile(
        labels.name,
        labels.path,
        labels.quantity,
        statuses,
        edges,
        found.histogram(edges),
        found.sizes(),
        found.lowest_identities(_LOWEST_IDENTITIES, _IMAGES_OF_A_MEAN),
        tuple(_sheets(found, median, labels.quantity)),
    )


def _sheet(title: str, images: Iterable[tuple[str, float]]) -> Sheet:
    return Sheet(title, tuple(Thumbnail(path, label, None) for path, label in images))


def _sheets(labels: Labels, median: float, quantity: str) -> Iterator[Sheet]:
    """The contact sheets that a set should have, before their image files are read."""
    near = labels.nearest(median, _TILES)
    several = quantity if quantity == "ERS" else f"{quantity}s"
    yield _sheet(f"Lowest {several}", labels.lowest(_TILES))
    yield _sheet(f"Middle {several}, those nearest to the median", sorted(near, key=lambda row: (row[1], row[0])))
    yield _sheet(f"Highest {several}", labels.highest(_TILES)[::-1])
    widest = labels.widest_identity()
    if widest:
        name, own = widest
        places = np.unique(np.linspace(0, len(own) - 1, min(len(own), _TILES_OF_IDENTITY)).round().astype(int))
        yield _sheet(f"{name}, from worst to best: the identity of the widest range", [own[place] for place in places])
