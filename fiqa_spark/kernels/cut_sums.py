"""Sums over the images of whole identities that tell what cuts leave; those of several parts add up."""

from typing import NamedTuple

import numpy as np

GROUP_SUMS = ("labelled", "identities", "total", "squares", "products", "counts_squared")
"""What is known of a set and group, before the images left at each cut.

Labelled images; identities with one; the sum of the labels, less a center each; and, of the identities' sums t of those
and numbers n of labelled images, the sums of t t, t n and n n.
"""


class CutSums(NamedTuple):
    """Sums of some images; all arrays float64, which holds every count."""

    identities: np.ndarray
    """Identities with an image left, and with two or more, shape (2, sets, cuts)."""
    images: np.ndarray
    """Images of each group, and of none at the end, shape (groups + 1,)."""
    of_groups: np.ndarray
    """`GROUP_SUMS` and the images left at each cut, shape (sets, groups, 6 + cuts)."""


def cut_sums(
    labels: np.ndarray,
    identities: np.ndarray,
    known: np.ndarray,
    groups: np.ndarray,
    *,
    cut_labels: np.ndarray,
    group_count: int,
) -> CutSums:
    """Sums of the images of some identities.

    Parameters
    ----------
    labels : ndarray of float64, shape (sets, images)
        NaN where a set has none.
    identities : ndarray of int64, shape (images,)
        The same for all images of an identity.
    known : ndarray of bool, shape (images,)
        False for images without identity, each of which is one of its own in groups, and none at cuts.
    groups : ndarray of int, shape (images,)
        Number of the group, -1 for none.
    cut_labels : ndarray of float64, shape (sets, cuts)
        Images of at least this label are left at a cut; in ascending order. The last is the center of the labels.
    group_count : int
    """
    codes = np.arange(len(identities)) + len(identities)
    names, codes[known] = np.unique(identities[known], return_inverse=True)
    levels = np.stack([_levels(*of_set) for of_set in zip(labels, cut_labels, strict=True)])
    cuts = cut_labels.shape[1]
    left = [_left(codes[known], of_set[known], len(names), cuts) for of_set in levels]
    identities_left = np.array([[(each >= least).sum(axis=0) for each in left] for least in (1, 2)], np.float64)
    images = np.bincount(np.where(groups < 0, group_count, groups), minlength=group_count + 1).astype(np.float64)
    inside = groups >= 0
    clusters, cluster = np.unique(codes[inside] * group_count + groups[inside], return_inverse=True)
    group_of, sums = clusters % max(group_count, 1), np.zeros((len(labels), group_count, len(GROUP_SUMS) + cuts))
    for number, of_set in enumerate(sums):
        centered = labels[number, inside] - cut_labels[number, -1]
        of_set[:, : len(GROUP_SUMS)] = _group_sums(centered, cluster, group_of, group_count)
        of_set[:, len(GROUP_SUMS) :] = _left(groups[inside], levels[number, inside], group_count, cuts)
    return CutSums(identities_left, images, sums)


def _levels(labels: np.ndarray, cut_labels: np.ndarray) -> np.ndarray:
    """Number of cuts at which each image is left, 0 for one without label."""
    return np.where(np.isnan(labels), 0, np.searchsorted(cut_labels, labels, side="right"))


def _left(codes: np.ndarray, levels: np.ndarray, count: int, cuts: int) -> np.ndarray:
    """Images of each code that are left at each cut, shape (count, cuts)."""
    by_level = np.bincount(codes * (cuts + 1) + levels, minlength=count * (cuts + 1)).reshape(count, cuts + 1)
    return by_level[:, :0:-1].cumsum(axis=1)[:, ::-1]


def _group_sums(centered: np.ndarray, cluster: np.ndarray, group_of: np.ndarray, group_count: int) -> np.ndarray:
    """`GROUP_SUMS` of a set, shape (groups, 6); `group_of` is the group of each cluster, an identity inside of one."""
    labelled = ~np.isnan(centered)
    counts = np.bincount(cluster[labelled], minlength=len(group_of)).astype(np.float64)
    totals = np.bincount(cluster[labelled], centered[labelled], minlength=len(group_of))
    sums = (counts, counts > 0, totals, totals**2, totals * counts, counts**2)
    return np.stack([np.bincount(group_of, each, minlength=group_count) for each in sums], axis=1)
