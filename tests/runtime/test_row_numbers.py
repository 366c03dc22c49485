import pytest
from pyspark.sql import Window
from pyspark.sql import functions as F

from fiqa_spark.inputs.image_list import read_paths
from fiqa_spark.runtime.row_numbers import PIECE, numbered, numbered_in_pieces, row_at
from fiqa_spark.runtime.storage import Storage


@pytest.mark.parametrize("files", [1, 3])
def test_rows_are_numbered_in_the_order_of_the_files(spark, tmp_path, files):
    expected = []
    for number in range(files):
        # Sizes that fall and rise, as Spark reads large files first.
        names = [f"p{number}/{row:05d}.jpg" for row in range([400, 3000, 50][number])]
        (tmp_path / f"part-{number}.txt").write_text("\n".join(names), encoding="utf-8")
        expected += names
    spark.conf.set("spark.sql.files.maxPartitionBytes", 10_000)
    try:
        rows, total = numbered(read_paths(spark, Storage(spark), str(tmp_path)))
        assert rows.columns == ["path", "row"]
        assert total == len(expected)
        assert [row.path for row in rows.orderBy("row").collect()] == expected
        assert sorted(row.row for row in rows.collect()) == list(range(total))
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")


@pytest.mark.parametrize("count", [0, 1, 50])
def test_pieces_follow_one_another_in_ascending_order(spark, count):
    values = [(number * 37 % 101 - 50,) for number in range(count)]
    pieces = spark.createDataFrame(values, "value long").withColumn(PIECE, F.shiftright("value", 4))
    inside = F.row_number().over(Window.partitionBy(PIECE).orderBy("value"))
    rows, total = numbered_in_pieces(pieces, inside, first=F.lit(1))
    assert total == count
    assert [(row.value,) for row in rows.orderBy("row").collect()] == sorted(values)
    assert sorted(row.row for row in rows.collect()) == list(range(count))


def test_a_row_is_found_by_its_number_in_whichever_partition_it_is(spark):
    rows = spark.range(20, numPartitions=3).where("id not between 6 and 12").repartitionByRange(4, "id")
    in_order = rows.sortWithinPartitions("id").persist()
    expected = [number for number in range(20) if not 6 <= number <= 12]
    assert [row_at(in_order, number).id for number in (0, 6, 12)] == [expected[number] for number in (0, 6, 12)]
    assert row_at(in_order, len(expected)) is None
    in_order.unpersist()
