"""The broadcast sample of strangers: the usable images whose hashes of (seed, key) are the smallest."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql.functions import pandas_udf

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.image_list import first_images
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.vectors import stack_vectors, vector_lengths, with_binary_vectors
from fiqa_spark.workers import in_worker

# Drawn beyond the pool's size, for those that turn out not to be usable.
_EXTRA_SHARE, _EXTRA = 0.05, 64
# A length that more features than these have is no accident.
_STRAY_SHARE, _STRAY = 0.01, 3
_OF_VECTORS = (schemas.KEY_HASH, schemas.KEY, schemas.FEATURE, schemas.PROBLEM)


class Pool(NamedTuple):
    """Sample of usable images in hash order."""

    embeddings: np.ndarray
    """Unit embeddings, float32, shape (P, dimension)."""
    identities: tuple
    """Identity of each, P strings."""
    identity_hashes: np.ndarray
    """Hash of the identity of each, int64, shape (P,)."""

    def __reduce__(self):
        # Arrays would be pickled as buffers, which PySpark cannot broadcast where Spark encrypts what it keeps on disk.
        held = self.embeddings.tobytes(), self.dimension, self.identities, self.identity_hashes.tobytes()
        return _pool_of_bytes, held

    @property
    def dimension(self):
        """Length of an embedding."""
        return self.embeddings.shape[1]

    def positions(self, identity_hashes):
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


def _pool_of_bytes(embeddings, dimension, identities, identity_hashes):
    """A pool whose arrays share memory with the bytes that they came in."""
    vectors = np.frombuffer(embeddings, np.float32).reshape(-1, dimension)
    return Pool(vectors, identities, np.frombuffer(identity_hashes, np.int64))


def lines_to_draw_from(pool_size):
    """Number of lines of the list, those of the smallest hashes, among which the pool should be."""
    return int(pool_size * (1 + _EXTRA_SHARE)) + _EXTRA


def draw_pool(images, vectors, first, lines, pool_size, keys):
    """Draw the pool.

    The first images of the list tell which vectors are looked for, so that hardly more of them than the pool holds
    leave the executors. Where too many of these images have no feature, the first that have one are looked for; only
    where too many of those are not usable either are all features looked at.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    vectors : DataFrame
        Where to take `key_hash`, `key`, `feature` and `problem` from: features, or images joined with them where these
        are kept.
    first : DataFrame of pandas
        From `first_images`, out of as many lines as `lines_to_draw_from` tells.
    lines : int
        Number of rows of `images`.
    pool_size : int
        Number P of images; all usable ones where there are fewer.
    keys : callable
        Gives one key of the list beside one of the features, for messages.

    Returns
    -------
    Pool

    Raises
    ------
    InputError
        If no feature can be used, features have several lengths, or the pool holds fewer than two identities.
    """
    probe = _fetched(first, vectors)
    dimension, embeddings, usable = _usable_of(probe, keys)
    if usable.sum() < pool_size and lines > lines_to_draw_from(pool_size):
        identified = images.where(F.col(schemas.IDENTITY).isNotNull()).dropDuplicates([schemas.PATH])
        present = identified.join(vectors.select(schemas.KEY), schemas.KEY, "semi")
        probe = _fetched(first_images(present, lines_to_draw_from(pool_size)), vectors)
        dimension, embeddings, usable = _usable_of(probe, keys)
        if usable.sum() < pool_size:
            fit = vectors.where(_usable(dimension)(schemas.FEATURE)).select(schemas.KEY)
            fitting = _fetched(first_images(identified.join(fit, schemas.KEY, "semi"), pool_size), vectors)
            probe = fitting if len(fitting) else probe
            dimension, embeddings, usable = _usable_of(probe, keys)
    if not usable.any():
        raise InputError(_none_usable(probe, dimension, keys))
    chosen = np.flatnonzero(usable)[:pool_size]
    identities = tuple(probe[schemas.IDENTITY].iloc[chosen])
    _check_identities(set(identities), len(chosen), pool_size, keys)
    hashes = probe[schemas.IDENTITY_HASH].iloc[chosen].to_numpy(np.int64)
    return Pool(np.ascontiguousarray(embeddings[chosen]), identities, hashes)


def _fetched(few, vectors):
    """Those of a few images that have a feature, with it, as a pandas frame in the images' order."""
    hashes = few[[schemas.KEY_HASH]].drop_duplicates().astype("int64")
    wanted = vectors.sparkSession.createDataFrame(hashes, f"{schemas.KEY_HASH} long")
    # By a number alone, which is quicker than by text; what merely has the same hash is left out below.
    found = vectors.select(*_OF_VECTORS).join(F.broadcast(wanted), schemas.KEY_HASH)
    columns = _OF_VECTORS[1:]
    rows = with_binary_vectors(found.select(*columns)).collect()
    frame = few.merge(pd.DataFrame(rows, columns=columns, dtype=object), on=schemas.KEY)
    return frame.drop_duplicates(schemas.PATH, ignore_index=True)


def _usable_of(probe, keys):
    """Dimension, unit embeddings, and which of them are usable."""
    dimension = _dimension(probe, keys) if len(probe) else 1
    return dimension, *unit_embeddings(stack_vectors(probe[schemas.FEATURE], dimension))


def _usable(dimension):
    """UDF: true where a feature has the dimension, finite values and a direction."""

    @pandas_udf("boolean")
    @in_worker
    def usable(features: pd.Series) -> pd.Series:
        return pd.Series(unit_embeddings(stack_vectors(features, dimension))[1])

    return usable


def _dimension(probe, keys):
    """The one length of vectors; other lengths may occur here and there, but not often."""
    lengths = vector_lengths(probe[schemas.FEATURE])
    common = Counter(lengths[lengths > 0].tolist()).most_common(2)
    if not common:
        raise InputError(_none_usable(probe, 0, keys))
    if len(common) == 2 and common[1][1] > max(_STRAY, _STRAY_SHARE * len(probe)):
        seen = [f"{length} as of {probe[schemas.PATH][np.argmax(lengths == length)]!r}" for length, _ in common]
        raise InputError(
            f"--feature-root: features have several lengths, {seen[0]} and {seen[1]}; keep those of one model only"
        )
    return common[0][0]


def _none_usable(probe, dimension, keys):
    problems = probe[schemas.PROBLEM].dropna()
    path = probe[schemas.PATH].iloc[0] if len(probe) else ""
    reason = (
        problems.iloc[0]
        if len(problems)
        else f"that of {path!r} is empty, not finite, zero or not of length {dimension}"
    )
    return f"--feature-root: none of {len(probe)} features can be used: {reason} ({keys()}); compute the features again"


def _check_identities(identities, drawn, pool_size, keys):
    """Raise InputError where an identity would find no stranger in the pool."""
    if len(identities) >= 2:
        return
    only = next(iter(identities))
    if drawn == pool_size:
        raise InputError(f"--pool-size {pool_size}: all images drawn are of identity {only!r}; raise it")
    raise InputError(
        f"--feature-root: all usable features are of identity {only!r}, and labels need two identities ({keys()}); "
        "check --id-key-index and the features of the others"
    )
