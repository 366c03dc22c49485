"""What the pool tells of strangers: a few sums of it are enough for every image's similarity with them."""

from typing import Any, NamedTuple

import numpy as np

from fiqa_spark.kernels.margin import stranger_similarities
from fiqa_spark.methods.pool import Pool
from fiqa_spark.runtime.workers import ArrayAsBytes, as_bytes, from_bytes


class Strangers(NamedTuple):
    """Sums of a pool's unit embeddings."""

    pool_sum: np.ndarray
    """Of all of them, float64, shape (dimension,)."""
    pool_size: int
    identity_hashes: np.ndarray
    """Of the identities in the pool, ascending, int64, shape (o,)."""
    own_sums: np.ndarray
    """Of each of these identities, float32, shape (o, dimension)."""
    own_counts: np.ndarray
    """Number of images of each, shape (o,)."""

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = (self.pool_sum, self.identity_hashes, self.own_sums, self.own_counts)
        return _strangers_of_bytes, (self.pool_size, *map(as_bytes, arrays))

    @classmethod
    def in_pool(cls, pool: Pool) -> "Strangers":
        """Those of a pool."""
        order = np.argsort(pool.identity_hashes, kind="stable")
        hashes, firsts, counts = np.unique(pool.identity_hashes[order], return_index=True, return_counts=True)
        own_sums = np.add.reduceat(pool.embeddings[order], firsts)
        pool_sum = pool.embeddings.sum(axis=0, dtype=np.float64)
        return cls(pool_sum, len(pool.embeddings), hashes, own_sums, counts)

    def similarities(self, embeddings: np.ndarray, identity_hashes: np.ndarray, identified: np.ndarray) -> np.ndarray:
        """Mean similarity of images with the strangers in the pool, see `kernels.margin.stranger_similarities`.

        Parameters
        ----------
        embeddings : ndarray of float32, shape (n, dimension)
            Unit embeddings.
        identity_hashes : ndarray of int64, shape (n,)
        identified : ndarray of bool, shape (n,)
            Whether an image has an identity; for one that has none everybody is a stranger.
        """
        nearest = np.minimum(np.searchsorted(self.identity_hashes, identity_hashes), len(self.identity_hashes) - 1)
        in_pool = identified & (self.identity_hashes[nearest] == identity_hashes)
        own_parts = np.where(in_pool, nearest, -1)
        return stranger_similarities(
            embeddings, own_parts, self.pool_sum, self.pool_size, self.own_sums, self.own_counts
        )


def _strangers_of_bytes(pool_size: int, pool_sum: ArrayAsBytes, *others: ArrayAsBytes) -> Strangers:
    """Sums that share memory with the bytes that they came in."""
    return Strangers(from_bytes(pool_sum), pool_size, *map(from_bytes, others))
