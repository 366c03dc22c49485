import numpy as np
import pytest

from fiqa_spark.kernels.model_fit import shared_spread

pytestmark = pytest.mark.lowest_versions

DIMENSION = 32


def faces(seed, model, people=200, images=3):
    """Unit embeddings of people by a model that uses some directions more than others, and who is who."""
    random = np.random.default_rng(seed)
    axes = np.linalg.qr(np.random.default_rng(model).standard_normal((DIMENSION, DIMENSION)))[0]
    scale = np.linspace(2, 0.2, DIMENSION)
    centres = np.repeat(random.standard_normal((people, DIMENSION)), images, axis=0)
    vectors = (centres + 0.5 * random.standard_normal(centres.shape)) * scale @ axes
    embeddings = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return embeddings.astype(np.float32), np.repeat(np.arange(people), images)


def test_other_people_of_the_model_share_its_spread_and_those_of_another_model_do_not():
    pool = faces(0, model=1)
    assert 0.8 < shared_spread(faces(1, model=1)[0], *pool) < 1.5
    assert shared_spread(faces(1, model=2)[0], *pool) < 0.5


@pytest.mark.parametrize("seed", range(20))
def test_one_person_is_never_enough_to_tell(seed):
    assert shared_spread(faces(seed, model=1, people=1, images=30)[0], *faces(99, model=1)) > 0.2


def test_the_own_excess_is_that_of_pairs_of_different_people():
    embeddings, people = faces(0, model=1, people=6)
    others = [
        (embeddings[i] @ embeddings[j]) ** 2
        for i in range(len(people))
        for j in range(len(people))
        if people[i] != people[j]
    ]
    own = np.mean(others) * DIMENSION - 1
    x = embeddings[:1]
    excess = np.mean((embeddings @ x[0]) ** 2) * DIMENSION - 1
    expected = (excess + 3 * (2 * own / DIMENSION) ** 0.5) / own
    assert shared_spread(x, embeddings, people) == pytest.approx(expected, rel=1e-4)


def test_a_pool_without_spread_tells_nothing():
    assert shared_spread(np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32), np.arange(4)) == np.inf
