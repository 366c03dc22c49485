"""Runs that cannot succeed: they say why, where those look who sent them, and leave nothing."""

import pytest

from tests.jobs.running import message

# Where YARN may try an application twice, a fault of the user's is none to try again.
TWO_ATTEMPTS = {"spark.yarn.maxAppAttempts": 2}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id_key_index": -9}, "generate_labels: error: --id-key-index -9: path 'person_"),
        ({"fix_number": 3}, "generate_labels: error: unrecognized arguments: --fix-number 3; see --help"),
    ],
    ids=["before the session", "in the session"][::-1],
)
def test_bad_input_in_cluster_mode_is_told_and_not_tried_again(cluster, faces, changes, said):
    run = cluster.run("generate_labels", *faces.arguments("bad", **changes), mode="cluster", **TWO_ATTEMPTS)
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


def test_a_destination_that_may_not_be_written(cluster, faces):
    before = cluster.names("/user")
    name = {"spark.app.name": "labels of today"}
    run = cluster.run("generate_labels", *faces.arguments("/user/labels"), mode="client", **name)
    assert run.returncode == 2
    said = message(run)
    for part in ("--score-dst /user/labels: cannot write in", "Permission denied: user=alice", "choose a folder that"):
        assert part in said
    assert cluster.names("/user") == before
    application = run.application()
    assert (application["name"], application["finalStatus"]) == ("labels of today", "FAILED")


def test_a_quota_that_is_reached_while_labels_are_written(cluster, many_faces):
    cluster.hadoop.dfs("-mkdir", "small")
    # A block of 4 MiB counts as full while it is written, so that this is room for one and a few small files.
    cluster.hadoop.dfsadmin("-setSpaceQuota", str(5 << 20), "/user/alice/small")
    words = many_faces.arguments("small/labels", estimator="sampled", rounds=100)
    run = cluster.run("generate_labels", *words, mode="client", **{"spark.executor.cores": 1})
    assert run.returncode == 2, run.stderr
    said = message(run)
    assert "The DiskSpace quota of /user/alice/small is exceeded" in said
    assert "make room at the destination" in said
    assert "computing distances: " in run.stderr
    assert cluster.names("small") == []
