"""Every job in cluster mode, with features in every form that HDFS can hold."""

import pathlib

from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import message
from tests.yarn.every_job import CHOSEN, LABELS, MARGIN, descriptions
from tests.yarn.hadoop import JARS, USER


def test_hadoop_is_of_the_version_of_sparks_own_client():
    import pyspark

    jars = pathlib.Path(pyspark.__file__).parent / "jars"
    client = {path.name.removeprefix("hadoop-client-api-") for path in jars.glob("hadoop-client-api-*.jar")}
    server = {path.name.removeprefix("hadoop-hdfs-") for path in JARS.glob("hadoop-hdfs-[0-9]*.jar")}
    assert client == server


def test_features_are_imported(cluster, every_job):
    assert "features of length 16" in every_job.assert_succeeded("import")
    assert "_feature_store.json" in cluster.names("faces/store")


def test_labels_of_a_tree_are_those_of_local_mode(spark, cluster, faces, every_job, labels_of_distances):
    every_job.assert_succeeded("distances")
    assert_same_labels(faces.labels(spark, "distances"), labels_of_distances)
    assert cluster.names("faces/distances") == LABELS


def test_margins_of_a_store_are_those_of_local_mode(spark, cluster, faces, every_job):
    expected = faces.local_labels(spark, **MARGIN)
    every_job.assert_succeeded("margins")
    assert_same_labels(faces.labels(spark, "margins"), expected)
    assert cluster.names("faces/margins") == LABELS


def test_stages_tell_what_they_are_for(every_job, events):
    every_job.run.wait()
    of_a_tree_and_of_margins = {"importing features", "learning from a sample", "computing labels"}
    assert of_a_tree_and_of_margins <= descriptions(events)


def test_labels_are_exported(spark, cluster, faces, every_job):
    every_job.assert_succeeded("export")
    lines = cluster.read("faces/labels.csv").splitlines()
    assert lines[0].startswith("path,identity,label,")
    assert len(lines) == len(faces.labels(spark, "distances")) + 1
    assert cluster.names("faces").count("labels.csv") == 1


def test_images_are_selected_as_in_local_mode(spark, cluster, faces, every_job):
    every_job.assert_succeeded("selection")
    expected = faces.local_selection(spark, "distances", **CHOSEN)
    assert 30 < len(expected.splitlines()) <= CHOSEN["most"]
    assert cluster.names("faces/chosen") == ["dropped", "list.txt", "summary.json"]
    assert cluster.read("faces/chosen/list.txt") == expected


def test_a_destination_that_may_not_be_written_is_told(cluster, every_job):
    result = every_job.result("no right")
    assert result.returncode == 2
    said = message(result)
    for part in ("--score-dst /user/labels: cannot write in", "Permission denied: user=alice", "choose a folder that"):
        assert part in said
    assert cluster.names("/user") == [USER]


def test_a_quota_that_is_reached_while_labels_are_written_is_told(cluster, every_job):
    result = every_job.result("no room")
    assert result.returncode == 2, result.stderr
    said = message(result)
    assert "The DiskSpace quota of /user/alice/small is exceeded" in said
    assert "make room at the destination" in said
    assert "computing distances: " in result.stderr
    assert cluster.names("small") == []


def test_nothing_is_left_beside_the_results(cluster, every_job):
    every_job.run.wait()
    assert every_job.run.application().final_status == "SUCCEEDED"
    for folder in ("faces", "scored", "compared"):
        assert not [name for name in cluster.names(folder) if name.startswith(".")]
