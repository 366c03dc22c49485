import numpy as np
import pandas as pd
import pytest

from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.methods.identities import search
from fiqa_spark.methods.identities.search import Vectors, most_alike
from fiqa_spark.runtime.frames_by_arrow import collected, distributed
from fiqa_spark.runtime.sql_conf import planned_by_identity

DIMENSION = 8
SCHEMA = "identity_hash long, image_hash long, embedding binary"


def vectors(spark, count, seed, first_identity=0, *, are_images=False):
    """Random vectors as Spark gets them, and as a matrix."""
    matrix = unit_embeddings(np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32))[0]
    numbers = np.arange(count) * are_images
    columns = {"identity_hash": first_identity + np.arange(count), "image_hash": numbers}
    frame = pd.DataFrame({**columns, "embedding": [row.tobytes() for row in matrix]})
    return Vectors(distributed(spark, frame, SCHEMA), count), matrix.astype(np.float64)


def naive(rows, columns, are_other, threshold, most):
    """For each row the most similar columns among others."""
    for row, vector in enumerate(rows):
        similarities = np.where(are_other[row], columns @ vector, -2)
        best = np.argsort(-similarities, kind="stable")[:most]
        yield from ((row, int(column)) for column in best if similarities[column] >= threshold)


@pytest.fixture(params=["one block a side", "blocks of 200 vectors", "a block a core"])
def blocks(request, monkeypatch):
    """How few or many vectors make a block."""
    if request.param == "blocks of 200 vectors":
        monkeypatch.setattr(search, "_BLOCK_BYTES", 200 * 4 * DIMENSION)
    elif request.param == "a block a core":
        monkeypatch.setattr(search, "_FEWEST_IN_BLOCK", 100)


@pytest.mark.usefixtures("blocks")
def test_every_vector_meets_all_others_of_its_set(spark):
    rows, matrix = vectors(spark, 700, seed=0)
    with planned_by_identity(spark):
        found = collected(most_alike(rows, None, DIMENSION, 0.8, 3))
    expected = set(naive(matrix, matrix, ~np.eye(700, dtype=bool), 0.8, 3))
    assert set(zip(found["identity_hash"], found["other_hash"], strict=True)) == expected
    assert len(found) == len(expected) > 700
    products = np.einsum("ij,ij->i", matrix[found["identity_hash"]], matrix[found["other_hash"]])
    np.testing.assert_allclose(found["similarity"], products, atol=1e-7)


@pytest.mark.usefixtures("blocks")
def test_every_image_meets_all_centres_but_its_own(spark):
    images, a = vectors(spark, 500, seed=1, are_images=True)
    centres, b = vectors(spark, 300, seed=2, first_identity=250)
    with planned_by_identity(spark):
        found = collected(most_alike(images, centres, DIMENSION, 0.7, 1))
    are_other = np.arange(500)[:, None] != np.arange(250, 550)
    expected = {(row, column + 250) for row, column in naive(a, b, are_other, 0.7, 1)}
    assert set(zip(found["identity_hash"], found["other_hash"], strict=True)) == expected
    assert len(found) == len(expected) > 100
    assert (found["image_hash"] == found["identity_hash"]).all()
    assert (found["rank"] == 1).all()
