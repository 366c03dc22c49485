import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from fiqa_spark.kernels.draws import block_start, inter_positions, intra_positions, slots_to_drop

SEEDS = 5_000
IMPROBABLE = 1e-4


def intra_draw(image, row, slot):
    """The positions that an image is compared with in a round."""
    return np.delete(row, slot)


@pytest.mark.lowest_versions
@given(st.integers(2, 90), st.integers(1, 30), st.integers(1, 12))
def test_intra_draws_are_others_without_repeats_and_as_many_as_there_can_be(images, comparisons, rounds):
    rows = intra_positions(images, comparisons, rounds)
    assert len(rows) in (1, rounds)
    slots = slots_to_drop(images, rows)
    for image in range(images):
        for row, slot in zip(rows, slots[image], strict=True):
            draw = intra_draw(image, row, slot)
            assert len(set(draw)) == len(draw) == min(comparisons, images - 1)
            assert image not in draw
            assert set(draw) <= set(range(images))


@pytest.mark.lowest_versions
@given(st.data())
def test_inter_draws_are_strangers_without_repeats_and_as_many_as_there_can_be(data):
    pool_size = data.draw(st.integers(2, 400))
    own = np.array(data.draw(st.lists(st.integers(0, pool_size - 1), unique=True, max_size=pool_size - 1)), np.intp)
    comparisons, rounds = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 12))
    start = block_start(data.draw(st.integers(-(2**63), 2**63 - 1)), pool_size, comparisons, rounds)
    assert 0 <= start < pool_size
    rows = inter_positions(start, own, pool_size, comparisons, rounds)
    assert len(rows) in (1, rounds)
    for row in rows:
        assert len(set(row)) == len(row) == min(comparisons, pool_size - len(own))
        assert not set(row) & set(own)
        assert 0 <= row.min() <= row.max() < pool_size


@pytest.mark.parametrize("images", [7, 40])
def test_each_other_image_of_the_identity_is_drawn_equally_often(images):
    comparisons, rounds = 5, 3
    rows = intra_positions(images, comparisons, rounds)
    slots = slots_to_drop(images, rows)
    counts = np.zeros((rounds, images), int)
    random = np.random.default_rng(0)
    for _ in range(SEEDS):
        # Image 0 and the others stand at random places of the hash order.
        order = random.permutation(images)
        place = int(np.flatnonzero(order == 0)[0])
        for number, row in enumerate(rows):
            counts[number, order[intra_draw(place, row, slots[place, number])]] += 1
    assert (counts[:, 0] == 0).all()
    assert (counts.sum(axis=1) == SEEDS * comparisons).all()
    for of_round in counts:
        # Drawing without replacement varies less than the chi-square law supposes; the test is on the safe side.
        assert chisquare(of_round[1:]).pvalue > IMPROBABLE


@pytest.mark.parametrize(("pool_size", "own_count"), [(60, 4), (9, 3)])
def test_each_stranger_is_drawn_equally_often(pool_size, own_count):
    comparisons, rounds = 5, 3
    counts = np.zeros((rounds, pool_size), int)
    random = np.random.default_rng(0)
    for _ in range(SEEDS):
        order = random.permutation(pool_size)
        own = np.flatnonzero(order < own_count)
        start = block_start(random.integers(2**62), pool_size, comparisons, rounds)
        for number, row in enumerate(inter_positions(start, own, pool_size, comparisons, rounds)):
            counts[number, order[row]] += 1
    assert (counts[:, :own_count] == 0).all()
    for of_round in counts:
        assert chisquare(of_round[own_count:]).pvalue > IMPROBABLE
