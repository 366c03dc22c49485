"""The planted data set and its labels, for all tests of a file."""

import pytest

from tests.jobs.planted_job import Planted
from tests.jobs.running import Resident, submit


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return Planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def reference(spark, planted):
    result = submit("generate_labels", *planted.arguments("reference"))
    assert result.returncode == 0, result.stderr
    return planted.labels(spark, "reference"), result


@pytest.fixture(scope="session")
def resident():
    """A process that runs one job after the other."""
    process = Resident()
    yield process
    process.stop()
