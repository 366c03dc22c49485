"""The broadcast sample of strangers: the usable images whose hashes of (seed, key) are the smallest."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql.functions import pandas_udf

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.vectors import stack_vectors, vector_lengths, with_binary_vectors

# Drawn beyond the pool's size, for those that turn out not to be usable.
_EXTRA_SHARE, _EXTRA = 0.02, 64
# Largest number that Spark takes as a limit.
_ROWS_AT_MOST = 2**31 - 1
# A length that more features than these have is no accident.
_STRAY_SHARE, _STRAY = 0.01, 3


class Pool(NamedTuple):
    """Sample of usable images in hash order."""

    embeddings: np.ndarray
    """Unit embeddings, float32, shape (P, dimension)."""
    identities: tuple
    """Identity of each, P strings."""

    @property
    def dimension(self):
        """Length of an embedding."""
        return self.embeddings.shape[1]

    def positions(self):
        """Identity to positions of its images in the pool, ndarray of intp."""
        codes, identities = pd.factorize(np.array(self.identities, dtype=object))
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        return dict(zip(identities, np.split(order, starts[1:]), strict=True))


def draw_pool(joined, vectors, pool_size, keys):
    """Draw the pool.

    First the images of the smallest hashes are found, without their vectors; then the vectors of these few are
    fetched. Only where too many of them are not usable are all features looked at.

    Parameters
    ----------
    joined : DataFrame
        From `join_features`.
    vectors : DataFrame
        Where to fetch `key`, `feature` and `problem` from: the features, or `joined` where that is kept in memory.
    pool_size : int
        Number P of images; all usable ones where there are fewer.
    keys : str
        One key of the list beside one of the features, for messages.

    Returns
    -------
    Pool

    Raises
    ------
    InputError
        If no feature can be used, features have several lengths, or the pool holds fewer than two identities.
    """
    eligible = joined.where(F.col(schemas.MATCHED) & F.col(schemas.IDENTITY).isNotNull())
    wanted = min(int(pool_size * (1 + _EXTRA_SHARE)) + _EXTRA, _ROWS_AT_MOST)
    probe = _fetched(_smallest(eligible, wanted), vectors)
    dimension = _dimension(probe, keys)
    embeddings, usable = unit_embeddings(stack_vectors(probe[schemas.FEATURE], dimension))
    if usable.sum() < pool_size and len(probe) == wanted:
        fit = eligible.where(_usable(dimension)(schemas.FEATURE))
        fitting = _fetched(_smallest(fit, pool_size), vectors)
        if fitting.empty:
            raise InputError(_none_usable(probe, dimension, keys))
        probe = fitting
        embeddings, usable = unit_embeddings(stack_vectors(probe[schemas.FEATURE], dimension))
    if not usable.any():
        raise InputError(_none_usable(probe, dimension, keys))
    chosen = np.flatnonzero(usable)[:pool_size]
    identities = tuple(probe[schemas.IDENTITY].iloc[chosen])
    _check_identities(set(identities), len(chosen), pool_size, keys)
    return Pool(np.ascontiguousarray(embeddings[chosen]), identities)


def _smallest(eligible, count):
    """The rows of the smallest hashes; key and path settle ties."""
    columns = (schemas.IMAGE_HASH, schemas.KEY, schemas.PATH)
    return eligible.select(*columns, schemas.IDENTITY).orderBy(*columns).limit(count)


def _fetched(candidates, vectors):
    """The candidates with their vectors, as a pandas frame in hash order."""
    on = schemas.PATH if schemas.PATH in vectors.columns else schemas.KEY
    found = vectors.select(on, schemas.FEATURE, schemas.PROBLEM).join(F.broadcast(candidates), on)
    rows = with_binary_vectors(found).collect()
    frame = pd.DataFrame([row.asDict() for row in rows], columns=found.columns, dtype=object)
    return frame.sort_values([schemas.IMAGE_HASH, schemas.KEY, schemas.PATH], ignore_index=True)


def _usable(dimension):
    """UDF: true where a feature has the dimension, finite values and a direction."""

    @pandas_udf("boolean")
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
    return f"--feature-root: none of {len(probe)} features can be used: {reason} ({keys}); compute the features again"


def _check_identities(identities, drawn, pool_size, keys):
    """Raise InputError where an identity would find no stranger in the pool."""
    if len(identities) >= 2:
        return
    only = next(iter(identities))
    if drawn == pool_size:
        raise InputError(f"--pool-size {pool_size}: all images drawn are of identity {only!r}; raise it")
    raise InputError(
        f"--feature-root: all usable features are of identity {only!r}, and labels need two identities ({keys}); "
        "check --id-key-index and the features of the others"
    )
