import functools

import numpy as np
import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.parquet_features import check_columns, keyed_features
from fiqa_spark.inputs.vectors import stack_vectors, vector_lengths, with_binary_vectors
from tests.labelling import embeddings_of, features_frame, paths_of

PATHS = paths_of([5, 4, 6])


def as_binary(spark):
    rows = [(path, bytearray(vector.astype("<f4").tobytes())) for path, vector in embeddings_of(PATHS).items()]
    return spark.createDataFrame(rows, "path string, feature binary")


FORMS = {
    "array<float>": lambda spark: features_frame(spark, embeddings_of(PATHS)),
    "array<double>": lambda spark: features_frame(spark, embeddings_of(PATHS)).select(
        "path", F.col("feature").cast("array<double>")
    ),
    "vector": lambda spark: features_frame(spark, embeddings_of(PATHS)).select(
        "path", array_to_vector(F.col("feature").cast("array<double>")).alias("feature")
    ),
    "binary": as_binary,
}


@pytest.mark.lowest_versions
def test_every_type_of_vector_becomes_the_same_binary(spark):
    crossing = {form: keyed_features(make(spark), -2).table for form, make in FORMS.items()}
    assert {form: table.schema["feature"].dataType.simpleString() for form, table in crossing.items()} == {
        **dict.fromkeys(FORMS, "array<float>"),
        "binary": "binary",
    }
    stores = {form: with_binary_vectors(table) for form, table in crossing.items()}
    assert {form: store.schema["feature"].dataType for form, store in stores.items()} == dict.fromkeys(
        FORMS, BinaryType()
    )
    found = [store.select(F.lit(form).alias("form"), "key", "feature") for form, store in stores.items()]
    rows = {(row.form, row.key): bytes(row.feature) for row in functools.reduce(DataFrame.union, found).collect()}
    vectors = embeddings_of(PATHS).items()
    assert rows == {(form, path.removesuffix(".jpg")): vector.tobytes() for form in FORMS for path, vector in vectors}


@pytest.mark.lowest_versions
def test_columns_that_are_missing_are_named_with_those_that_are_there(spark):
    table = spark.createDataFrame([(1, 2)], "name int, embedding int")
    with pytest.raises(InputError, match=r"features: no column 'path' and no column 'feature'; it has name, embedding"):
        check_columns(table, setting="feature_root")


@pytest.mark.lowest_versions
def test_a_feature_of_another_type_is_told(spark):
    with pytest.raises(InputError, match="/data: 'feature' is string; use array<float>"):
        check_columns(spark.createDataFrame([("a", "b")], "path string, feature string"), path="/data")


@pytest.mark.lowest_versions
def test_vectors_of_any_length_are_stacked_with_zeros_for_those_that_do_not_fit():
    import pandas as pd

    good, short = np.arange(3, dtype=np.float32), np.ones(2, np.float32)
    for features in (
        pd.Series([good, None, short, good]),
        pd.Series([good.tobytes(), None, short.tobytes(), good.tobytes()]),
    ):
        assert vector_lengths(features).tolist() == [3, 0, 2, 3]
        np.testing.assert_array_equal(stack_vectors(features, 3), [good, [0] * 3, [0] * 3, good])
    assert vector_lengths(pd.Series([b"12345"])).tolist() == [-1]
    assert stack_vectors(pd.Series([None, None], dtype=object), 4).shape == (2, 4)
