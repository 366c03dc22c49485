import pytest

from fiqa_spark.inputs.vectors import partitions_for


@pytest.mark.parametrize(
    ("rows", "dimension", "partitions"),
    [
        (0, 1, 2),
        (16, 512, 2),
        (6410, 128, 13),
        (8191, 128, 16),
        (1_000_000, 512, 16),
        (100_000_000, 512, 1526),
    ],
)
def test_partitions_follow_the_size_of_the_vectors(rows, dimension, partitions):
    assert partitions_for(rows, dimension) == partitions


def test_more_vectors_never_lie_in_fewer_partitions():
    counts = [partitions_for(2**power, 128) for power in range(30)]
    assert counts == sorted(counts)
