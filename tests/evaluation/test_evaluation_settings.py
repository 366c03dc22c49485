"""How many non-mated pairs an evaluation draws."""

import pytest

from fiqa_spark.evaluation.settings import EvaluationSettings, pairs_of_fmr

pytestmark = pytest.mark.lowest_versions


def wanted(**given):
    return EvaluationSettings(feature_root="features", **given).wanted_non_mated


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 1_000_000),
        ({"at_fmr": (0.01, 1e-5)}, 3_150_000),
        ({"at_fmr": (7e-6,)}, 4_500_001),
        ({"at_fmr": (1e-7,)}, 20_000_000),
        ({"at_fmr": ()}, 1_000_000),
        # FMRs that no curve is asked for want no pairs.
        ({"at_fmr": (1e-5,), "error": ("fmr",)}, 1_000_000),
        ({"starting_error": (1e-5,)}, 1_000_000),
        ({"starting_error": (0.1, 1e-5), "error": ("fmr",)}, 3_150_000),
        ({"starting_error": (1e-5,), "at_fmr": (5e-6,), "error": ("fnmr", "fmr")}, 6_300_000),
    ],
)
def test_as_many_non_mated_pairs_as_the_smallest_fmr_needs_up_to_the_limit(given, expected):
    assert wanted(**given) == expected


@pytest.mark.parametrize("given", [60, 1_500_000])
def test_a_number_of_pairs_that_a_user_gives_is_kept(given):
    assert wanted(at_fmr=(1e-5,), non_mated=given) == given
    assert wanted(at_fmr=(1e-5,), non_mated=1_000_000, origins={"non_mated": "flag"}) == 1_000_000


def test_the_threshold_of_an_fmr_needs_thirty_pairs_above_it():
    assert [pairs_of_fmr(fmr) for fmr in (0.1, 0.01, 1e-3, 1e-6)] == [300, 3000, 30_000, 30_000_000]
