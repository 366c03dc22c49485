import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.settled_margins import (
    initial_margins,
    margins_of_some,
    residual_sums,
    settled_margins,
    settled_mates,
)
from tests.naive_margins import naive_settled, naive_weight

pytestmark = pytest.mark.lowest_versions

RANGE = {"lo": 0.1, "hi": 0.8}
OPTIONS = {**RANGE, "kappa": 0.1, "max_mates": 4000}
# Of all pairs, on either side of where a weighted sum takes over, and far beyond.
SIZES = [1, 2, 3, 7, 32, 33, 80]


def faces(sizes, seed=0, dimension=24):
    """Embeddings of images of groups, better and worse ones, with similarities to strangers and priors."""
    random = np.random.default_rng(seed)
    count = int(np.sum(sizes))
    centres = np.repeat(random.standard_normal((len(sizes), dimension)), sizes, axis=0)
    quality = random.uniform(0, 1, (count, 1))
    noise = random.standard_normal((count, dimension))
    embeddings = unit_embeddings((quality * centres + (1 - quality) * noise).astype(np.float32))[0]
    return embeddings, random.uniform(-0.05, 0.2, count), random.uniform(0, 0.7, count)


def mates_of(sizes):
    """Numbers of the mates of each image."""
    ends = np.cumsum(sizes)
    groups = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return [[mate for mate in group if mate != image] for group in groups for image in group]


def naive(embeddings, sizes, strangers, priors, *, lo, hi, kappa, max_mates=None):
    return naive_settled(embeddings.astype(np.float64), mates_of(sizes), strangers, priors, lo, hi, kappa)


def rows_of(numbers, sizes):
    """Rows of groups in another order."""
    ends = np.cumsum(sizes)
    return np.concatenate([np.arange(ends[number] - sizes[number], ends[number]) for number in numbers])


@pytest.mark.parametrize("kappa", [0, 0.1])
@pytest.mark.parametrize("at_once", [1 << 20, 500])
def test_margins_are_those_of_a_loop(monkeypatch, at_once, kappa):
    monkeypatch.setattr("fiqa_spark.kernels.mates._VALUES_AT_ONCE", at_once)
    sizes = np.random.default_rng(1).permutation(np.repeat(SIZES, 3))
    embeddings, strangers, priors = faces(sizes)
    options = {**OPTIONS, "kappa": kappa}
    margins, weights = settled_margins(embeddings, sizes, strangers, priors, **options)
    expected_margins, expected_weights = naive(embeddings, sizes, strangers, priors, **options)
    np.testing.assert_allclose(margins, expected_margins, atol=1e-5)
    np.testing.assert_allclose(weights, expected_weights, atol=1e-4)


def test_initial_margins_are_those_of_a_loop():
    sizes = np.repeat(SIZES[1:], 2)
    embeddings, strangers, _ = faces(sizes)
    expected = [
        np.mean([embeddings[image] @ embeddings[mate] - strangers[image] for mate in mates])
        for image, mates in enumerate(mates_of(sizes))
    ]
    np.testing.assert_allclose(initial_margins(embeddings, sizes, strangers), expected, atol=1e-6)


@pytest.mark.parametrize("size", [2, 3, 32, 33, 100])
@pytest.mark.parametrize("good", [1, 2])
def test_the_margin_of_a_good_image_among_spoiled_ones_keeps_its_digits(size, good):
    # Its mates weigh 0.0004 each: beside its own weight of 1 they are a small rest.
    embeddings, _, priors = faces([size], dimension=128)
    strangers = np.where(np.arange(size) < good, -0.9, 0.9)
    options = {**OPTIONS, "kappa": 0}
    margins, weights = settled_margins(embeddings, [size], strangers, priors, **options)
    assert weights[0] == pytest.approx((good - 1) + (size - good) * 0.0004, abs=1e-9)
    expected, _ = naive(embeddings, [size], strangers, priors, **options)
    np.testing.assert_allclose(margins, expected, atol=2e-5)


def test_an_image_without_mates_has_its_prior_whatever_that_weighs():
    embeddings, strangers, priors = faces(np.ones(40, int))
    for kappa in (0, 0.1):
        margins, weights = settled_margins(
            embeddings, np.ones(40, int), strangers, priors, **{**OPTIONS, "kappa": kappa}
        )
        np.testing.assert_array_equal(margins, priors)
        assert not weights.any()


def test_mates_that_all_count_in_full_and_the_prior_are_a_weighted_mean():
    embeddings = np.repeat(np.array([[0.6, 0.8]], np.float32), 3, axis=0)
    margins, weights = settled_margins(embeddings, [3], np.full(3, 0.05), np.array([0, 0.5, 1]), **OPTIONS)
    np.testing.assert_allclose(margins, [(2 * 0.95 + 0.1 * prior) / 2.1 for prior in (0, 0.5, 1)], atol=1e-6)
    np.testing.assert_allclose(weights, 2, atol=1e-9)


@pytest.mark.parametrize("size", [12, 60])
def test_a_stranger_among_the_mates_moves_settled_margins_less_than_initial_ones(size):
    random = np.random.default_rng(2)
    person, other = random.standard_normal((2, 1, 64))
    vectors = np.vstack([person + 0.5 * random.standard_normal((size, 64)), np.repeat(other, size // 6, axis=0)])
    embeddings, strangers = unit_embeddings(vectors.astype(np.float32))[0], np.zeros(len(vectors))

    def moved(margins):
        clean, mixed = (margins(embeddings[:count], [count], strangers[:count]) for count in (size, len(vectors)))
        return np.abs(mixed[:size] - clean).max()

    def settled(embeddings, sizes, strangers):
        return settled_margins(embeddings, sizes, strangers, np.full(len(strangers), 0.4), **OPTIONS)[0]

    assert moved(initial_margins) > 0.08
    assert moved(settled) < 0.01


@given(st.integers(0, 10_000))
def test_order_of_images_and_of_groups_changes_nothing(seed):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 40, 9)
    arguments = faces(sizes, seed)
    groups = random.permutation(len(sizes))
    order = np.concatenate([random.permutation(rows_of([group], sizes)) for group in groups])
    plain = settled_margins(arguments[0], sizes, *arguments[1:], **OPTIONS)
    embeddings, strangers, priors = (each[order] for each in arguments)
    mixed = settled_margins(embeddings, sizes[groups], strangers, priors, **OPTIONS)
    for found, expected in zip(mixed, plain, strict=True):
        np.testing.assert_allclose(found, expected[order], atol=2e-5)


@given(st.integers(0, 10_000))
def test_rotating_all_embeddings_changes_nothing(seed):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 40, 5)
    embeddings, strangers, priors = faces(sizes, seed)
    rotation = np.linalg.qr(random.standard_normal((24, 24)))[0]
    turned = (embeddings @ rotation).astype(np.float32)
    plain = settled_margins(embeddings, sizes, strangers, priors, **OPTIONS)
    np.testing.assert_allclose(settled_margins(turned, sizes, strangers, priors, **OPTIONS), plain, atol=5e-5)


def test_groups_do_not_know_of_each_other():
    sizes = np.array([5, 40, 5, 1, 2, 33, 5])
    arguments = faces(sizes)
    together = settled_margins(arguments[0], sizes, *arguments[1:], **OPTIONS)
    for number, size in enumerate(sizes):
        rows = rows_of([number], sizes)
        embeddings, strangers, priors = (each[rows] for each in arguments)
        alone = settled_margins(embeddings, [size], strangers, priors, **OPTIONS)
        for found, expected in zip(alone, together, strict=True):
            np.testing.assert_allclose(found, expected[rows], atol=1e-6)


def naive_large(embeddings, strangers, priors, mates, *, lo, hi, kappa):
    """The first images settle; the others come once, from the weights that the fourth margins of these come from."""
    exact = embeddings.astype(np.float64)
    groups = mates_of([mates])
    margins, weights = naive_settled(exact[:mates], groups, strangers, priors, lo, hi, kappa)
    before, _ = naive_settled(exact[:mates], groups, strangers, priors, lo, hi, kappa, times=3)
    margins, weights = margins.tolist(), weights.tolist()
    last = sum(naive_weight(margin, lo, hi) for margin in margins)
    used = [naive_weight(margin, lo, hi) for margin in before]
    for image in range(mates, len(exact)):
        gains = [exact[image] @ exact[mate] - strangers[image] for mate in range(mates)]
        margins.append((np.dot(used, gains) + kappa * priors[image]) / (sum(used) + kappa))
        weights.append(last)
    return margins, weights


@pytest.mark.parametrize("mates", [2, 20, 50])
def test_images_of_a_large_group_beyond_the_mates_are_computed_from_their_weights(mates):
    sizes = np.array([3, 70, 1, 51, 70])
    arguments = faces(sizes)
    options = {**RANGE, "kappa": 0.1}
    found = np.array(settled_margins(arguments[0], sizes, *arguments[1:], **options, max_mates=mates))
    for number in (1, 3, 4):
        rows = rows_of([number], sizes)
        expected = naive_large(*(each[rows] for each in arguments), mates, **options)
        np.testing.assert_allclose(found[:, rows], expected, atol=1e-4)
    small = rows_of([0, 2], sizes)
    if mates > 2:
        embeddings, strangers, priors = (each[small] for each in arguments)
        expected = naive(embeddings, [3, 1], strangers, priors, **options)
        np.testing.assert_allclose(found[:, small], expected, atol=1e-5)


def test_images_of_a_large_group_get_the_same_wherever_and_in_which_order_they_come():
    embeddings, strangers, priors = faces([90])
    options = {**RANGE, "kappa": 0.1}
    whole = np.array(settled_margins(embeddings, [90], strangers, priors, **options, max_mates=40))
    mates = settled_mates(embeddings[:40], strangers[:40], priors[:40], **options)
    some = np.array([80, 3, 39, 40, 0])
    found = margins_of_some(
        embeddings[some], np.minimum(some, 40), strangers[some], priors[some], mates, kappa=options["kappa"]
    )
    np.testing.assert_allclose(found, whole[:, some], atol=1e-6)


def test_an_image_that_has_one_mate_only_because_no_more_may_be_is_compared_with_that():
    embeddings, strangers, priors = faces([3])
    margins, weights = settled_margins(embeddings, [3], strangers, priors, **{**OPTIONS, "max_mates": 1})
    weight = naive_weight(priors[0], **RANGE)
    gains = embeddings[1:] @ embeddings[0] - strangers[1:]
    np.testing.assert_allclose(margins, [priors[0], *(weight * gains + 0.1 * priors[1:]) / (weight + 0.1)], atol=1e-6)
    np.testing.assert_allclose(weights, [0, weight, weight])


@pytest.mark.parametrize("fewest_images", [2, 4])
def test_residuals_are_those_of_a_loop_and_add_up(fewest_images):
    sizes = np.array([2, 3, 4, 1, 40, 9, 4])
    embeddings, strangers, margins = faces(sizes)
    squares = weights = 0.0
    for image, mates in enumerate(mates_of(sizes)):
        for mate in mates if len(mates) + 1 >= fewest_images else []:
            weight = naive_weight(margins[mate], **RANGE)
            squares += weight * (embeddings[image] @ embeddings[mate] - strangers[image] - margins[image]) ** 2
            weights += weight
    arguments = (embeddings, sizes, strangers, margins)
    found = residual_sums(*arguments, **RANGE, fewest_images=fewest_images)
    np.testing.assert_allclose(found, (squares, weights), rtol=1e-5)
    parts = [
        residual_sums(embeddings[rows], some, strangers[rows], margins[rows], **RANGE, fewest_images=fewest_images)
        for some, rows in ((sizes[:4], slice(0, 10)), (sizes[4:], slice(10, None)))
    ]
    np.testing.assert_allclose(np.sum(parts, axis=0), found, rtol=1e-5)
