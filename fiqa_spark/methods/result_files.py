"""Results to disk where their rows are: nothing is shuffled."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, DoubleType, StructType

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.matching.packs import PackedRows
from fiqa_spark.methods.identity_folders import InOrder, write_folders
from fiqa_spark.methods.percentiles import gathered_percentiles, observed, observed_percentiles
from fiqa_spark.runtime.storage import Storage

_BY = (schemas.IDENTITY, schemas.PATH)


def write_result(
    rows: DataFrame | PackedRows,
    schema: StructType,
    folder: str,
    partitioning: str,
    buckets: int,
    *,
    percentiles_of: str | None = None,
) -> dict[str, float]:
    """Write a result.

    Spark commits the files of tasks that may run twice at once, as on a cluster. In local mode none does: there the
    workers write to a local disk themselves, as the caller publishes all or nothing.

    Parameters
    ----------
    rows : DataFrame or PackedRows
        The columns of `schema`, and `identity_key`; all images of an identity lie in one partition, those of several
        identities that share a partition number (`keys.bucket`) too. Packs lie in the partition of that number.
    schema : StructType
        With `path` and `identity`.
    folder : str
        Folder to create.
    partitioning : {'identity', 'bucket'}
    buckets : int
        Number of buckets, where buckets are written.
    percentiles_of : str, optional
        A column of doubles, not all of them null.

    Returns
    -------
    dict of str to float
        Percentiles of that column by their percents, each within a ten-thousandth of its rank; empty if none was named.
    """
    spark = (rows.packs if isinstance(rows, PackedRows) else rows).sparkSession
    column = schemas.IDENTITY if partitioning == "identity" else schemas.IDENTITY_BUCKET
    storage = Storage(spark)
    local_folder = storage.seen_by_workers(folder)
    if local_folder is None:
        table = rows.table if isinstance(rows, PackedRows) else rows
        return _write_by_spark(table, schema, folder, column, buckets, percentiles_of)
    storage.make_folder(folder)
    if isinstance(rows, PackedRows):
        placed, in_order = rows.bare_packs, _packs_in_order(rows, schema, column)
    else:
        placed, in_order = _in_order(rows, schema, column, buckets), None
    how = _all_different(schema), storage.umask(), in_order, percentiles_of
    told = write_folders(placed, column, local_folder, *how)
    storage.write_text(f"{folder}/_SUCCESS", "")
    return gathered_percentiles(told) if percentiles_of else {}


def _write_by_spark(
    table: DataFrame, schema: StructType, folder: str, column: str, buckets: int, percentiles_of: str | None
) -> dict[str, float]:
    observation = None
    if percentiles_of:
        table, observation = observed(table, percentiles_of)
    plain = {f"parquet.enable.dictionary#{name}": "false" for name in _all_different(schema)}
    _in_order(table, schema, column, buckets).write.options(**plain).partitionBy(column).parquet(folder)
    return observed_percentiles(observation) if observation else {}


def _in_order(table: DataFrame, schema: StructType, column: str, buckets: int) -> DataFrame:
    """Rows in the order in which they are written, with the column that they are partitioned by."""
    placed = table.select(*schema.names)
    if column == schemas.IDENTITY_BUCKET:
        placed = table.select(*schema.names, keys.bucket(buckets).alias(column))
    return placed.sortWithinPartitions(*dict.fromkeys([column, *_BY]))


def _packs_in_order(rows: PackedRows, schema: StructType, column: str) -> InOrder:
    """The same of packs, in a worker."""
    unpack, kinds, names = rows.in_order(*_BY), to_arrow_schema(schema), rows.schema.names
    bucket = pa.field(column, pa.int32())

    def in_order(packs: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task: Any = TaskContext.get()
        for batch in unpack(packs):
            columns = [batch.column(names.index(name)) for name in kinds.names]
            if column != schemas.IDENTITY_BUCKET:
                yield pa.RecordBatch.from_arrays(columns, schema=kinds)
                continue
            number = pa.array([task.partitionId()] * batch.num_rows, pa.int32())
            yield pa.RecordBatch.from_arrays([*columns, number], schema=kinds.append(bucket))

    return in_order


def _all_different(schema: StructType) -> tuple[str, ...]:
    """Columns, as Parquet names them, for which a dictionary would be wasted work."""
    numbers = [item.name for item in schema if isinstance(item.dataType, DoubleType)]
    lists = [f"{item.name}.list.element" for item in schema if isinstance(item.dataType, ArrayType)]
    return (schemas.PATH, *numbers, *lists)
