import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.prior import FOLDS, PENALTIES, fitted_prior, prior_margins
from tests.naive_margins import naive_priors

pytestmark = pytest.mark.lowest_versions


def planted(count, dimension=12, seed=0, noise=0.02):
    """Embeddings, norms, targets that follow from both but for some noise, weights and folds."""
    random = np.random.default_rng(seed)
    embeddings = unit_embeddings(random.standard_normal((count, dimension)).astype(np.float32))[0]
    norms = np.exp(random.normal(2, 0.3, count)).astype(np.float32)
    slopes = random.standard_normal(dimension) * 0.3
    targets = 0.4 + embeddings @ slopes + 0.2 * (np.log(norms) - 2) + noise * random.standard_normal(count)
    return embeddings, norms, targets, random.integers(1, 11, count), random.integers(0, FOLDS, count)


def fitted_priors(embeddings, norms, targets, weights, folds):
    prior = fitted_prior(embeddings, norms, targets, weights, folds)
    return prior, prior_margins(embeddings, norms, folds, prior)


@pytest.mark.parametrize("at_once", [2048, 7])
@pytest.mark.parametrize(("count", "dimension", "noise"), [(400, 12, 0.02), (400, 12, 0.5), (60, 40, 0.3), (25, 64, 0)])
@pytest.mark.parametrize("with_norms", [True, False])
def test_priors_are_those_of_least_squares_on_rows(monkeypatch, at_once, count, dimension, noise, with_norms):
    monkeypatch.setattr("fiqa_spark.kernels.prior._ROWS_AT_ONCE", at_once)
    embeddings, norms, targets, weights, folds = planted(count, dimension, noise=noise)
    norms = norms if with_norms else np.full(count, 3.0) * (1 + 1e-8 * np.arange(count) / count)
    prior, priors = fitted_priors(embeddings, norms, targets, weights, folds)
    arguments = (embeddings.astype(np.float64), norms.astype(np.float64), targets, weights, folds, np.arange(count))
    expected, penalty, r2, tau = naive_priors(*arguments)
    assert prior.penalty == penalty
    np.testing.assert_allclose((prior.r2, prior.tau), (r2, tau), atol=1e-6)
    np.testing.assert_allclose(priors, expected, atol=2e-6)
    assert prior.norm_coefficients.any() == with_norms


def test_a_planted_relation_is_found_and_noise_is_not():
    prior, priors = fitted_priors(*planted(2000, noise=1e-4))
    assert prior.r2 > 0.9999
    assert prior.tau == pytest.approx(1e-4, rel=0.1)
    assert prior.penalty == PENALTIES[0]
    embeddings, norms, _, weights, folds = planted(2000)
    noise = np.random.default_rng(3).normal(0.5, 0.1, 2000)
    prior, priors = fitted_priors(embeddings, norms, noise, weights, folds)
    assert abs(prior.r2) < 0.02
    assert prior.tau == pytest.approx(0.1, rel=0.05)
    assert prior.penalty == PENALTIES[-1]
    np.testing.assert_allclose(priors, 0.5, atol=0.03)


def test_an_image_has_no_say_in_its_own_prior():
    embeddings, norms, targets, weights, folds = planted(500, noise=1e-3)
    before, _ = fitted_priors(embeddings, norms, targets, weights, folds)
    after, _ = fitted_priors(embeddings, norms, targets + 1e-3 * (folds == 2), weights, folds)
    assert before.penalty == after.penalty
    np.testing.assert_allclose(after.coefficients[2], before.coefficients[2], atol=1e-9)
    assert after.constants[2] == pytest.approx(before.constants[2], abs=1e-9)
    others = [0, 1, 3, 4]
    assert (np.abs(after.constants - before.constants)[others] > 1e-5).all()


def test_an_image_gets_the_coefficients_of_its_fold_whether_it_was_in_the_sample_or_not():
    embeddings, norms, targets, weights, folds = planted(300)
    prior = fitted_prior(embeddings[:200], norms[:200], targets[:200], weights[:200], folds[:200])
    found = prior_margins(embeddings[200:], norms[200:], folds[200:], prior)
    for row, margin in zip(range(200, 300), found, strict=True):
        z = (np.log(float(norms[row])) - prior.norm_mean) / prior.norm_std
        direction = float(embeddings[row].astype(np.float64) @ prior.coefficients[folds[row]])
        expected = direction + prior.norm_coefficients[folds[row]] * z + prior.constants[folds[row]]
        assert margin == pytest.approx(expected, abs=2e-6)


@given(st.integers(0, 10_000), st.floats(0.001, 1000))
def test_scaling_all_features_and_the_order_of_images_change_nothing(seed, factor):
    arguments = planted(80, seed=seed)
    plain, priors = fitted_priors(*arguments)
    order = np.random.default_rng(seed).permutation(80)
    embeddings, norms, *others = (each[order] for each in arguments)
    other, mixed = fitted_priors(embeddings, norms * np.float32(factor), *others)
    assert other.penalty == plain.penalty
    np.testing.assert_allclose(mixed, priors[order], atol=1e-5)
    np.testing.assert_allclose((other.r2, other.tau), (plain.r2, plain.tau), atol=1e-5)


@given(st.integers(0, 10_000))
def test_rotating_all_embeddings_changes_nothing(seed):
    embeddings, *others = planted(80, seed=seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((12, 12)))[0]
    turned = (embeddings @ rotation).astype(np.float32)
    np.testing.assert_allclose(fitted_priors(turned, *others)[1], fitted_priors(embeddings, *others)[1], atol=1e-5)


def test_an_image_of_weight_3_counts_like_three_copies():
    arguments = planted(120)
    embeddings, norms, targets, weights, folds = arguments
    weighted, priors = fitted_priors(*arguments)
    copies = np.repeat(np.arange(120), weights)
    copied = fitted_prior(embeddings[copies], norms[copies], targets[copies], np.ones(len(copies)), folds[copies])
    # The norms are standardised by images, which copies are: their coefficient differs, what it adds does not.
    assert copied.penalty == weighted.penalty
    np.testing.assert_allclose((copied.r2, copied.tau), (weighted.r2, weighted.tau), atol=1e-7)
    np.testing.assert_allclose(prior_margins(embeddings, norms, folds, copied), priors, atol=1e-6)


def test_folds_without_images_leave_nothing_out():
    embeddings, norms, targets, weights, folds = planted(300)
    folds = np.where(folds < 2, 1, 4)
    prior, priors = fitted_priors(embeddings, norms, targets, weights, folds)
    arguments = (embeddings.astype(np.float64), norms, targets, weights, folds, np.arange(300))
    np.testing.assert_allclose(priors, naive_priors(*arguments)[0], atol=2e-6)
    np.testing.assert_array_equal(prior.coefficients[0], prior.coefficients[3])


@pytest.mark.parametrize("count", [0, 1, 50])
def test_images_of_one_fold_are_refused_with_both_facts(count):
    embeddings, norms, targets, weights, _ = planted(count)
    with pytest.raises(ValueError, match=rf"{count} images of {min(count, 1)} fold, where a prior needs 2"):
        fitted_prior(embeddings, norms, targets, weights, np.full(count, 3))


def test_two_images_of_two_folds_get_the_target_of_the_other_where_nothing_tells_them_apart():
    embeddings = np.repeat(planted(1)[0], 2, axis=0)
    folds = np.array([0, 4])
    prior, priors = fitted_priors(embeddings, np.array([2.0, 3.0]), np.array([0.3, 0.5]), np.ones(2), folds)
    np.testing.assert_allclose(priors, [0.5, 0.3], atol=1e-3)
    assert prior.r2 == pytest.approx(-3, abs=1e-2)


def test_targets_that_are_all_the_same_are_the_prior_and_explain_nothing():
    embeddings, norms, _, weights, folds = planted(200)
    prior, priors = fitted_priors(embeddings, norms, np.full(200, 0.37), weights, folds)
    np.testing.assert_allclose(priors, 0.37, atol=1e-5)
    assert prior.r2 == 0
    assert prior.tau == pytest.approx(0, abs=1e-6)


def test_norms_that_differ_in_one_fold_alone_do_not_run_away():
    embeddings, _, targets, weights, folds = planted(300, noise=0.1)
    norms = np.where((folds == 1) & (np.arange(300) % 2 == 0), 9.0, 3.0)
    prior, priors = fitted_priors(embeddings, norms, targets, weights, folds)
    assert np.isfinite(priors).all()
    assert abs(prior.norm_coefficients[1]) < 1e-3
    assert np.abs(priors).max() < 3


def test_the_fit_holds_no_copy_of_the_embeddings():
    arguments = planted(100_000, dimension=64)
    tracemalloc.start()
    fitted_prior(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < arguments[0].nbytes / 2
