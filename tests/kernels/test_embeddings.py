import numpy as np
import pytest

from fiqa_spark.kernels.embeddings import embeddings_and_norms, unit_embeddings

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
