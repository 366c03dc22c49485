"""Row numbers counted piece by piece, so that no task sees all rows."""

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from fiqa_spark import schemas

PIECE = "piece"
"""Column that tells the piece that a row is in."""
_SCAN_ID = "scan_id"
_ROWS_A_PARTITION = 33  # Bits of a monotonically increasing id that count within the partition.


def numbered(rows: DataFrame) -> tuple[DataFrame, int]:
    """Rows with their number, as if the files that they were read from were read one after the other.

    Parameters
    ----------
    rows : DataFrame
        Read from files and not shuffled since. Files count in the order of their names.

    Returns
    -------
    numbered : DataFrame
        With a column `row`, from 0.
    total : int
        Number of rows.
    """
    scan_id = F.col(_SCAN_ID)
    partition = F.lpad(F.shiftright(scan_id, _ROWS_A_PARTITION), 10, "0")
    pieces = rows.withColumn(_SCAN_ID, F.monotonically_increasing_id()).withColumn(
        PIECE, F.concat_ws("\t", F.input_file_name(), partition)
    )
    in_order, total = numbered_in_pieces(pieces, scan_id, first=F.min(scan_id))
    return in_order.drop(_SCAN_ID), total


def numbered_in_pieces(rows: DataFrame, position: Column, *, first: Column) -> tuple[DataFrame, int]:
    """Rows with their number, the pieces one after the other in ascending order.

    Parameters
    ----------
    rows : DataFrame
        With a column `PIECE`, which is left out of the result.
    position : Column of bigint
        Where a row stands in its piece; the rows of a piece stand without gaps.
    first : Column of bigint
        Aggregate over a piece: the position of its first row.

    Returns
    -------
    numbered : DataFrame
        With a column `row`, from 0.
    total : int
        Number of rows.
    """
    pieces = rows.groupBy(PIECE).agg(F.count("*").alias("rows"), first.alias("first")).collect()
    shifts, total = [], 0
    for piece in sorted(pieces, key=lambda piece: piece[PIECE]):
        shifts += [F.lit(piece[PIECE]), F.lit(total - piece["first"])]
        total += piece["rows"]
    if not total:
        return rows.withColumn(schemas.ROW, F.lit(0).cast("long")).drop(PIECE), 0
    fault = F.raise_error(F.lit("rows came in other pieces than when they were counted")).cast("long")
    shift = F.coalesce(F.create_map(*shifts)[F.col(PIECE)], fault)
    return rows.withColumn(schemas.ROW, (position + shift).cast("long")).drop(PIECE), total


def row_at(rows: DataFrame, number: int) -> Row | None:
    """The row of a number, from 0, or None if there are fewer rows: partitions are counted, and one of them is read.

    Parameters
    ----------
    rows : DataFrame
        Kept in memory or on disk, as they must be the same each time.
    """
    scan_id = F.col(_SCAN_ID)
    placed = rows.withColumn(_SCAN_ID, F.monotonically_increasing_id())
    partition = F.shiftright(scan_id, _ROWS_A_PARTITION).alias(PIECE)
    for piece in sorted(placed.groupBy(partition).agg(F.count("*").alias("rows")).collect()):
        if number < piece["rows"]:
            return placed.where(scan_id == (piece[PIECE] << _ROWS_A_PARTITION) + number).drop(_SCAN_ID).head()
        number -= piece["rows"]
    return None
