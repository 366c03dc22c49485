"""Labels of the images of each group, and what cuts take of them."""

import math
from collections.abc import Sequence

import numpy as np

from fiqa_spark.evaluation.findings import GroupLabels, Groups, Interval
from fiqa_spark.evaluation.image_groups import ImageGroups
from fiqa_spark.kernels.cut_sums import GROUP_SUMS, CutSums

_NORMAL_QUANTILE = 1.96


def group_labels(groups: ImageGroups, set_names: Sequence[str], sums: CutSums, centers: np.ndarray) -> Groups:
    """Labels by set and group.

    Parameters
    ----------
    set_names : sequence of str
        What the sets are called.
    sums : CutSums
        Of all images.
    centers : ndarray of float64, shape (sets,)
        The label that the sums of each set are taken less of.
    """
    images = [int(count) for count in sums.images]
    facts = tuple(
        _of_group(set_name, group, images[place], of_set[place].tolist(), float(center))
        for set_name, of_set, center in zip(set_names, sums.of_groups, centers, strict=True)
        for place, group in enumerate(groups.names)
    )
    return Groups(groups.path, sum(images[:-1]), images[-1], facts)


def _of_group(set_name: str, group: str, images: int, sums: list[float], center: float) -> GroupLabels:
    """Labels of a group in a set; `sums` are those of `CutSums.of_groups`."""
    known, left = dict(zip(GROUP_SUMS, sums, strict=False)), sums[len(GROUP_SUMS) :]
    labelled = known["labelled"]
    if not labelled:
        return GroupLabels(set_name, group, images, 0, None, None, (None,) * len(left))
    mean, discarded = known["total"] / labelled, tuple((labelled - each) / labelled for each in left)
    half = _half_interval(known, mean)
    interval = None if half is None else Interval(center + mean - half, center + mean + half)
    return GroupLabels(set_name, group, images, int(labelled), center + mean, interval, discarded)


def _half_interval(known: dict[str, float], mean: float) -> float | None:
    """Half of the 95 % interval of a mean label, a ratio of two sums over identities; None of fewer than two.

    The standard error is that of a ratio over clusters (Cochran, Sampling Techniques, 1977, chapter 6): labels of an
    identity are alike, and count as one draw.
    """
    identities = known["identities"]
    if identities < 2:
        return None
    residuals = known["squares"] - 2 * mean * known["products"] + mean**2 * known["counts_squared"]
    variance = max(residuals, 0.0) * identities / (identities - 1) / known["labelled"] ** 2
    return _NORMAL_QUANTILE * math.sqrt(variance)
