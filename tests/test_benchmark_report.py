import copy
import json

import numpy as np
import pytest

from tests.benchmarks.comparison import compared, least_growth, machine_ratio, spread
from tests.benchmarks.fits import fitted, noise_factors, straight_line

SIZES = (250_000, 1_000_000, 2_000_000)


def line_of(fixed, microseconds, cores=2):
    runs = [
        {"images": images, "seconds": fixed + 1e-6 * images * microseconds / cores, "processor_seconds": 2 * fixed}
        for images in SIZES
    ]
    return {"runs": runs, "fit": fitted(runs, cores)}


@pytest.fixture
def run():
    """A run of the benchmark, or some of it."""
    script = {"images": 1_000_000, "seconds": 9.0, "processor_seconds": 14.0}
    jobs = {"store": line_of(12, 20), "plain": line_of(13, 35)}
    return {
        "machine": {"cores": 2},
        "floor": 3.0,
        "kernels": 6.0,
        "loop": [{"images": 20_000, "seconds": 30.0, "processor_seconds": 30.0}],
        "jobs": jobs,
        "exact": {"images": 250_000, "seconds": 40.0, "processor_seconds": 75.0},
        "afternoon": {form: {"job": jobs[form]["runs"][1], "script": script} for form in jobs},
        "search": [{"identities": 50_000, "ratio": 1.4}],
        "again": {"store": [{"seconds": 14.0}, {"seconds": 14.2}]},
    }


def times(factor, value, key=None):
    """The same run with all its times, or those of other names than `ratio`, so much longer."""
    if isinstance(value, dict):
        return {name: times(factor, each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [times(factor, each, key) for each in value]
    return value if key in ("images", "cores", "identities", "ratio") else value * factor


def names(comparison):
    return [row.name for row in comparison.slower]


def test_equal_runs_have_nothing_slower(run):
    same = compared(run, copy.deepcopy(run))
    assert same.slower == []
    assert same.machine == 1
    assert same.compared > 15


def test_a_slower_machine_makes_nothing_slower(run):
    now = compared(run, times(1.4, run))
    assert now.machine == pytest.approx(1.4)
    assert now.slower == []


def test_a_slower_command_is_told_even_on_a_faster_machine(run):
    now = times(0.7, run)
    now["exact"]["seconds"] *= 1.3
    slower = compared(run, now).slower
    assert [row.name for row in slower] == ["SDD-FIQA, exact, feature store, 250,000 images, seconds"]
    assert slower[0].ratio == pytest.approx(1.3)
    assert (slower[0].then, slower[0].now) == (40, pytest.approx(36.4))


def test_less_than_a_tenth_is_not_told_and_more_is(run):
    now = copy.deepcopy(run)
    now["exact"]["seconds"] *= 1.09
    assert compared(run, now).slower == []
    now["exact"]["seconds"] *= 1.02
    assert len(compared(run, now).slower) == 1


def test_what_two_runs_of_a_command_differ_by_is_noise(run):
    now = copy.deepcopy(run)
    now["exact"]["seconds"] *= 1.3
    assert len(compared(run, now).slower) == 1
    now["again"] = {"store": [{"seconds": 14.0}, {"seconds": 17.0}]}
    assert compared(run, now).slower == []


def test_one_yardstick_gone_astray_does_not_shift_the_others(run):
    # Another BLAS makes the bare product twice as fast, and hardly anything else.
    now = copy.deepcopy(run)
    now["floor"] /= 2
    now["kernels"] /= 2
    assert machine_ratio(run, now) == 1
    assert machine_ratio(now, run) == 1
    assert compared(run, now).slower == []


def test_a_ratio_does_not_depend_on_the_machine(run):
    now = times(2, run)
    now["search"][0]["ratio"] = 1.7
    assert names(compared(run, now)) == ["search among 50,000 identities / bare matrix product"]


def test_a_larger_marginal_cost_is_told(run):
    now = copy.deepcopy(run)
    now["jobs"]["store"] = line_of(12, 28)
    found = names(compared(run, now))
    assert "SDD-FIQA from feature store, marginal core microseconds" in found
    assert "SDD-FIQA from feature store, 2,000,000 images, seconds" in found
    assert not any("fixed" in name or "plain" in name for name in found)


def test_a_fixed_cost_is_noisier_than_the_runs_that_it_comes_from(run):
    now = copy.deepcopy(run)
    now["jobs"]["plain"]["fit"]["fixed_seconds"] *= 1.13
    now["exact"]["seconds"] *= 1.13
    assert names(compared(run, now)) == ["SDD-FIQA, exact, feature store, 250,000 images, seconds"]
    now["jobs"]["plain"]["fit"]["fixed_seconds"] *= 1.5
    assert "SDD-FIQA from plain Parquet, fixed seconds" in names(compared(run, now))


def test_runs_that_lack_what_is_new_are_compared_by_the_rest(run):
    old = {name: run[name] for name in ("floor", "machine", "jobs")}
    for line in old["jobs"].values():
        line["runs"] = [{"images": each["images"], "seconds": each["seconds"]} for each in line["runs"]]
        line["fit"] = {name: line["fit"][name] for name in ("fixed_seconds", "core_microseconds")}
    old = json.loads(json.dumps(old))
    now = copy.deepcopy(run)
    now["jobs"]["plain"]["runs"][0]["seconds"] *= 1.5
    assert names(compared(old, now)) == ["SDD-FIQA from plain Parquet, 250,000 images, seconds"]
    assert compared({}, run).compared == 0
    assert compared(run, {}).machine == 1


def test_wall_times_of_other_numbers_of_cores_are_not_compared(run):
    now = copy.deepcopy(run)
    now["machine"]["cores"] = 8
    now["exact"] |= {"seconds": 100.0, "processor_seconds": 150.0}
    assert names(compared(run, now)) == ["SDD-FIQA, exact, feature store, 250,000 images, processor seconds"]


def test_spread_is_that_of_the_logarithms():
    random = np.random.default_rng(0)
    pairs = 20 * np.exp(random.normal(0, 0.05, (4_000, 2)))
    assert spread(pairs) == pytest.approx(0.05 * np.sqrt(2), rel=0.05)
    assert spread([]) == 0


def test_growth_has_to_be_three_deviations_and_a_tenth():
    assert least_growth(0) == pytest.approx(0.1)
    assert least_growth(0.02) == pytest.approx(0.1)
    assert least_growth(0.1) == pytest.approx(np.exp(0.3) - 1)


def test_a_cost_out_of_several_runs_has_to_grow_by_as_much_more_as_it_is_noisier():
    assert least_growth(0, 2) == pytest.approx(1.1**2 - 1)
    assert least_growth(0.1, 2) == pytest.approx(np.exp(0.6) - 1)
    assert least_growth(0, 0.5) == 0.1
    assert least_growth(0, float("inf")) > 1e300


def test_a_line_goes_through_runs_that_lie_on_one():
    assert straight_line(SIZES, [12 + 10e-6 * images for images in SIZES]) == pytest.approx((12, 10e-6))


def test_a_line_is_the_one_of_least_squares():
    seconds = [16.1, 25.0, 38.5]
    slope, fixed = np.polyfit(SIZES, seconds, 1)
    assert straight_line(SIZES, seconds) == pytest.approx((fixed, slope))


def test_noise_of_runs_moves_the_line_by_its_factors():
    random, seconds = np.random.default_rng(0), np.array([16.1, 25.0, 38.5])
    found = np.array([straight_line(SIZES, seconds * each) for each in random.normal(1, 0.01, (4_000, 3))])
    relative = found.std(axis=0) / found.mean(axis=0) / 0.01
    assert noise_factors(SIZES, seconds) == pytest.approx(relative, rel=0.05)


def test_processor_time_has_a_line_of_its_own_where_it_was_measured():
    fit = line_of(12, 20)["fit"]
    assert fit["core_microseconds"] == pytest.approx(20)
    assert fit["processor_microseconds"] == pytest.approx(0, abs=1e-6)
    assert fit["fixed_processor_seconds"] == pytest.approx(24)
    runs = [{"images": images, "seconds": 1 + images} for images in (1, 2, 3)]
    assert set(fitted(runs, 2)) == {"fixed_seconds", "core_microseconds"}
