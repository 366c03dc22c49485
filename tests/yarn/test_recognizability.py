"""Scores on the cluster: the clustering in the driver's container, and a later run by the centroid that lies on HDFS."""

import json

from fiqa_spark import read_recognizability
from tests.jobs.recognizing import FACES, Recognizing
from tests.jobs.running import options


def test_the_centroid_that_cluster_mode_finds_serves_client_mode(spark, cluster, tmp_path):
    recognizing = Recognizing(tmp_path)
    cluster.hadoop.dfs("-mkdir", "-p", "ers")
    cluster.hadoop.dfs("-put", str(tmp_path / "images.txt"), str(tmp_path / "features"), "ers")
    places = {"image_list_file": "ers/images.txt", "feature_root": "ers/features", "id_key_index": -2}
    words = options(**places, score_dst="ers/found", partition_by="bucket")
    run = cluster.run("score_recognizability", *words, "--templates", mode="cluster")
    assert run.returncode == 0, run.stderr + run.driver_log()
    assert "UI cluster 45 images of 45 identities" in run.driver_log()
    assert cluster.names("ers/found") == ["recognizability", "summary.json", "templates", "ui_centroid.npy"]
    summary = json.loads(cluster.hadoop.dfs("-cat", "ers/found/summary.json"))
    assert summary["recognizable"] == len(FACES.paths) - len(FACES.unrecognizable)
    words = options(**places, score_dst="ers/later", partition_by="bucket", ui_centroid="ers/found/ui_centroid.npy")
    run = cluster.run("score_recognizability", *words, mode="client")
    assert run.returncode == 0, run.stderr
    folders = [f"{cluster.home}/ers/{name}" for name in ("found", "later")]
    first, later = ({row.path: row for row in read_recognizability(spark, folder).collect()} for folder in folders)
    assert first == later
    assert {path for path, row in first.items() if not row.recognizable} == FACES.unrecognizable
