"""The planted data set and its labels, for all tests of a process; each writes to a destination of its own."""

import functools

import pytest

from tests.jobs.inputs import Inputs
from tests.jobs.planted_job import Planted
from tests.jobs.running import run_in


@pytest.fixture(scope="session")
def run_job(spark):
    """Runs a job in the session of the tests: ``run_job("generate_labels", *arguments)``."""
    return functools.partial(run_in, spark)


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    return Planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def reference(spark, planted, run_job):
    result = run_job("generate_labels", *planted.arguments("reference"))
    assert result.returncode == 0, result.stderr
    return planted.labels(spark, "reference"), result


@pytest.fixture
def inputs(tmp_path, run_job):
    return Inputs(tmp_path, run_job)
