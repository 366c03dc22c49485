import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.membership import (
    PairModel,
    log_ratios,
    memberships,
    memberships_of_some,
    pair_terms,
    settled_members,
)
from tests.naive_audit import naive_log_ratio, naive_memberships

pytestmark = pytest.mark.lowest_versions

MODEL = PairModel(np.array([0.05, 0.3, 0.4, 0.2, 0.1, -0.1]), 0.12, 0.02, 0.1, (-0.2, 0.9))
EXPECTED = 0.9


def faces(sizes, seed=0, dimension=32):
    """Embeddings of images of groups, a tenth of which show somebody else, and what their features tell of them."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.standard_normal((len(sizes), dimension)), sizes, axis=0)
    count = len(centres)
    quality = random.uniform(0.3, 0.9, (count, 1))
    strangers = random.uniform(size=count) < 0.1
    centres[strangers] = random.standard_normal((strangers.sum(), dimension))
    vectors = quality * centres + (1 - quality) * random.standard_normal((count, dimension))
    return unit_embeddings(vectors.astype(np.float32))[0], quality[:, 0] * 0.8


def mates_of(sizes):
    ends = np.cumsum(sizes)
    groups = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return [[mate for mate in group if mate != image] for group in groups for image in group]


def found(embeddings, sizes, priors, max_mates=4000):
    return memberships(embeddings, np.array(sizes), priors, MODEL, expected=EXPECTED, max_mates=max_mates)


@pytest.mark.parametrize("at_once", [1 << 18, 7])
def test_memberships_are_those_of_a_loop(monkeypatch, at_once):
    monkeypatch.setattr("fiqa_spark.kernels.membership._VALUES_AT_ONCE", at_once)
    sizes = [3, 1, 2, 20, 5, 1, 3]
    embeddings, priors = faces(sizes)
    expected = naive_memberships(embeddings, mates_of(sizes), priors, MODEL, EXPECTED)
    np.testing.assert_allclose(found(embeddings, sizes, priors), expected, atol=2e-5)


@given(st.floats(-1, 1), st.floats(-0.5, 1), st.floats(-0.5, 1))
def test_evidence_is_that_of_the_definition_and_the_same_both_ways(similarity, prior, mates_prior):
    one, other = (np.array([[value]], np.float32) for value in (prior, mates_prior))
    values = np.array([[similarity]], np.float32)
    there, back = log_ratios(values, one, other, MODEL), log_ratios(values, other, one, MODEL)
    assert there == back
    np.testing.assert_allclose(there, naive_log_ratio(similarity, prior, mates_prior, MODEL), atol=2e-3)


def test_terms_do_not_know_which_image_comes_first():
    priors, others = np.array([0.2, 0.7]), np.array([0.5, 0.1])
    np.testing.assert_array_equal(pair_terms(priors, others), pair_terms(others, priors))
    np.testing.assert_allclose(pair_terms(priors, others)[0], [1, 0.2, 0.5, 0.1, 0.04, 0.25])


@pytest.mark.parametrize("size", [2, 5, 200])
def test_copies_of_one_image_belong_to_each_other(size):
    embeddings, priors = faces([1])
    assert (found(embeddings.repeat(size, 0), [size], priors.repeat(size)) > 0.9).all()


def test_somebody_else_does_not_belong_and_does_not_spoil_others():
    embeddings, priors = faces([8], seed=3)
    stranger, _ = faces([1], seed=9)
    together = found(np.concatenate([embeddings, stranger]), [9], np.append(priors, 0.7))
    assert together[-1] < 0.01
    alone = found(embeddings, [8], priors)
    np.testing.assert_allclose(together[:-1], alone, atol=0.03)


def test_an_image_alone_has_no_membership():
    embeddings, priors = faces([1, 2])
    assert np.isnan(found(embeddings, [1, 2], priors)).tolist() == [True, False, False]


def test_order_and_neighbours_do_not_matter():
    sizes = [4, 6]
    embeddings, priors = faces(sizes)
    order = np.array([9, 8, 7, 6, 5, 4, 2, 0, 3, 1])
    there, back = found(embeddings, sizes, priors), found(embeddings[order], [6, 4], priors[order])
    np.testing.assert_allclose(there[order], back, atol=1e-6)


def test_images_beyond_the_mates_settle_with_them_but_have_no_say():
    embeddings, priors = faces([40])
    whole = found(embeddings, [40], priors, max_mates=30)
    np.testing.assert_allclose(whole[:30], found(embeddings[:30], [30], priors[:30]), atol=1e-6)
    for image in range(30, 40):
        # As a mate of the others it would have a say, which is taken from it where it is no mate.
        rows = [*range(30), image]
        mates = [[mate for mate in range(30) if mate != number] for number in range(31)]
        expected = naive_memberships(embeddings[rows], mates, priors[rows], MODEL, EXPECTED)
        np.testing.assert_allclose(whole[image], expected[-1], atol=2e-5)


def test_some_images_of_a_large_group_get_what_the_whole_group_gives_them():
    embeddings, priors = faces([50])
    whole = found(embeddings, [50], priors, max_mates=20)
    mates = settled_members(embeddings[:20], priors[:20], MODEL, expected=EXPECTED)
    some = np.array([33, 4, 49, 0])
    ranks = np.minimum(some, 20)
    parts = memberships_of_some(embeddings[some], ranks, priors[some], mates, MODEL, expected=EXPECTED)
    np.testing.assert_allclose(parts, whole[some], atol=1e-6)


def test_a_single_mate_on_disk_has_no_membership():
    embeddings, priors = faces([1])
    mates = settled_members(embeddings, priors, MODEL, expected=EXPECTED)
    assert np.isnan(memberships_of_some(embeddings, np.array([0]), priors, mates, MODEL, expected=EXPECTED)).all()
