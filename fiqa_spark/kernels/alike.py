"""Which vectors of two sets are alike: every product is looked at, and only the few above a threshold are kept."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Rows and columns of a product that stays in the processor's cache until it has been looked at.
_TILE = 768
# A product of many vectors at once is off by less than this; whoever passes is computed anew.
_ROUNDING = 1e-5
# Candidates that are gathered before those that cannot be among the best are dropped.
_GATHERED = 1 << 20
# Values of vectors whose similarities are computed anew at once.
_VALUES_AT_ONCE = 1 << 22


class Alike(NamedTuple):
    """Pairs of vectors of two sets; one element a pair."""

    rows: np.ndarray
    """Number of a vector of the first set, int64, shape (pairs,)."""
    columns: np.ndarray
    """Number of a vector of the second set, int64, shape (pairs,)."""
    similarities: np.ndarray
    """float64, the same wherever the vectors stand, shape (pairs,)."""


class VectorSet(NamedTuple):
    """Unit vectors in parts, and who owns each."""

    parts: Sequence[np.ndarray]
    """float32, shape (n, dimension) each."""
    owners: np.ndarray
    """Of all parts, int64, shape (total,)."""

    def tiles(self) -> Iterator[tuple[int, np.ndarray]]:
        """Number of the first vector and some vectors, part by part."""
        first = 0
        for part in self.parts:
            for begin in range(0, len(part), _TILE):
                yield first + begin, part[begin : begin + _TILE]
            first += len(part)


def alike_pairs(rows: VectorSet, columns: VectorSet | None, threshold: float) -> Iterator[Alike]:
    """Pairs of vectors of different owners whose similarity is the threshold or above.

    Parameters
    ----------
    rows : VectorSet
    columns : VectorSet or None
        None for the rows themselves, of which each pair comes once.

    Yields
    ------
    Alike
        Some of the pairs, whenever there are any.
    """
    others, is_same = columns or rows, columns is None
    product = np.empty(_TILE * _TILE, np.float32)
    for first_row, a in rows.tiles():
        for first_column, b in others.tiles():
            if is_same and first_column < first_row:
                continue
            tile = np.matmul(a, b.T, out=product[: len(a) * len(b)].reshape(len(a), len(b)))
            if tile.max() < threshold - _ROUNDING:
                continue
            i, j = np.divmod(np.flatnonzero(tile.ravel() >= threshold - _ROUNDING), len(b))
            different = rows.owners[first_row + i] != others.owners[first_column + j]
            if is_same and first_row == first_column:
                different &= i < j
            i, j = i[different], j[different]
            similarities = _similarities(a, b, i, j)
            high = similarities >= threshold
            yield Alike(first_row + i[high], first_column + j[high], similarities[high])


def _similarities(a: np.ndarray, b: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Similarity of each pair, added up in float64 and in one order, so that it is the same in every tile."""
    similarities = np.empty(len(i))
    at_once = max(1, _VALUES_AT_ONCE // a.shape[1])
    for pairs in (slice(first, first + at_once) for first in range(0, len(i), at_once)):
        similarities[pairs] = np.multiply(a[i[pairs]], b[j[pairs]], dtype=np.float64).sum(axis=1)
    return similarities


class MostAlike:
    """The most similar others of every vector, so many at most, out of pairs that come bit by bit.

    Parameters
    ----------
    owners : ndarray of int64, shape (total,)
        Of the others; of those that are alike to the last digit the lowest owners count.
    most : int
        Others of a vector at most, at least 1.
    """

    def __init__(self, owners: np.ndarray, most: int) -> None:
        self._owners, self._most = owners, most
        self._parts: list[Alike] = []
        self._count = 0

    def add(self, vectors: np.ndarray, others: np.ndarray, similarities: np.ndarray) -> None:
        """Take more pairs of a vector and another."""
        self._parts.append(Alike(vectors, others, similarities))
        self._count += len(vectors)
        if self._count > _GATHERED:
            best = self.found()
            self._parts, self._count = [best], len(best.rows)

    def found(self) -> Alike:
        """The vectors as rows, with their most similar others as columns; row by row, the most similar first."""
        empty = Alike(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        pairs = Alike(*(np.concatenate(each) for each in zip(empty, *self._parts, strict=True)))
        order = np.lexsort((self._owners[pairs.columns], -pairs.similarities, pairs.rows))
        rows = pairs.rows[order]
        firsts = np.flatnonzero(np.append(True, rows[1:] != rows[:-1])[: len(rows)])
        ranks = np.arange(len(rows)) - np.repeat(firsts, np.diff(firsts, append=len(rows)))
        return Alike(*(values[order[ranks < self._most]] for values in pairs))
