"""The first images of an identity in hash order, gathered from a stream of them: those that its images meet."""

from typing import NamedTuple

import numpy as np


class Mates(NamedTuple):
    """The first images of an identity in hash order, out of those that were gathered."""

    images: int
    """Number of usable images gathered."""
    hashes: np.ndarray
    """Image hashes, ascending, int64, shape (c,)."""
    places: np.ndarray
    """Number of each in the order of arrival, intp, shape (c,)."""
    embeddings: np.ndarray
    """Unit embeddings, float32, shape (c, dimension)."""

    @classmethod
    def none(cls, dimension: int) -> "Mates":
        """No mates yet."""
        return cls(0, np.empty(0, np.int64), np.empty(0, np.intp), np.empty((0, dimension), np.float32))

    def with_more(self, hashes: np.ndarray, places: np.ndarray, embeddings: np.ndarray, max_intra: int) -> "Mates":
        """The first `max_intra` of these and of more images."""
        all_hashes = np.append(self.hashes, hashes)
        order = np.argsort(all_hashes, kind="stable")[:max_intra]
        return Mates(
            self.images + len(hashes),
            all_hashes[order],
            np.append(self.places, places)[order],
            np.concatenate([self.embeddings, embeddings])[order],
        )

    def ranks(self, places: np.ndarray) -> np.ndarray:
        """Position among the mates of the images with these numbers; c for one that is not among them."""
        order = np.argsort(self.places)
        nearest = np.minimum(np.searchsorted(self.places, places, sorter=order), len(order) - 1)
        return np.where(self.places[order][nearest] == places, order[nearest], len(order))
