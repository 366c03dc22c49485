"""The broadcast sample of strangers: the usable images whose hashes of (seed, key) are the smallest."""

import logging
from typing import Any, NamedTuple

import numpy as np
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import CheckedList
from fiqa_spark.matching.sample import UsableImages, draw_usable
from fiqa_spark.runtime.workers import ArrayAsBytes, as_bytes, from_bytes

_log = logging.getLogger("fiqa_spark")
_ALIKE = 0.9
_ALIKE_IMAGES = (
    "images of all people have a mean similarity of %.3f, so that labels hardly tell good images from others; check "
    "that features are embeddings of a face recognition model, and their type if they are bytes"
)


class Pool(NamedTuple):
    """Sample of usable images in hash order."""

    embeddings: np.ndarray
    """Unit embeddings, float32, shape (P, dimension)."""
    identities: tuple[str, ...]
    """Identity of each, P strings."""
    identity_hashes: np.ndarray
    """Hash of the identity of each, int64, shape (P,)."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _pool_of_bytes, (as_bytes(self.embeddings), self.identities, as_bytes(self.identity_hashes))

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self.embeddings.shape[1]

    def positions(self, identity_hashes: np.ndarray) -> dict[int, np.ndarray]:
        """Where images of identities stand in the pool.

        Parameters
        ----------
        identity_hashes : ndarray of int64, shape (g,)

        Returns
        -------
        dict of int to ndarray of intp
            Number of an identity, from 0, to the positions of its images; only of those that have any.
        """
        order = np.argsort(self.identity_hashes, kind="stable")
        in_order = self.identity_hashes[order]
        firsts, ends = (np.searchsorted(in_order, identity_hashes, side) for side in ("left", "right"))
        present = np.flatnonzero(firsts < ends)
        return {number: order[firsts[number] : ends[number]] for number in present.tolist()}


def _pool_of_bytes(embeddings: ArrayAsBytes, identities: tuple[str, ...], identity_hashes: ArrayAsBytes) -> Pool:
    """A pool whose arrays share memory with the bytes that they came in."""
    return Pool(from_bytes(embeddings), identities, from_bytes(identity_hashes))


def draw_pool(images: DataFrame, features: Features, listed: CheckedList, pool_size: int) -> Pool:
    """Draw the pool, see `draw_usable`.

    Raises
    ------
    NothingUsableError
        If no feature can be used, or those of one identity alone.
    InputError
        If features have several lengths, or all images drawn are of one identity.
    """
    return pool_of(draw_usable(images, features, listed.first, listed.list_rows, pool_size), pool_size)


def pool_of(drawn: UsableImages, pool_size: int) -> Pool:
    """The pool of the images drawn, of which so many were asked for; errors as of `draw_pool`."""
    identities = tuple(drawn.frame[schemas.IDENTITY])
    _check_identities(set(identities), len(identities), pool_size)
    _warn_if_alike(drawn.embeddings)
    return Pool(drawn.embeddings, identities, drawn.frame[schemas.IDENTITY_HASH].to_numpy(np.int64))


def _warn_if_alike(embeddings: np.ndarray) -> None:
    """Warn where people cannot be told apart: whatever the vectors are, labels tell nothing then."""
    # The mean of the similarities of all pairs is the squared length of the mean.
    similarity = float(np.square(embeddings.mean(axis=0, dtype=np.float64)).sum())
    if similarity > _ALIKE:
        _log.warning(_ALIKE_IMAGES, similarity)


def _check_identities(identities: set[str], drawn: int, pool_size: int) -> None:
    """Raise InputError where an identity would find no stranger in the pool."""
    if len(identities) >= 2:
        return
    only = next(iter(identities))
    if drawn == pool_size:
        raise InputError(
            f"all images drawn are of identity {only!r}", setting="pool_size", value=pool_size, remedy="raise it"
        )
    raise NothingUsableError(
        f"all usable features are of identity {only!r}, and labels need two identities",
        setting="feature_root",
        remedy="check `id_key_index` and the features of the others",
    )
