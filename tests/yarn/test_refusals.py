"""Runs that cannot succeed: they say why, where those look who sent them, and leave nothing."""

import pytest

from tests.jobs.running import message
from tests.yarn.hadoop import USER

# Where YARN may try an application twice, a fault of the user's is none to try again.
TWO_ATTEMPTS = {"spark.yarn.maxAppAttempts": 2}


# What is wrong, and how the run tells of it.
BAD_INPUT = {
    "before the session": ({"fix_number": 3}, "unrecognized arguments: --fix-number 3; see --help"),
    "in the session": ({"id_key_index": -9}, "--id-key-index -9: path 'person_"),
}


@pytest.fixture(scope="module")
def refused(cluster, faces, many_faces):
    """Name to run, each with something wrong; at once, which takes less time than one after the other."""
    runs = {
        name: cluster.start_run("generate_labels", *faces.arguments("bad", **changes), mode="cluster", **TWO_ATTEMPTS)
        for name, (changes, _) in BAD_INPUT.items()
    }
    name = {"spark.app.name": "labels of today"}
    runs["destination"] = cluster.start_run("generate_labels", *faces.arguments("/user/labels"), mode="client", **name)
    cluster.put("small")
    # A block of 4 MiB counts as full while it is written, so that this is room for one and a few small files.
    cluster.hadoop.dfsadmin("-setSpaceQuota", str(5 << 20), "/user/alice/small")
    words = many_faces.arguments("small/labels", estimator="sampled", rounds=100)
    runs["quota"] = cluster.start_run("generate_labels", *words, mode="client", **{"spark.executor.cores": 1})
    for run in runs.values():
        run.wait()
    return runs


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_in_cluster_mode_is_told_and_not_tried_again(cluster, refused, name):
    run, said = refused[name], f"generate_labels: error: {BAD_INPUT[name][1]}"
    assert run.returncode != 0
    application = run.application()
    assert (application["state"], application["finalStatus"]) == ("FINISHED", "FAILED")
    assert application["diagnostics"].startswith(said)
    assert "\n" not in application["diagnostics"].strip()
    assert f"Application diagnostics message: {said}" in run.stderr
    assert said in run.driver_log()
    assert "Traceback" not in run.driver_log()
    assert cluster.hadoop.attempts(application["id"]) == 1
    assert "bad" not in cluster.names("faces")


def test_a_destination_that_may_not_be_written(cluster, refused):
    run = refused["destination"]
    assert run.returncode == 2
    said = message(run)
    for part in ("--score-dst /user/labels: cannot write in", "Permission denied: user=alice", "choose a folder that"):
        assert part in said
    assert cluster.names("/user") == [USER]
    application = run.application()
    assert (application["name"], application["finalStatus"]) == ("labels of today", "FAILED")


def test_a_quota_that_is_reached_while_labels_are_written(cluster, refused):
    run = refused["quota"]
    assert run.returncode == 2, run.stderr
    said = message(run)
    assert "The DiskSpace quota of /user/alice/small is exceeded" in said
    assert "make room at the destination" in said
    assert "computing distances: " in run.stderr
    assert cluster.names("small") == []
