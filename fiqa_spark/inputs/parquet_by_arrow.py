"""Parquet files that Spark's reader cannot take, read by Arrow in the workers."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from fiqa_spark.runtime.workers import in_worker

_ROWS_AT_ONCE = 4096
_TASKS_A_CORE = 4


def can_decompress(codec: str) -> bool:
    """Whether Arrow knows a codec by its name in a footer; an empty name is that of no codec."""
    return not codec or (codec != "UNKNOWN" and pa.Codec.is_available(codec.lower()))


def read_by_arrow(
    spark: SparkSession, pieces: Sequence[tuple[str | None, int]], columns: Sequence[tuple[str, str, str]]
) -> DataFrame:
    """Columns of Parquet files.

    Parameters
    ----------
    pieces : sequence of (str, int)
        Files, as the workers see them, each with the number of one of its row groups.
    columns : sequence of (str, str, str)
        Of each: the name that it gets, the one in the files, and its type as `StoredColumn` has it.

    Returns
    -------
    DataFrame
        Lists of floats as array<float>, everything else as binary.
    """

    @in_worker
    def read(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            for file, group in zip(frame["file"], frame["row_group"], strict=True):
                names = [name for _, name, _ in columns]
                batches = pq.ParquetFile(file).iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=names)
                for batch in batches:
                    yield pd.DataFrame(
                        {
                            asked: _values(batch.column(batch.schema.names.index(name)), kind)
                            for asked, name, kind in columns
                        }
                    )

    schema = ", ".join(f"{asked} {'array<float>' if _is_list(kind) else 'binary'}" for asked, _, kind in columns)
    table = spark.createDataFrame(list(pieces), "file string, row_group int")
    tasks = min(len(pieces), _TASKS_A_CORE * spark.sparkContext.defaultParallelism)
    return table.repartition(max(1, tasks)).mapInPandas(read, schema)


def _is_list(kind: str) -> bool:
    return kind.startswith("array<")


def _values(column: pa.Array, kind: str) -> pd.Series:
    return pd.Series(_vectors(column) if _is_list(kind) else _as_bytes(column), dtype=object)


def _as_bytes(column: pa.Array) -> list[bytes | None]:
    """Bytes as they are, everything else as the bytes of its text; None for what is not a number too."""
    values = column.to_pylist()
    return [
        value if isinstance(value, bytes) else None if value is None or value != value else _text(value).encode()
        for value in values
    ]


def _text(value: Any) -> str:
    """As Spark would cast it; a whole number as such, though pandas makes 7.0 of 7 where another one is missing."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _vectors(column: pa.Array) -> list[Any]:
    """A float32 array for every list; None for none."""
    vectors: list[Any] = [None] * len(column)
    full = column.drop_null()
    values = full.flatten().to_numpy(zero_copy_only=False).astype("<f4")
    ends = np.cumsum(pc.list_value_length(full).to_numpy(zero_copy_only=False))
    places = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    for place, vector in zip(places, np.split(values, ends[:-1]), strict=False):
        vectors[place] = vector
    return vectors
