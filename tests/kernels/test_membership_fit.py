import numpy as np
import pytest

from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.membership_fit import learned_memberships

pytestmark = pytest.mark.lowest_versions


def faces(groups, size, wrong, seed=0, dimension=64):
    """Images of groups in which a share stands wrong, their priors, which are wrong, and pairs of strangers."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((groups, dimension))
    owners = np.repeat(np.arange(groups), size)
    count = len(owners)
    is_wrong = random.uniform(size=count) < wrong
    persons = np.where(is_wrong, (owners + random.integers(1, groups, count)) % groups, owners)
    quality = random.uniform(0.4, 0.9, (count, 1))
    vectors = quality * centres[persons] + (1 - quality) * random.standard_normal((count, dimension))
    strangers = random.integers(0, count, (2, 20_000))
    different = owners[strangers[0]] != owners[strangers[1]]
    return (
        unit_embeddings(vectors.astype(np.float32))[0],
        np.full(groups, size),
        quality[:, 0] * 0.9,
        tuple(strangers[:, different]),
        is_wrong,
    )


@pytest.mark.parametrize("wrong", [0.01, 0.1, 0.4])
def test_a_share_of_wrong_images_is_found_out(wrong):
    *sample, is_wrong = faces(200, 8, wrong)
    model, memberships = learned_memberships(*sample)
    assert (memberships[is_wrong] < 0.5).mean() > 0.95
    assert (memberships[~is_wrong] >= 0.5).mean() > 0.95
    assert model.expected == pytest.approx(np.clip(1 - is_wrong.mean(), 0.5, 0.99), abs=0.03)


def test_strangers_are_described_by_their_pairs():
    *sample, _ = faces(50, 6, 0)
    pairs = learned_memberships(*sample)[0].pairs
    embeddings, (a, b) = sample[0], sample[3]
    similarities = np.einsum("ij,ij->i", embeddings[a], embeddings[b])
    assert pairs.non_mated_mean == pytest.approx(similarities.mean(), abs=1e-5)
    assert pairs.non_mated_std == pytest.approx(similarities.std(), abs=1e-5)


def test_what_is_expected_of_mates_is_what_they_are():
    *sample, _ = faces(200, 8, 0)
    pairs = learned_memberships(*sample)[0].pairs
    embeddings, sizes, priors, _ = sample
    firsts = np.cumsum(sizes) - sizes
    a, b = np.sort([priors[firsts], priors[firsts + 1]], axis=0)
    expected = np.stack([np.ones_like(a), a, b, a * b, a * a, b * b], axis=1) @ pairs.coefficients
    residuals = np.einsum("ij,ij->i", embeddings[firsts], embeddings[firsts + 1]) - expected
    assert abs(residuals.mean()) < 0.02
    assert residuals.std() == pytest.approx(pairs.mated_std, rel=0.2)


def test_copies_alone_have_a_deviation_and_belong_to_each_other():
    embeddings, sizes, priors, strangers, _ = faces(40, 4, 0)
    copies = embeddings[np.repeat(np.arange(0, 160, 4), 4)]
    model, memberships = learned_memberships(copies, sizes, np.repeat(priors[::4], 4), strangers)
    assert model.pairs.mated_std == 0.01
    assert (memberships > 0.9).all()


def test_the_same_priors_everywhere_are_enough():
    embeddings, sizes, _, strangers, is_wrong = faces(100, 6, 0.1)
    _, memberships = learned_memberships(embeddings, sizes, np.full(600, 0.5), strangers)
    assert (memberships[is_wrong] < 0.5).mean() > 0.9


def test_groups_of_images_that_are_not_alike_are_refused():
    random = np.random.default_rng(0)
    half = unit_embeddings(random.standard_normal((40, 16)).astype(np.float32))[0]
    opposite = np.stack([half, -half], axis=1).reshape(80, 16)
    strangers = (np.arange(0, 78), np.arange(2, 80))
    with pytest.raises(ValueError, match=r"not alike: of 40 pairs the 80th percentile of the similarity is -1\.000"):
        learned_memberships(opposite, np.full(40, 2), np.full(80, 0.5), strangers)
