"""The planted data set and its labels, for all tests of a process; each writes to a destination of its own."""

import pytest

from tests.jobs.inputs import Inputs
from tests.jobs.planted_job import Planted
from tests.jobs.running import Resident, submit


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    return Planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
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


@pytest.fixture
def inputs(tmp_path, resident):
    return Inputs(tmp_path, resident)


@pytest.fixture(params=["spark-submit", "resident"])
def either_way(inputs, request):
    """The same inputs, once by spark-submit: what reaches the terminal and the exit code are the same."""
    if request.param == "spark-submit":
        inputs.submit = submit
    return inputs
