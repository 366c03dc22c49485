"""The first images of a group of mates in hash order, gathered from a stream of them: those that its images meet."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from fiqa_spark import schemas
from fiqa_spark.matching.identity_images import IdentityImages


class FirstMates(NamedTuple):
    """The first images of a group in hash order, out of those that were gathered."""

    images: int
    """Number of usable images gathered."""
    hashes: np.ndarray
    """Image hashes, ascending, int64, shape (c,)."""
    places: np.ndarray
    """Number of each in the order of arrival, intp, shape (c,)."""
    embeddings: np.ndarray
    """Unit embeddings, float32, shape (c, dimension)."""
    norms: np.ndarray
    """Lengths that the features had before, float64, shape (c,)."""

    @classmethod
    def none(cls, dimension: int) -> "FirstMates":
        """No mates yet."""
        embeddings = np.empty((0, dimension), np.float32)
        return cls(0, np.empty(0, np.int64), np.empty(0, np.intp), embeddings, np.empty(0))

    def with_more(self, more: "FirstMates", most: int) -> "FirstMates":
        """The first so many of these and of more images."""
        all_hashes = np.append(self.hashes, more.hashes)
        order = np.argsort(all_hashes, kind="stable")[:most]
        return FirstMates(
            self.images + more.images,
            all_hashes[order],
            np.append(self.places, more.places)[order],
            np.concatenate([self.embeddings, more.embeddings])[order],
            np.append(self.norms, more.norms)[order],
        )

    def ranks(self, places: np.ndarray) -> np.ndarray:
        """Position among the mates of the images with these numbers; c for one that is not among them."""
        order = np.argsort(self.places)
        nearest = np.minimum(np.searchsorted(self.places, places, sorter=order), len(order) - 1)
        return np.where(self.places[order][nearest] == places, order[nearest], len(order))


def first_mates(batches: Iterable[IdentityImages], most: int) -> dict[int, FirstMates]:
    """Hash of each group to the first of its images that can be labelled, so many at most."""
    mates: dict[int, FirstMates] = {}
    for batch in batches:
        rows, image_hashes = batch.rows, batch.rows.column(schemas.IMAGE_HASH)
        for group, first, size in zip(batch.groups.tolist(), batch.firsts, batch.sizes, strict=True):
            here = first + np.flatnonzero(batch.can_be_labelled[first : first + size])
            if len(here):
                found = (image_hashes[here], batch.places[here], rows.embeddings[here], rows.norms[here])
                so_far = mates.get(group) or FirstMates.none(rows.embeddings.shape[1])
                mates[group] = so_far.with_more(FirstMates(len(here), *found), most)
    return mates
