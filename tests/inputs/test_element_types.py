"""Features that are bytes: read by the type that is named, and refused where they cannot be float32."""

import functools

import numpy as np
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.element_types import as_float32, check_are_float32
from tests.labelling import embeddings_of, paths_of
from tests.vectors_as_bytes import AS_BYTES, saved

VECTORS = embeddings_of(paths_of([4, 3]))
VALUES = np.random.default_rng(3).standard_normal((80, 64))


def as_rows(spark, contents):
    """Rows of bytes that are read by their types, in one job; `contents` is type to path to bytes."""
    read = []
    for feature_type, rows in contents.items():
        table = as_float32(spark.createDataFrame(list(rows.items()), "path string, feature binary"), feature_type)
        # Bytes of float32 are left as they are, and whatever is wrong with them is told later.
        problem = F.col("problem") if "problem" in table.columns else F.lit(None).cast("string").alias("problem")
        read.append(table.select(F.lit(feature_type).alias("type"), "path", "feature", problem))
    return functools.reduce(DataFrame.union, read).collect()


def test_bytes_of_every_type_become_float32(spark):
    contents = {
        name: {path: to_bytes(vector) for path, vector in VECTORS.items()} for name, to_bytes in AS_BYTES.items()
    }
    rows = as_rows(spark, contents)
    assert {(row.type, row.path) for row in rows} == {(name, path) for name in AS_BYTES for path in VECTORS}
    for row in rows:
        tolerance = 2e-3 if row.type == "float16" else 0
        np.testing.assert_allclose(np.frombuffer(row.feature, "<f4"), VECTORS[row.path], rtol=tolerance)


# Type to bytes that are no vector of it, and why.
PROBLEMS = {
    "float64": {b"123456789012": "12 bytes are no whole number of float64 values"},
    "float16": {b"123": "3 bytes are no whole number of float16 values"},
    "npy": {
        b"1234": "feature: not a .npy file, or truncated",
        saved(np.arange(3)): "feature: dtype int64; expected float16, float32 or float64",
        saved(np.array([{}], object)): "feature: holds pickled objects, which are never loaded",
    },
}


def test_bytes_that_are_no_vector_of_the_type_say_why(spark):
    expected = {name: {f"a/{n}": why for n, why in enumerate(each.values())} for name, each in PROBLEMS.items()}
    contents = {name: {f"a/{n}": content for n, content in enumerate(each)} for name, each in PROBLEMS.items()}
    rows = as_rows(spark, {name: {**each, "missing": None} for name, each in contents.items()})
    assert len(rows) == sum(len(each) + 1 for each in PROBLEMS.values())
    for row in rows:
        assert row.feature is None
        if row.path == "missing":
            assert row.problem is None
        else:
            assert row.problem.startswith(expected[row.type][row.path])


@pytest.mark.parametrize(
    "values",
    [
        VALUES.astype("<f8"),
        VALUES.astype("<f4").astype("<f8"),
        VALUES.astype("<f2"),
        (VALUES / 20).astype("<f2"),
        VALUES.astype(">f4"),
        (VALUES * 30).astype("i1"),
        (VALUES * 30 + 127).clip(0, 255).astype("u1"),
        (VALUES * 1000).astype("<i4"),
        (VALUES * 1e30).astype("<f4"),
        (VALUES * 1e-40).astype("<f4"),
    ],
    ids=[
        "float64",
        "wide float32",
        "float16",
        "small float16",
        "big-endian",
        "int8",
        "uint8",
        "int32",
        "huge",
        "denormal",
    ],
)
def test_bytes_of_another_type_are_told(values):
    with pytest.raises(InputError, match="no embedding has such") as caught:
        check_are_float32([row.tobytes() for row in values], setting="feature_root")
    assert "`feature_type` float64 or float16" in str(caught.value.remedy)


@pytest.mark.parametrize("values", [VALUES, VALUES / 20, VALUES[:1]], ids=["plain", "small", "one"])
def test_bytes_of_bfloat16_are_told(values):
    upper = (values.astype("<f4").view("<u4") >> np.uint32(16)).astype("<u2")
    with pytest.raises(InputError, match="bytes of bfloat16 values, not of float32") as caught:
        check_are_float32([row.tobytes() for row in upper], path="/data")
    assert caught.value.remedy == "write array<float>, or float32 bytes"


def test_bytes_that_numpy_saved_are_told():
    with pytest.raises(InputError, match=r"numpy\.save") as caught:
        check_are_float32([saved(row) for row in VALUES], path="/data")
    assert caught.value.remedy == "give `feature_type` npy"


@pytest.mark.parametrize(
    "values",
    [
        VALUES,
        VALUES * 1e6,
        VALUES * 1e-6,
        np.maximum(VALUES, 0),
        VALUES**3,
        VALUES * np.logspace(-2, 2, len(VALUES))[:, None],
        np.where(np.arange(80)[:, None] % 2, VALUES, np.nan),
        VALUES * np.where(np.arange(64) == 5, 1e4, 1),
        np.zeros((80, 64)),
        VALUES[:, :1],
        VALUES[:0],
        VALUES.astype("<f2"),
        (VALUES.astype("<f4").view("<u4") & np.uint32(0xFFFF0000)).view("<f4"),
        np.round(VALUES, 1),
        np.round(VALUES * 127) / 127,
    ],
    ids=[
        *("plain", "large", "small", "half zeros", "heavy tails", "of many lengths", "half not finite"),
        *("one large dimension", "zeros", "one value", "none"),
        *("once float16", "once bfloat16", "rounded", "once int8"),
    ],
)
def test_embeddings_pass(values):
    check_are_float32([row.astype("<f4").tobytes() for row in values])


def test_what_is_no_bytes_is_not_looked_at():
    check_are_float32([[1e30, 1e-30], None])
