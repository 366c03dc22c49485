"""Packs: what goes in comes out, in order, and what is told of all rows is true of them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType

from fiqa_spark.matching.packs import PackedRows, facts_of, packed, packs_schema
from fiqa_spark.runtime.workers import in_worker

ROWS = 70_000
SCHEMA = StructType(
    [StructField("name", StringType()), StructField("number", LongType()), StructField("value", DoubleType())]
)


def packs_of(spark, counts):
    """Packs of tasks with so many rows each, numbered through all of them; every third value is none."""
    firsts = np.cumsum([0, *counts])

    @in_worker
    def compute(frames):
        for frame in frames:
            for task in frame["id"]:
                numbers = np.arange(firsts[task], firsts[task + 1])
                values = np.where(numbers % 3, numbers / 2, np.nan)
                columns = {
                    "name": pa.array([f"ü{number}" if number % 5 else None for number in numbers], pa.string()),
                    "number": pa.array(numbers),
                    "value": pa.array(values, from_pandas=True),
                }
                sums = {"images": np.ones(len(numbers), bool), "total": numbers}
                texts = (str(number) if number % 30_000 else f"ü{number}" for number in numbers)
                examples = {"texts": texts, "none": ()}
                beside = {"totals": {"values": values}, "examples": examples}
                yield from packed(columns, sums, np.column_stack([values, -values]), **beside)

    schema = packs_schema(("images", "total"), totals=("values",), examples=("texts", "none"))
    return spark.range(0, len(counts), 1, len(counts)).mapInPandas(compute, schema)


@pytest.fixture(scope="module")
def packs(spark):
    """Two tasks, of which the first makes several packs and the second a small one."""
    return packs_of(spark, (ROWS, 2)).persist()


def test_all_rows_come_out_in_their_partitions(packs):
    def reversed_values(rows):
        name, number, value = rows.columns
        return name, number, pa.array(-value.to_numpy(zero_copy_only=False), from_pandas=True)

    frame = PackedRows(packs, SCHEMA, reversed_values).table.toPandas()
    assert frame["number"].tolist() == list(range(ROWS + 2))
    assert frame["name"][[0, 1, 5, 70_001]].tolist() == [None, "ü1", None, "ü70001"]
    pd.testing.assert_series_equal(frame["value"].iloc[:4], pd.Series([np.nan, -0.5, -1, np.nan]), check_names=False)


def test_sums_and_bounds_are_those_of_all_rows(packs):
    facts = facts_of(packs)
    assert facts.sums == {"images": ROWS + 2, "total": sum(range(ROWS + 2))}
    assert (facts.least, facts.most) == ((0.5, -35_000.5), (35_000.5, -0.5))
    assert facts.totals == {"values": np.nansum(np.where(np.arange(ROWS + 2) % 3, np.arange(ROWS + 2) / 2, 0))}
    assert packs.count() == 4


def test_the_first_few_texts_of_all_rows_are_told(packs):
    assert facts_of(packs).examples == {
        "texts": ["ü0", "ü30000", "ü60000", "1", "10", "100", "1000", "10000"],
        "none": [],
    }
    assert packs.where("size(texts) > 0").count() == 2


def test_rows_of_many_values_make_smaller_packs():
    values = np.zeros((5_000, 1_000), np.float32)
    columns = {"values": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 1_000)}
    packs = list(packed(columns, {"images": np.ones(len(values), bool)}))
    assert sum(pack["images"].item() for pack in packs) == len(values)
    assert max(len(pack["pack"].item()) for pack in packs) < 9 << 20
    assert len(packs) == 3


def test_no_rows_have_no_bounds(packs):
    assert facts_of(packs.limit(0)) == ({"images": 0, "total": 0}, (), (), {"values": 0}, {"texts": [], "none": []})
