"""What is left of the images of label sets once those of the lowest labels have gone, and where to look for a cut."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fiqa_spark import schemas
from fiqa_spark.evaluation.findings import Cut, Groups, SetCuts
from fiqa_spark.evaluation.group_labels import group_labels
from fiqa_spark.evaluation.image_frames import IS_KNOWN, all_at_once, image_rows
from fiqa_spark.evaluation.image_groups import ImageGroups
from fiqa_spark.evaluation.label_places import PARTS, LabelPlaces, label_places
from fiqa_spark.evaluation.labelled_images import LabelledImages
from fiqa_spark.kernels.cut_sums import CutSums, cut_sums
from fiqa_spark.runtime.frames_by_arrow import collected
from fiqa_spark.runtime.workers import in_worker

DISCARDS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the labelled images that go at the cuts at most; whole 200ths."""
_IMAGES_A_TASK = 250_000


class Candidates(NamedTuple):
    """Labels of a set that a cut may be made at."""

    labels: np.ndarray
    """Ascending and all different, float64; the least label is the first."""
    discarded: np.ndarray
    """Share of the labelled images below each, float64."""


class ImageFacts(NamedTuple):
    """What an evaluation tells of images, pairs aside."""

    cuts: tuple[SetCuts, ...]
    """One a label set."""
    candidates: tuple[Candidates, ...]
    """One a label set: its labels at every 200th of its images."""
    groups: Groups | None
    """None where no groups are given."""


def image_facts(
    images: LabelledImages, names: Sequence[str], set_names: Sequence[str], groups: ImageGroups | None = None
) -> ImageFacts:
    """Cuts of all label sets, and labels by group, in the same passes over the images.

    Of n images that a set labels, in ascending order, the cut at discard d keeps those of at least the label at place
    ``floor(d n)``, from 0: images of one label stay or go together, and at most a share of d goes.

    Parameters
    ----------
    names : sequence of str
        From `label_sets.quality_columns`.
    set_names : sequence of str
        What the sets are called.
    groups : ImageGroups, optional
        Those that the images were given.
    """
    frame = all_at_once(images, names)
    places = label_places(images, names, frame)
    rows = [round(discard * PARTS) for discard in DISCARDS]
    cut_labels = np.stack([each.labels[rows] for each in places])
    sums = _sums(images, names, frame, cut_labels, len(groups.names) if groups else 0)
    cuts = tuple(
        SetCuts(name, tuple(_cuts(each, rows, sums.identities[:, number])))
        for number, (name, each) in enumerate(zip(set_names, places, strict=True))
    )
    labels = group_labels(groups, set_names, sums, cut_labels[:, -1]) if groups else None
    return ImageFacts(cuts, tuple(map(_candidates, places)), labels)


def _cuts(places: LabelPlaces, rows: list[int], identities: np.ndarray) -> Iterator[Cut]:
    """Cuts of a set; `identities` are those left, and left with two images or more, shape (2, cuts)."""
    for discard, row, left, with_mates in zip(DISCARDS, rows, *identities.astype(int).tolist(), strict=True):
        label, below = float(places.labels[row]), int(places.below[row])
        yield Cut(discard, label, below / places.labelled, places.labelled - below, left, with_mates)


def _candidates(places: LabelPlaces) -> Candidates:
    labels, first = np.unique(places.labels, return_index=True)
    return Candidates(labels, places.below[first] / places.labelled)


def _sums(
    images: LabelledImages,
    names: Sequence[str],
    frame: pd.DataFrame | None,
    cut_labels: np.ndarray,
    group_count: int,
) -> CutSums:
    """Sums over all images; of many, workers sum whole identities."""
    names = list(names)
    if frame is not None:
        return _sums_of(frame, names, cut_labels, group_count)

    @in_worker
    def add_up(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        own = list(frames)
        if own:
            sums = _sums_of(pd.concat(own), names, cut_labels, group_count)
            yield pd.DataFrame({name: [array.tobytes()] for name, array in sums._asdict().items()})

    parts = images.counts["images"] // _IMAGES_A_TASK + 1
    rows = image_rows(images, names).repartition(parts, schemas.IDENTITY_HASH)
    found = collected(rows.mapInPandas(add_up, ", ".join(f"{name} binary" for name in CutSums._fields)))
    totals = [np.sum([np.frombuffer(each) for each in found[name]], axis=0) for name in CutSums._fields]
    sets, cuts = cut_labels.shape
    shapes = ((2, sets, cuts), (group_count + 1,), (sets, group_count, -1 if group_count else 0))
    return CutSums(*(total.reshape(shape) for total, shape in zip(totals, shapes, strict=True)))


def _sums_of(frame: pd.DataFrame, names: list[str], cut_labels: np.ndarray, group_count: int) -> CutSums:
    """Sums over the images of a frame of `image_rows`."""
    groups = frame[schemas.GROUP].to_numpy(np.int64) if group_count else np.full(len(frame), -1)
    return cut_sums(
        frame[names].to_numpy(np.float64).T,
        frame[schemas.IDENTITY_HASH].to_numpy(np.int64),
        frame[IS_KNOWN].to_numpy(bool),
        groups,
        cut_labels=cut_labels,
        group_count=group_count,
    )
