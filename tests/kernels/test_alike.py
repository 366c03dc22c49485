import numpy as np
import pytest

from fiqa_spark.kernels.alike import MostAlike, VectorSet, alike_pairs
from fiqa_spark.kernels.embeddings import unit_embeddings

pytestmark = pytest.mark.lowest_versions


def vectors(count, owners, seed=0, dimension=8, parts=1):
    found = unit_embeddings(np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32))[0]
    return VectorSet(np.array_split(found, parts), np.asarray(owners, np.int64)), found.astype(np.float64)


def as_set(pairs):
    return {(int(a), int(b)) for found in pairs for a, b in zip(found.rows, found.columns, strict=True)}


@pytest.mark.parametrize("tile", [1024, 16])
@pytest.mark.parametrize("parts", [1, 3])
def test_pairs_of_a_set_are_those_of_all_products(monkeypatch, tile, parts):
    monkeypatch.setattr("fiqa_spark.kernels.alike._TILE", tile)
    owners = np.arange(100) // 2
    rows, matrix = vectors(100, owners, parts=parts)
    found = list(alike_pairs(rows, None, 0.6))
    expected = {
        (i, j) for i in range(100) for j in range(i + 1, 100) if owners[i] != owners[j] and matrix[i] @ matrix[j] >= 0.6
    }
    assert as_set(found) == expected
    assert sum(len(pairs.rows) for pairs in found) == len(expected) > 20
    for pairs in found:
        products = np.einsum("ij,ij->i", matrix[pairs.rows], matrix[pairs.columns])
        np.testing.assert_allclose(pairs.similarities, products, atol=1e-7)


@pytest.mark.parametrize("tile", [1024, 16])
def test_pairs_of_two_sets_are_those_of_all_products(monkeypatch, tile):
    monkeypatch.setattr("fiqa_spark.kernels.alike._TILE", tile)
    rows, a = vectors(60, np.arange(60))
    columns, b = vectors(90, np.arange(30, 120), seed=1, parts=2)
    expected = {(i, j) for i in range(60) for j in range(90) if i != j + 30 and a[i] @ b[j] >= 0.5}
    assert as_set(alike_pairs(rows, columns, 0.5)) == expected


def test_a_similarity_is_the_same_wherever_its_vectors_stand(monkeypatch):
    rows, _ = vectors(64, np.arange(64), dimension=100)
    whole = {(a, b): s for pairs in alike_pairs(rows, None, -1) for a, b, s in zip(*pairs, strict=True)}
    monkeypatch.setattr("fiqa_spark.kernels.alike._TILE", 5)
    monkeypatch.setattr("fiqa_spark.kernels.alike._VALUES_AT_ONCE", 300)
    again = {(a, b): s for pairs in alike_pairs(rows, None, -1) for a, b, s in zip(*pairs, strict=True)}
    assert whole == again
    assert len(whole) == 64 * 63 // 2


def test_a_similarity_at_the_threshold_counts():
    same = np.array([[0.6, 0.8], [0.6, 0.8]], np.float32)
    rows = VectorSet([same], np.array([1, 2]))
    exact = float((same[0].astype(float) ** 2).sum())
    assert as_set(alike_pairs(rows, None, exact)) == {(0, 1)}
    assert as_set(alike_pairs(rows, None, np.nextafter(exact, 2))) == set()


def test_the_most_alike_are_kept_in_order_and_ties_are_settled_by_the_owner(monkeypatch):
    monkeypatch.setattr("fiqa_spark.kernels.alike._GATHERED", 3)
    best = MostAlike(owners=np.array([40, 10, 30, 20]), most=2)
    for row, column, similarity in [(7, 0, 0.5), (7, 1, 0.5), (3, 2, 0.1), (7, 2, 0.9), (7, 3, 0.5), (3, 0, 0.2)]:
        best.add(np.array([row]), np.array([column]), np.array([similarity]))
    found = best.found()
    assert list(zip(*(values.tolist() for values in found), strict=True)) == [
        (3, 0, 0.2),
        (3, 2, 0.1),
        (7, 2, 0.9),
        (7, 1, 0.5),
    ]


def test_nothing_comes_out_of_nothing():
    found = MostAlike(np.empty(0, np.int64), 3).found()
    assert [len(values) for values in found] == [0, 0, 0]
    assert not list(alike_pairs(VectorSet([], np.empty(0, np.int64)), None, 0.5))
