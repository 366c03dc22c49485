import math

import numpy as np
import pytest

from fiqa_spark.kernels.embeddings import (
    embeddings_and_norms,
    embeddings_of_whole_numbers,
    unit_embeddings,
    whole_numbers,
)

pytestmark = pytest.mark.lowest_versions


def test_rows_get_unit_length():
    vectors = np.random.default_rng(0).standard_normal((20, 7)).astype(np.float32)
    embeddings, usable = unit_embeddings(vectors)
    assert usable.all()
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(embeddings * np.linalg.norm(vectors, axis=1)[:, None], vectors, atol=1e-5)


def test_nan_infinity_and_zero_norm_are_not_usable_and_become_zeros():
    vectors = np.array([[1, 2], [np.nan, 1], [np.inf, 1], [-np.inf, np.nan], [0, 0]], np.float32)
    embeddings, usable = unit_embeddings(vectors)
    assert usable.tolist() == [True, False, False, False, False]
    assert (embeddings[1:] == 0).all()


def test_very_long_and_very_short_vectors_keep_their_direction():
    embeddings, usable = unit_embeddings(np.array([[3e30, 4e30], [3e-30, 4e-30], [3, 4]], np.float32))
    assert usable.all()
    np.testing.assert_allclose(embeddings, [[0.6, 0.8]] * 3, atol=1e-6)


def test_norms_are_the_lengths_that_vectors_had_and_nan_where_these_cannot_be_used():
    vectors = np.array([[3, 4], [3e38, 3e38], [3e-30, 4e-30], [0, 0], [np.inf, 1], [np.nan, 1]], np.float32)
    embeddings, norms, usable = embeddings_and_norms(vectors)
    np.testing.assert_allclose(norms, [5, 3e38 * 2**0.5, 5e-30, np.nan, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(embeddings[:3] * norms[:3, None], vectors[:3], rtol=1e-6)
    np.testing.assert_array_equal(usable, np.isfinite(norms))


@pytest.mark.parametrize("dimension", [1, 2, 7, 128, 512])
def test_an_embedding_depends_on_its_own_row_alone_to_the_last_bit(dimension):
    at_once = 2**18 // dimension
    vectors = np.random.default_rng(4).standard_normal((3 * at_once - 1, dimension)).astype(np.float32)
    embeddings, norms, _ = embeddings_and_norms(vectors)
    for rows in (slice(0, at_once + 1), slice(1, 2), slice(at_once - 3, None)):
        found = embeddings_and_norms(vectors[rows])
        np.testing.assert_array_equal(found[0], embeddings[rows])
        np.testing.assert_array_equal(found[1], norms[rows])


def test_embeddings_are_put_where_they_shall_stand():
    vectors = vectors_of_all_lengths(20, 8)
    vectors[3], vectors[4, 1] = 0, np.nan
    place = np.full((22, 8), 9, np.float32)
    embeddings, _, usable = embeddings_and_norms(vectors, out=place[1:-1])
    np.testing.assert_array_equal(place[1:-1], embeddings_and_norms(vectors)[0])
    assert np.flatnonzero(~usable).tolist() == [3, 4]
    assert np.shares_memory(embeddings, place)
    assert (place[[0, -1]] == 9).all()


# More than are computed at once, and with rows that need float64 in every place.
EXTREME = [1e38, -1e38, 3e38, 1e-40, -1e-40, 1e-45, 1e-16, 1e15, 1]


def vectors_of_all_lengths(rows: int = 700, dimension: int = 512) -> np.ndarray:
    vectors = np.random.default_rng(1).uniform(-1, 1, (rows, dimension)).astype(np.float32)
    lengths = np.array(EXTREME * (rows // len(EXTREME) + 1), np.float32)[:rows]
    return vectors * lengths[:, None]


def naive_whole_numbers(vector: np.ndarray) -> tuple[list[int], float]:
    values = [float(value) for value in vector]
    if not all(math.isfinite(value) for value in values):
        return [0] * len(values), math.nan
    largest = max(abs(value) for value in values)
    norm = min(math.hypot(*values), float(np.finfo(np.float32).max))
    return [round(value / largest * 32767) if largest else 0 for value in values], norm


def test_whole_numbers_are_those_of_a_naive_loop():
    vectors = vectors_of_all_lengths()
    vectors[[3, 300, 699], [0, 5, 511]] = np.nan, np.inf, -np.inf
    vectors[[4, 301, 698]] = 0
    numbers, norms = whole_numbers(vectors)
    assert (numbers.dtype, norms.dtype) == (np.int16, np.float32)
    for row, vector in enumerate(vectors):
        expected, norm = naive_whole_numbers(vector)
        # In float32 a value half way between two numbers may go to either.
        np.testing.assert_allclose(numbers[row], expected, atol=1)
        assert np.mean(numbers[row] != expected) < 0.02
        np.testing.assert_allclose(norms[row], norm, rtol=1e-6, atol=1e-45)


def test_every_vector_of_whole_numbers_uses_their_whole_range():
    vectors = vectors_of_all_lengths(200, 3)
    numbers, _ = whole_numbers(vectors)
    np.testing.assert_array_equal(np.abs(numbers.astype(int)).max(axis=1), 32767 * vectors.any(axis=1))


def test_norms_beside_whole_numbers_are_those_of_the_vectors():
    vectors = np.random.default_rng(2).standard_normal((600, 512)).astype(np.float32)
    np.testing.assert_array_equal(whole_numbers(vectors)[1], embeddings_and_norms(vectors)[1])


def test_embeddings_of_whole_numbers_are_those_of_a_naive_loop():
    vectors = vectors_of_all_lengths()
    vectors[[0, 350]] = 0
    vectors[[1, 351, 699], 2] = np.nan, np.inf, -np.inf
    numbers, given = whole_numbers(vectors)
    given[5], numbers[6] = -1, 0
    embeddings, norms, usable = embeddings_of_whole_numbers(numbers, given)
    assert (embeddings.dtype, norms.dtype, usable.dtype) == (np.float32, np.float64, bool)
    assert np.flatnonzero(~usable).tolist() == [0, 1, 5, 6, 350, 351, 699]
    np.testing.assert_array_equal(norms, np.where(usable, given, np.nan))
    assert (embeddings[~usable] == 0).all()
    for row in np.flatnonzero(usable):
        length = math.hypot(*map(float, numbers[row]))
        np.testing.assert_allclose(embeddings[row], [float(number) / length for number in numbers[row]], rtol=1e-6)


def test_whole_numbers_tell_the_same_rows_usable_as_the_vectors_do():
    vectors = vectors_of_all_lengths()
    vectors[[0, 350]] = 0
    vectors[[1, 351, 699], 2] = np.nan, np.inf, -np.inf
    _, norms, usable = embeddings_of_whole_numbers(*whole_numbers(vectors))
    _, expected_norms, expected_usable = embeddings_and_norms(vectors)
    np.testing.assert_array_equal(usable, expected_usable)
    np.testing.assert_allclose(norms, np.minimum(expected_norms, np.finfo(np.float32).max), rtol=1e-6, atol=1e-45)


@pytest.mark.parametrize(
    ("largest", "tolerance"), [(1, 1.5e-5), (100, 5e-5)], ids=["usual vectors", "one huge value each"]
)
def test_cosines_of_whole_numbers_are_the_vectors_to_15_millionths(largest, tolerance):
    vectors = np.random.default_rng(3).standard_normal((400, 512)).astype(np.float32)
    vectors[:, 7] *= largest
    found = embeddings_of_whole_numbers(*whole_numbers(vectors))[0].astype(np.float64)
    expected = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, rtol=0, atol=tolerance)


def test_embeddings_of_whole_numbers_are_put_where_they_shall_stand():
    numbers, norms = whole_numbers(vectors_of_all_lengths(20, 8))
    place = np.full((22, 8), 9, np.float32)
    embeddings, _, _ = embeddings_of_whole_numbers(numbers, norms, out=place[1:-1])
    np.testing.assert_array_equal(place[1:-1], embeddings_of_whole_numbers(numbers, norms)[0])
    assert np.shares_memory(embeddings, place)
    assert (place[[0, -1]] == 9).all()


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)], ids=str)
def test_no_vectors_and_vectors_of_no_values_are_whole_numbers_too(shape):
    numbers, norms = whole_numbers(np.empty(shape, np.float32))
    embeddings, norms, usable = embeddings_of_whole_numbers(numbers, norms)
    assert embeddings.shape == shape
    assert not usable.any()
