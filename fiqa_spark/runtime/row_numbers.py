"""Row numbers of what was read from files, as if the files were read one after the other."""

from pyspark.sql import functions as F

from fiqa_spark import schemas

_ROWS_A_PARTITION = 33  # Bits of a monotonically increasing id that count within the partition.


def numbered(rows):
    """Rows with their number, counted piece by piece so that no step sees all of them.

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
    tagged = rows.withColumn("place", F.monotonically_increasing_id()).withColumn(
        "piece", F.concat_ws("\t", F.input_file_name(), F.lpad(F.shiftright("place", _ROWS_A_PARTITION), 10, "0"))
    )
    pieces = tagged.groupBy("piece").agg(F.count("*").alias("rows"), F.min("place").alias("first")).collect()
    shifts, total = [], 0
    for piece in sorted(pieces, key=lambda piece: piece["piece"]):
        shifts += [F.lit(piece["piece"]), F.lit(total - piece["first"])]
        total += piece["rows"]
    if not total:
        return tagged.withColumn(schemas.ROW, F.lit(0).cast("long")).drop("place", "piece"), 0
    fault = F.raise_error(F.lit("a list was read in other pieces than when its rows were counted")).cast("long")
    row = (F.col("place") + F.coalesce(F.create_map(*shifts)[F.col("piece")], fault)).cast("long")
    return tagged.withColumn(schemas.ROW, row).drop("place", "piece"), total
