"""Of a test's cases, those that the lowest versions run too: one for each way through Spark, Arrow and pandas."""

import pytest


def on_lowest(cases, *chosen):
    """Cases of a test by name, the chosen ones marked; the newest versions run them all."""
    assert set(chosen) <= set(cases), f"no such cases: {set(chosen) - set(cases)}"
    return [pytest.param(case, marks=pytest.mark.lowest_versions) if case in chosen else case for case in cases]
