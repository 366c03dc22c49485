import numpy as np
import pytest
from scipy.stats import spearmanr, wasserstein_distance

from fiqa_spark.kernels.draws import inter_positions, intra_positions
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.sdd_fiqa import exact_distances as exact_distances_of_identities
from fiqa_spark.kernels.sdd_fiqa import sampled_distances as sampled_distances_of_identities
from fiqa_spark.kernels.sdd_fiqa import sampled_distances_of_some

pytestmark = pytest.mark.lowest_versions

DIMENSION = 16


def random_embeddings(seed, count):
    return unit_embeddings(np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32))[0]


def sampled_distances(embeddings, pool, own, *, start, **options):
    """Distances of one identity."""
    sizes, starts = np.array([len(embeddings)]), np.array([start])
    return sampled_distances_of_identities(embeddings, sizes, starts, {0: own}, pool, **options)


def exact_distances(embeddings, pool, own):
    """Distances of an identity all of whose images are compared."""
    mates, sizes = [(embeddings, np.arange(len(embeddings)))], np.array([len(embeddings)])
    distances, counts = exact_distances_of_identities(embeddings, sizes, mates, {0: own}, pool)
    assert (counts == [len(embeddings) - 1, len(pool) - len(own)]).all()
    return distances


def naive_sampled_distances(embeddings, pool, own, start, comparisons, rounds):
    """One comparison after the other, as the definition reads."""
    intra = intra_positions(len(embeddings), comparisons, rounds)
    inter = inter_positions(start, own, len(pool), comparisons, rounds)
    distances = np.empty((len(embeddings), rounds))
    for image, embedding in enumerate(embeddings):
        for number in range(rounds):
            others = [other for other in intra[number % len(intra)] if other != image]
            mated = [float(embedding @ embeddings[other]) for other in others[: intra.shape[1] - 1]]
            non_mated = [float(embedding @ pool[stranger]) for stranger in inter[number % len(inter)]]
            distances[image, number] = wasserstein_distance(mated, non_mated)
    return distances


@pytest.mark.parametrize("images", [2, 3, 24, 25, 26, 60, 400])
@pytest.mark.parametrize("pool_size", [10, 300, 1000])
def test_sampled_distances_are_those_of_a_loop(images, pool_size):
    embeddings, pool = random_embeddings(1, images), random_embeddings(2, pool_size)
    own, start = np.array([1, 4, 7]), 5
    found, counts = sampled_distances(embeddings, pool, own, start=start, comparisons=24, rounds=4)
    assert found.dtype == np.float32
    assert (counts == [min(24, images - 1), min(24, pool_size - 3)]).all()
    np.testing.assert_allclose(found, naive_sampled_distances(embeddings, pool, own, start, 24, 4), atol=2e-6)


@pytest.mark.parametrize("at_once", [1 << 20, 2000])
@pytest.mark.parametrize("pool_size", [15, 30, 40, 500])
def test_identities_together_give_what_each_gives_alone(monkeypatch, pool_size, at_once):
    monkeypatch.setattr("fiqa_spark.kernels.similarities._SIMILARITIES_AT_ONCE", at_once)
    sizes = np.array([2, 9, 2, 40, 3, 12, 9, 17, 2, 5])
    starts = np.array([0, 0, 0, 0, 12, 12, 14, 3, 3, 3]) % pool_size
    own = {1: np.array([3]), 4: np.array([pool_size - 1]), 7: np.array([0, 8])}
    embeddings, pool = random_embeddings(15, sizes.sum()), random_embeddings(16, pool_size)
    options = {"comparisons": 8, "rounds": 3}
    found, counts = sampled_distances_of_identities(embeddings, sizes, starts, own, pool, **options)
    ends = np.cumsum(sizes)
    for number, rows in enumerate(map(slice, ends - sizes, ends)):
        own_of_it = own.get(number, np.empty(0, np.intp))
        expected = naive_sampled_distances(embeddings[rows], pool, own_of_it, starts[number], 8, 3)
        np.testing.assert_allclose(found[rows], expected, atol=2e-6)
        assert (counts[rows] == [min(8, sizes[number] - 1), min(8, pool_size - len(own_of_it))]).all()


def test_exact_distances_are_those_of_scipy_on_all_pairs():
    embeddings, pool = random_embeddings(3, 30), random_embeddings(4, 200)
    own = np.array([0, 199])
    found = exact_distances(embeddings, pool, own)
    assert found.shape == (30, 1)
    strangers = np.delete(pool, own, axis=0)
    for image in range(30):
        mated = np.delete(embeddings @ embeddings[image], image)
        assert found[image, 0] == pytest.approx(wasserstein_distance(mated, strangers @ embeddings[image]), abs=2e-6)


@pytest.mark.parametrize("at_once", [1 << 20, 900, 1])
def test_exact_distances_of_identities_together_are_those_of_each_alone(monkeypatch, at_once):
    sizes, own = np.array([2, 9, 3, 40, 2]), {1: np.array([3, 77]), 4: np.array([99])}
    embeddings, pool = random_embeddings(20, sizes.sum()), random_embeddings(21, 100)
    parts = np.split(embeddings, np.cumsum(sizes)[:-1])
    expected = [exact_distances(part, pool, own.get(n, np.empty(0, np.intp))) for n, part in enumerate(parts)]
    monkeypatch.setattr("fiqa_spark.kernels.similarities._SIMILARITIES_AT_ONCE", at_once)
    mates = [(part, np.arange(len(part))) for part in parts]
    found, counts = exact_distances_of_identities(embeddings, sizes, mates, own, pool)
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-6)
    strangers = [100, 98, 100, 100, 99]
    assert (counts == np.repeat(np.column_stack([sizes - 1, strangers]), sizes, axis=0)).all()


def test_rows_in_blocks_give_what_rows_at_once_give(monkeypatch):
    embeddings, pool = random_embeddings(5, 70), random_embeddings(6, 500)
    arguments = {"start": 0, "comparisons": 6, "rounds": 3}
    at_once = sampled_distances(embeddings, pool, np.array([3]), **arguments)[0]
    exact_at_once = exact_distances(embeddings, pool, np.array([3]))
    monkeypatch.setattr("fiqa_spark.kernels.similarities._SIMILARITIES_AT_ONCE", 3000)
    np.testing.assert_allclose(sampled_distances(embeddings, pool, np.array([3]), **arguments)[0], at_once, atol=1e-6)
    np.testing.assert_allclose(exact_distances(embeddings, pool, np.array([3])), exact_at_once, atol=1e-6)


def test_images_of_a_large_identity_are_compared_with_its_first_ones_wherever_they_are_computed(monkeypatch):
    monkeypatch.setattr("fiqa_spark.kernels.similarities._SIMILARITIES_AT_ONCE", 3000)
    embeddings, pool, own, size = random_embeddings(17, 90), random_embeddings(18, 400), np.array([6]), 21
    whole, _ = sampled_distances(embeddings, pool, own, start=9, comparisons=6, rounds=3)
    some = np.array([80, 3, 20, 21, 0])
    ranks = np.minimum(some, size)
    options = {"comparisons": 6, "rounds": 3}
    found, counts = sampled_distances_of_some(embeddings[some], ranks, embeddings[:size], 9, own, pool, **options)
    assert counts == (6, 6)
    np.testing.assert_allclose(found, whole[some], atol=1e-6)
    mates = [(embeddings[:size], ranks)]
    exact, _ = exact_distances_of_identities(embeddings[some], np.array([len(some)]), mates, {0: own}, pool)
    strangers = np.delete(pool, own, axis=0)
    for image, distance in zip(some, exact[:, 0], strict=True):
        mates = np.delete(embeddings[:size], min(image, size - 1), axis=0)
        expected = wasserstein_distance(mates @ embeddings[image], strangers @ embeddings[image])
        assert distance == pytest.approx(expected, abs=2e-6)


def test_rotating_all_embeddings_changes_nothing():
    embeddings, pool = random_embeddings(7, 40), random_embeddings(8, 300)
    rotation = np.linalg.qr(np.random.default_rng(9).standard_normal((DIMENSION, DIMENSION)))[0].astype(np.float32)
    arguments = {"own": np.array([2]), "start": 0, "comparisons": 8, "rounds": 5}
    plain = sampled_distances(embeddings, pool, **arguments)[0]
    np.testing.assert_allclose(
        sampled_distances(embeddings @ rotation, pool @ rotation, **arguments)[0], plain, atol=3e-6
    )


def test_the_mean_over_many_rounds_approaches_the_exact_distance_where_sizes_agree():
    # Identical mates: the mated side is one value, so that W1 is a mean of gaps and has no bias from sampling.
    embeddings = np.repeat(random_embeddings(10, 1), 5, axis=0)
    pool = random_embeddings(11, 2000)
    sampled = sampled_distances(embeddings, pool, np.empty(0, np.intp), start=0, comparisons=20, rounds=100)[0]
    exact = exact_distances(embeddings, pool, np.empty(0, np.intp))
    assert sampled.mean() == pytest.approx(exact.mean(), abs=1e-5)


def test_a_better_image_has_the_larger_distance():
    centre, noise, pool = random_embeddings(12, 1), random_embeddings(13, 12), random_embeddings(14, 500)
    quality = np.linspace(0.9, 0.2, 12, dtype=np.float32)[:, None]
    embeddings = unit_embeddings(quality * centre + (1 - quality) * noise)[0]
    distances = exact_distances(embeddings, pool, np.empty(0, np.intp))[:, 0]
    assert spearmanr(distances, quality[:, 0]).statistic > 0.85
