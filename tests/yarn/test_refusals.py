"""Runs that cannot succeed in cluster mode: they say why, where those look who sent them, and leave nothing."""

import pytest

# Where YARN may try an application twice, a fault of the user's is none to try again. No executor is needed to find it.
TWO_ATTEMPTS = {"spark.yarn.maxAppAttempts": 2, "spark.dynamicAllocation.initialExecutors": 0}
# What is wrong, and how the run tells of it.
BAD_INPUT = {
    "before the session": ({"fix_number": 3}, "unrecognized arguments: --fix-number 3; see --help"),
    "in the session": ({"image_list_file": "faces/none.txt"}, "--image-list-file faces/none.txt: no such file"),
}


@pytest.fixture(scope="module")
def refused(cluster, faces):
    """Name to run, each with something wrong; at once, which takes less time than one after the other."""
    runs = {
        name: cluster.start_run(
            "generate_labels", *faces.arguments("bad", "bytes", **changes), mode="cluster", **TWO_ATTEMPTS
        )
        for name, (changes, _) in BAD_INPUT.items()
    }
    for run in runs.values():
        run.wait()
    return runs


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_told_and_not_tried_again(cluster, refused, name):
    run, said = refused[name], f"generate_labels: error: {BAD_INPUT[name][1]}"
    assert run.returncode != 0
    application = run.application()
    assert (application.state, application.final_status) == ("FINISHED", "FAILED")
    assert application.diagnostics.startswith(said)
    assert "\n" not in application.diagnostics.strip()
    assert f"Application diagnostics message: {said}" in run.stderr
    assert said in run.driver_log()
    assert "Traceback" not in run.driver_log()
    assert application.attempts == 1
    assert "bad" not in cluster.names("faces")
