import numpy as np
import pytest
from pyspark.sql import functions as F

from fiqa_spark.runtime.frames_by_arrow import collected, distributed
from fiqa_spark.runtime.partition_places import places, spark_hashes

pytestmark = pytest.mark.lowest_versions


def test_hashes_are_those_of_spark(spark):
    random = np.random.default_rng(0)
    numbers = np.append(random.integers(-(2**63), 2**63 - 1, 1000), [0, 1, -1, 2**63 - 1, -(2**63)])
    rows = spark.createDataFrame([(int(number),) for number in numbers], "number long")
    expected = [row[0] for row in rows.select(F.hash("number")).collect()]
    assert spark_hashes(numbers).tolist() == expected


@pytest.mark.parametrize("partitions", [1, 6, 300])
def test_every_number_comes_to_its_own_partition(spark, partitions):
    import pandas as pd

    table = distributed(spark, pd.DataFrame({"place": places(partitions)}), "place long")
    where = collected(table.repartition(partitions, "place").select("place", F.spark_partition_id().alias("partition")))
    assert dict(zip(where["place"], where["partition"], strict=True)) == dict(
        zip(places(partitions).tolist(), range(partitions), strict=True)
    )
