"""Which of millions of vectors are alike: blocks of them meet, pair by pair, in tasks of which none holds them all.

A task holds at most two blocks of 128 MiB, whose product it looks at tile by tile. Only what is above the threshold
leaves it.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.kernels.alike import Alike, MostAlike, VectorSet, alike_pairs
from fiqa_spark.runtime.frames_by_arrow import distributed
from fiqa_spark.runtime.partition_places import places
from fiqa_spark.runtime.workers import in_worker

_BLOCK_BYTES = 128 << 20
# Few vectors are spread over this many tasks a core, so that none waits long for the last.
_TASKS_A_CORE = 4
# Every block that a vector meets costs a copy: two of so many take some seconds to compare.
_FEWEST_IN_BLOCK = 24_000
# Vectors of a block that cross to a task as one row, and that a task puts together as one matrix.
_PACK_BYTES, _PART_BYTES = 32 << 10, 8 << 20
_BLOCK, _PLACE, _IS_ROW, _OF_ROWS, _OF_COLUMNS = "block", "place", "is_row", "block_of_rows", "block_of_columns"
_OF_VECTOR = (schemas.IDENTITY_HASH, schemas.IMAGE_HASH, schemas.EMBEDDING)
_PACKED = ", ".join([f"{_BLOCK} long", *(f"{name} binary" for name in _OF_VECTOR)])
_FOUND = (
    f"{schemas.IDENTITY_HASH} long, {schemas.IMAGE_HASH} long, {schemas.OTHER_HASH} long, {schemas.SIMILARITY} double"
)
RANK = "rank"


class Vectors(NamedTuple):
    """Unit vectors to be compared."""

    table: DataFrame
    """`identity_hash`, `image_hash`, the same for all vectors that stand for their identity, and `embedding`,
    little-endian float32."""
    size: int
    """Number of vectors."""


def most_alike(rows: Vectors, columns: Vectors | None, dimension: int, threshold: float, most: int) -> DataFrame:
    """The most similar vectors of other identities for every row, so many at most.

    Computed inside of `planned_by_identity`, as every task gets one partition, and of `planned_for_packs`.

    Parameters
    ----------
    columns : Vectors or None
        None for the rows themselves.
    dimension : int
        Length of a vector.
    threshold : float
        Least similarity.
    most : int
        At most so many for each row.

    Returns
    -------
    DataFrame
        `identity_hash` and `image_hash` of a row, `other_hash` of a column's identity, `similarity`, and `rank`, 1 for
        the most similar. Where columns are None, each pair both ways.
    """
    pairs, of_rows, of_columns = _pairs_of_blocks(rows, columns, dimension)
    if columns is None:
        # A block that meets itself is there already.
        others = pairs[pairs[_OF_ROWS] != pairs[_OF_COLUMNS]]
        meets = pd.concat([_meets(pairs, _OF_ROWS), _meets(others, _OF_COLUMNS)])
        placed = _placed(rows, of_rows, meets)
    else:
        placed = _placed(rows, of_rows, _meets(pairs, _OF_ROWS))
        placed = placed.unionByName(_placed(columns, of_columns, _meets(pairs, _OF_COLUMNS)))
    is_same = columns is None

    @in_worker
    def compare(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from _found(*_gathered(frames, dimension), threshold, most, is_same=is_same)

    found = placed.repartition(len(pairs), _PLACE).drop(_PLACE).mapInPandas(compare, _FOUND)
    best = Window.partitionBy(schemas.IDENTITY_HASH, schemas.IMAGE_HASH).orderBy(
        F.desc(schemas.SIMILARITY), schemas.OTHER_HASH
    )
    of_each = found.repartition(len(pairs), schemas.IDENTITY_HASH, schemas.IMAGE_HASH)
    return of_each.withColumn(RANK, F.row_number().over(best)).where(F.col(RANK) <= most)


def _pairs_of_blocks(rows: Vectors, columns: Vectors | None, dimension: int) -> tuple[pd.DataFrame, int, int]:
    """A row a task: the numbers of its two blocks, and one that leads to a partition of its own; numbers of blocks."""
    tasks = _TASKS_A_CORE * rows.table.sparkSession.sparkContext.defaultParallelism
    if columns is None:
        of_rows = of_columns = _blocks(rows.size, dimension, math.ceil((2 * tasks) ** 0.5))
        first, second = np.triu_indices(of_rows)
    else:
        of_columns = _blocks(columns.size, dimension, 1)
        of_rows = _blocks(rows.size, dimension, math.ceil(tasks / of_columns))
        first, second = (each.ravel() for each in np.indices((of_rows, of_columns)))
    pairs = pd.DataFrame({_OF_ROWS: first, _OF_COLUMNS: second, _PLACE: places(len(first))}, dtype=np.int64)
    return pairs, of_rows, of_columns


def _blocks(count: int, dimension: int, wanted: int) -> int:
    """Number of blocks for so many vectors: none too large, none needlessly small."""
    most = max(1, count // _FEWEST_IN_BLOCK)
    return max(1, -(-count * dimension * 4 // _BLOCK_BYTES), min(wanted, most))


def _meets(pairs: pd.DataFrame, side: str) -> pd.DataFrame:
    """Where each block is wanted on a side of a pair."""
    return pd.DataFrame({_BLOCK: pairs[side], _PLACE: pairs[_PLACE], _IS_ROW: side == _OF_ROWS})


def _placed(vectors: Vectors, blocks: int, meets: pd.DataFrame) -> DataFrame:
    """Vectors, many in a row, as often as their block is wanted, beside the number of the place."""
    block = F.pmod(F.xxhash64(schemas.IDENTITY_HASH, schemas.IMAGE_HASH), F.lit(blocks))
    packed = vectors.table.select(*_OF_VECTOR, block.alias(_BLOCK)).mapInPandas(_in_packs, _PACKED)
    known = distributed(vectors.table.sparkSession, meets, f"{_BLOCK} long, {_PLACE} long, {_IS_ROW} boolean")
    return packed.join(F.broadcast(known), _BLOCK).drop(_BLOCK)


@in_worker
def _in_packs(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Rows of vectors as fewer rows of many: Spark takes as long for a row of one as for a row of a hundred."""
    waiting: dict[int, list[pd.DataFrame]] = defaultdict(list)
    sizes: dict[int, int] = defaultdict(int)
    for frame in frames:
        blocks = frame[_BLOCK].to_numpy(np.int64)
        length = len(frame[schemas.EMBEDDING].iloc[0]) if len(frame) else 0
        for block in np.unique(blocks).tolist():
            some = frame[blocks == block]
            waiting[block].append(some)
            sizes[block] += len(some) * length
            if sizes[block] >= _PACK_BYTES:
                yield _pack(block, waiting.pop(block))
                sizes[block] = 0
    for block, frames_of_it in waiting.items():
        yield _pack(block, frames_of_it)


def _pack(block: int, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Vectors of a block as one row."""
    hashes = {
        name: np.concatenate([frame[name].to_numpy(np.int64) for frame in frames]).tobytes()
        for name in (schemas.IDENTITY_HASH, schemas.IMAGE_HASH)
    }
    vectors = b"".join(vector for frame in frames for vector in frame[schemas.EMBEDDING])
    return pd.DataFrame([{_BLOCK: block, **hashes, schemas.EMBEDDING: vectors}])


class _Side(NamedTuple):
    """One of the two blocks that meet in a task."""

    vectors: VectorSet
    image_hashes: np.ndarray
    """Of each vector, int64, shape (total,)."""


class _Gathering:
    """Packs of vectors of one side, put together to larger parts."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._parts: list[np.ndarray] = []
        self._waiting: list[bytes] = []
        self._hashes: dict[str, list[bytes]] = {schemas.IDENTITY_HASH: [], schemas.IMAGE_HASH: []}

    def add(self, packs: pd.DataFrame) -> None:
        """Take packs, a row each."""
        for name, gathered in self._hashes.items():
            gathered.extend(packs[name].tolist())
        self._waiting += packs[schemas.EMBEDDING].tolist()
        if sum(map(len, self._waiting)) >= _PART_BYTES:
            self._join()

    def _join(self) -> None:
        matrix = np.frombuffer(b"".join(self._waiting), "<f4").reshape(-1, self._dimension)
        self._parts, self._waiting = [*self._parts, matrix], []

    def found(self) -> _Side:
        """All of them."""
        self._join()
        owners, images = (np.frombuffer(b"".join(gathered), np.int64) for gathered in self._hashes.values())
        return _Side(VectorSet([part for part in self._parts if len(part)], owners), images)


def _gathered(frames: Iterator[pd.DataFrame], dimension: int) -> tuple[_Side, _Side]:
    """Rows and columns of a task."""
    rows, columns = _Gathering(dimension), _Gathering(dimension)
    for frame in frames:
        are_rows = frame[_IS_ROW].to_numpy(bool)
        rows.add(frame[are_rows])
        columns.add(frame[~are_rows])
    return rows.found(), columns.found()


def _found(rows: _Side, columns: _Side, threshold: float, most: int, *, is_same: bool) -> Iterator[pd.DataFrame]:
    """What two blocks have in common; where both are of the same vectors, both ways."""
    meets_itself = is_same and not len(columns.vectors.owners)
    others = rows if meets_itself else columns
    of_rows, of_columns = MostAlike(others.vectors.owners, most), MostAlike(rows.vectors.owners, most)
    back = of_rows if meets_itself else of_columns
    for a, b, similarities in alike_pairs(rows.vectors, None if meets_itself else columns.vectors, threshold):
        of_rows.add(a, b, similarities)
        if is_same:
            back.add(b, a, similarities)
    yield _frame(rows, others, of_rows.found())
    yield _frame(others, rows, of_columns.found())


def _frame(rows: _Side, others: _Side, found: Alike) -> pd.DataFrame:
    """The frame of rows and the others that are like them."""
    return pd.DataFrame(
        {
            schemas.IDENTITY_HASH: rows.vectors.owners[found.rows],
            schemas.IMAGE_HASH: rows.image_hashes[found.rows],
            schemas.OTHER_HASH: others.vectors.owners[found.columns],
            schemas.SIMILARITY: found.similarities,
        }
    )
