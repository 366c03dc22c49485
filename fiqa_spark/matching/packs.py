"""Results in packs: a row of Spark holds those of some thousand images, and what is known of them all stands beside."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, BinaryType, DoubleType, LongType, StructField, StructType

from fiqa_spark import schemas
from fiqa_spark.matching.identity_batches import Rows
from fiqa_spark.runtime.workers import in_worker

# Some megabytes a pack: less with the usual rounds, and as much with a thousand of them.
_ROWS_AT_MOST, _BYTES_AT_MOST = 1 << 15, 8 << 20
_PACK, _LEAST, _MOST = "pack", "least", "most"


class PackFacts(NamedTuple):
    """What is known of the rows of all packs."""

    sums: dict[str, int]
    """Name to the sum over the rows."""
    least: tuple[float, ...]
    """Smallest of each value; empty if there are no rows."""
    most: tuple[float, ...]
    """Largest of each value."""


def packs_schema(sums: Iterable[str]) -> StructType:
    """Schema of the frames of `packed`, with these sums."""
    bounds = ArrayType(DoubleType(), containsNull=False)
    return StructType(
        [
            StructField(_PACK, BinaryType(), nullable=False),
            *(StructField(name, LongType(), nullable=False) for name in sums),
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
    columns: Mapping[str, pa.Array], sums: Mapping[str, np.ndarray], values: np.ndarray | None = None
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
    """
    rows = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    values = np.empty((rows.num_rows, 0)) if values is None else values
    bytes_a_row = rows.nbytes / max(rows.num_rows, 1)
    rows_a_pack = max(1, min(_ROWS_AT_MOST, int(_BYTES_AT_MOST / max(bytes_a_row, 1))))
    for first in range(0, rows.num_rows, rows_a_pack):
        part = slice(first, first + rows_a_pack)
        yield pd.DataFrame(
            {
                _PACK: [_as_bytes(rows.slice(first, rows_a_pack))],
                **{name: [int(column[part].sum())] for name, column in sums.items()},
                _LEAST: [np.fmin.reduce(values[part], axis=0, initial=np.inf).astype(np.float64)],
                _MOST: [np.fmax.reduce(values[part], axis=0, initial=-np.inf).astype(np.float64)],
            }
        )


def _as_bytes(rows: pa.RecordBatch) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_batch(rows)
    return stream.getvalue().to_pybytes()


def facts_of(packs: DataFrame) -> PackFacts:
    """What is known of the rows of all packs; the packs themselves stay where they are."""
    names = [name for name in packs.columns if name not in (_PACK, _LEAST, _MOST)]
    told = packs.select(*names, _LEAST, _MOST).collect()
    sums = {name: sum(row[name] for row in told) for name in names}
    if not told:
        return PackFacts(sums, (), ())
    least, most = np.min([row[_LEAST] for row in told], axis=0), np.max([row[_MOST] for row in told], axis=0)
    return PackFacts(sums, tuple(least.tolist()), tuple(most.tolist()))


def unpacked(
    packs: DataFrame, schema: StructType, of_rows: Callable[[pa.RecordBatch], Iterable[pa.Array]]
) -> DataFrame:
    """The rows of packs.

    Parameters
    ----------
    schema : StructType
        Of the rows that come out.
    of_rows : callable
        Called in a worker with the rows of a pack; returns the columns of the schema, in its order.
    """

    @in_worker
    def unpack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for pack in batch.column(0):
                with pa.ipc.open_stream(pack.as_buffer()) as stream:
                    yield pa.RecordBatch.from_arrays(list(of_rows(stream.read_next_batch())), names=schema.names)

    return packs.select(_PACK).mapInArrow(unpack, schema)
