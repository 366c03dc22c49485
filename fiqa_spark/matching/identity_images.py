"""The distinct images of whole identities, in the order in which they are computed."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from fiqa_spark import schemas
from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity, joined_frames, joined_rows
from fiqa_spark.matching.identity_pass import repeated_images

LeadingKey = Callable[[np.ndarray], np.ndarray]
"""From hashes of identities, shape (n,), to numbers by which identities are put in order before all else."""


def numbers_of_images(identities: np.ndarray) -> np.ndarray:
    """Of each image how many of its identity there are, a `LeadingKey`: identities of one size become neighbours."""
    _, numbers, counts = np.unique(identities, return_inverse=True, return_counts=True)
    return counts[numbers]


class IdentityImages(NamedTuple):
    """Images, each once: those of a group are neighbours, and those of an identity; in a group they are in hash order.

    A group is an identity, or a part of one whose images are mates to each other alone.
    """

    rows: Rows
    list_rows: np.ndarray
    """Rows of the list that each stands for, int64, shape (n,)."""
    places: np.ndarray
    """Number of each in the order of arrival, through all batches of a spilled identity, shape (n,)."""
    firsts: np.ndarray
    """Number of the first image of each group, shape (g,)."""
    can_be_labelled: np.ndarray
    """Whether it has an identity and a usable feature, bool, shape (n,)."""
    group: str
    """Column with the hash of an image's group."""

    @property
    def groups(self) -> np.ndarray:
        """Hash of each group, int64, shape (g,)."""
        return self.rows.column(self.group)[self.firsts]

    @property
    def sizes(self) -> np.ndarray:
        """Number of images of each group, shape (g,)."""
        return np.diff(self.firsts, append=self.rows.count)

    @property
    def usable_sizes(self) -> np.ndarray:
        """Number of images of each group that can be labelled, shape (g,)."""
        return np.add.reduceat(self.can_be_labelled, self.firsts, dtype=np.intp)


def identity_images(
    parts: list[Rows], place: int = 0, *, group: str = schemas.IDENTITY_HASH, leading: LeadingKey | None = None
) -> IdentityImages:
    """The images of several parts in the order in which they are computed.

    Parameters
    ----------
    parts : list of Rows
        Of whole identities, or one of a `SpilledIdentity`, which holds all rows of its images.
    place : int
        How many rows have come before, of a spilled identity.
    group : str
        Column with the hash of an image's group of mates; default: its identity is its group.
    leading : callable, optional
        By which identities are put in order before all else.
    """
    known = joined_frames(parts)
    hashes, groups = known[schemas.IDENTITY_HASH].to_numpy(), known[group].to_numpy()
    sort_keys = [known[schemas.IMAGE_HASH].to_numpy(), groups]
    if group != schemas.IDENTITY_HASH:
        sort_keys.append(hashes)
    if leading:
        sort_keys.append(leading(hashes))
    order = np.lexsort(sort_keys)
    repeated, list_rows = repeated_images(known)
    order = order[~repeated[order]]
    rows, groups = joined_rows(parts, order, known), groups[order]
    firsts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    can_be_labelled = rows.usable & rows.identified
    return IdentityImages(rows, list_rows[order], place + order, firsts, can_be_labelled, group)


class SpilledImages:
    """The images of an identity on disk, batch by batch; iterate over it as often as needed.

    Parameters
    ----------
    identity : SpilledIdentity
    group, leading
        As for `identity_images`.
    """

    def __init__(
        self, identity: SpilledIdentity, *, group: str = schemas.IDENTITY_HASH, leading: LeadingKey | None = None
    ) -> None:
        self._identity, self._group, self._leading = identity, group, leading

    def __iter__(self) -> Iterator[IdentityImages]:
        place = 0
        for part in self._identity:
            yield identity_images([part], place, group=self._group, leading=self._leading)
            place += part.count
