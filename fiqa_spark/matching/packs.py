"""Results in packs: a row of Spark holds those of some thousand images, and what is known of them all stands beside."""

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Row
from pyspark.sql.types import ArrayType, BinaryType, DataType, DoubleType, LongType, StringType, StructField, StructType

from fiqa_spark import schemas
from fiqa_spark.matching.identity_batches import Rows
from fiqa_spark.runtime.workers import in_worker

# Some megabytes a pack: less with the usual rounds, and as much with a thousand of them.
_ROWS_AT_MOST, _BYTES_AT_MOST = 1 << 15, 8 << 20
_PACK, _LEAST, _MOST = "pack", "least", "most"
_EXAMPLES_AT_MOST = 8


class PackFacts(NamedTuple):
    """What is known of the rows of all packs."""

    sums: dict[str, int]
    """Name to the sum over the rows."""
    least: tuple[float, ...]
    """Smallest of each value; empty if there are no rows."""
    most: tuple[float, ...]
    """Largest of each value."""
    totals: dict[str, float]
    """Name to the sum of floating-point numbers, the same in every run; NaN does not count."""
    examples: dict[str, list[str]]
    """Name to the first few texts: those that are not ASCII come before the others."""


def packs_schema(sums: Iterable[str], *, totals: Iterable[str] = (), examples: Iterable[str] = ()) -> StructType:
    """Schema of the frames of `packed`, with these sums, totals and examples."""
    bounds, texts = (ArrayType(kind, containsNull=False) for kind in (DoubleType(), StringType()))
    return StructType(
        [
            StructField(_PACK, BinaryType(), nullable=False),
            *(StructField(name, LongType(), nullable=False) for name in sums),
            *(StructField(name, DoubleType(), nullable=False) for name in totals),
            *(StructField(name, texts, nullable=False) for name in examples),
            StructField(_LEAST, bounds, nullable=False),
            StructField(_MOST, bounds, nullable=False),
        ]
    )


def image_columns(rows: Rows, statuses: np.ndarray) -> dict[str, pa.Array]:
    """What every result tells of images: path, identity, status and identity key."""
    texts = {schemas.PATH: rows.column(schemas.PATH), schemas.IDENTITY: rows.column(schemas.IDENTITY)}
    texts[schemas.STATUS] = statuses
    columns = {name: pa.array(values, pa.string(), from_pandas=True) for name, values in texts.items()}
    return {**columns, schemas.IDENTITY_KEY: pa.array(rows.column(schemas.IDENTITY_KEY))}


def packed(
    columns: Mapping[str, pa.Array],
    sums: Mapping[str, np.ndarray],
    values: np.ndarray | None = None,
    *,
    totals: Mapping[str, np.ndarray] | None = None,
    examples: Mapping[str, Iterable[str]] | None = None,
) -> Iterator[pd.DataFrame]:
    """Rows in packs, each a frame of one row.

    Parameters
    ----------
    columns : dict of str to pyarrow.Array
        Columns of the rows.
    sums : dict of str to ndarray of int or bool, each of shape (rows,)
        What is summed over the rows.
    values : ndarray of float, shape (rows, v), optional
        Of which the smallest and the largest are told; NaN does not count.
    totals : dict of str to ndarray of float, each of shape (rows,), optional
        What is summed over the rows but for NaN.
    examples : dict of str to iterable of str, optional
        Texts of which a few are told.
    """
    rows = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    values = np.empty((rows.num_rows, 0)) if values is None else values
    bytes_a_row = rows.nbytes / max(rows.num_rows, 1)
    rows_a_pack = max(1, min(_ROWS_AT_MOST, int(_BYTES_AT_MOST / max(bytes_a_row, 1))))
    some = {name: _first_few(texts) for name, texts in (examples or {}).items()}
    for first in range(0, rows.num_rows, rows_a_pack):
        part = slice(first, first + rows_a_pack)
        yield pd.DataFrame(
            {
                _PACK: [_as_bytes(rows.slice(first, rows_a_pack))],
                **{name: [int(column[part].sum())] for name, column in sums.items()},
                **{name: [float(np.nansum(column[part]))] for name, column in (totals or {}).items()},
                **{name: [[] if first else texts] for name, texts in some.items()},
                _LEAST: [np.fmin.reduce(values[part], axis=0, initial=np.inf).astype(np.float64)],
                _MOST: [np.fmax.reduce(values[part], axis=0, initial=-np.inf).astype(np.float64)],
            }
        )


def _first_few(texts: Iterable[str]) -> list[str]:
    return heapq.nsmallest(_EXAMPLES_AT_MOST, texts, key=lambda text: (text.isascii(), text))


def _as_bytes(rows: pa.RecordBatch) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_batch(rows)
    return stream.getvalue().to_pybytes()


def facts_of(packs: DataFrame) -> PackFacts:
    """What is known of the rows of all packs; the packs themselves stay where they are."""
    told = packs.drop(_PACK).collect()
    kinds = {field.name: field.dataType for field in packs.schema if field.name not in (_PACK, _LEAST, _MOST)}
    sums = {name: sum(row[name] for row in told) for name in _of_kind(LongType, kinds)}
    # As if there were no rounding, so that the order of tasks plays no part.
    totals = {name: math.fsum(row[name] for row in told) for name in _of_kind(DoubleType, kinds)}
    texts = {name: _first_few(text for row in told for text in row[name]) for name in _of_kind(ArrayType, kinds)}
    least, most = (_bounds(told, name, of) for name, of in ((_LEAST, np.min), (_MOST, np.max)))
    return PackFacts(sums, least, most, totals, texts)


def _of_kind(kind: type[DataType], kinds: Mapping[str, DataType]) -> list[str]:
    return [name for name, its_kind in kinds.items() if isinstance(its_kind, kind)]


def _bounds(told: list[Row], name: str, of: Callable[..., np.ndarray]) -> tuple[float, ...]:
    return tuple(of([row[name] for row in told], axis=0).tolist()) if told else ()


class PackedRows(NamedTuple):
    """Rows in packs, and how they come out."""

    packs: DataFrame
    """From `packed`."""
    schema: StructType
    """Of the rows that come out."""
    of_pack: Callable[[pa.RecordBatch], Iterable[pa.Array]]
    """Called in a worker with rows of packs; returns the columns of the schema, in its order."""

    @property
    def table(self) -> DataFrame:
        """The rows that come out, in the partitions of their packs."""
        of_pack, names = self.of_pack, self.schema.names

        @in_worker
        def unpack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for rows in _rows_in(batches):
                yield pa.RecordBatch.from_arrays(list(of_pack(rows)), names=names)

        return self.packs.select(_PACK).mapInArrow(unpack, self.schema)

    @property
    def bare_packs(self) -> DataFrame:
        """Packs alone, for `in_order`."""
        return self.packs.select(_PACK)

    def in_order(self, *by: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
        """A function that a worker calls with the packs of a partition: the rows that come out, in order.

        Parameters
        ----------
        *by : str
            Columns of text, of the packs; null comes first.
        """
        of_pack, names = self.of_pack, self.schema.names

        def ordered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            parts = list(_rows_in(batches))
            if not parts:
                return
            rows = pa.Table.from_batches(parts).combine_chunks()
            bytes_a_row = rows.nbytes / max(rows.num_rows, 1)
            parts.clear()
            order = _order(rows, by)
            rows_at_once = max(1, min(_ROWS_AT_MOST, int(_BYTES_AT_MOST / max(bytes_a_row, 1))))
            for first in range(0, len(order), rows_at_once):
                [some] = rows.take(order.slice(first, rows_at_once)).combine_chunks().to_batches()
                yield pa.RecordBatch.from_arrays(list(of_pack(some)), names=names)

        return ordered


def _rows_in(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of each pack of a column of packs."""
    for batch in batches:
        for pack in batch.column(0):
            with pa.ipc.open_stream(pack.as_buffer()) as stream:
                yield stream.read_next_batch()


def _order(rows: pa.Table, by: Iterable[str]) -> pa.Array:
    """Numbers of the rows in the order of columns of text, null first."""
    keys = {}
    for name in by:
        # Where null is to stand is told in different ways by different versions of Arrow.
        keys[f"{name} is there"] = rows[name].is_valid().cast(pa.int8())
        keys[name] = rows[name]
    return pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
