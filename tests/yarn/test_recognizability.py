"""Scores on the cluster by a centroid that is found in the driver's container, and by one that lies on HDFS."""

import json

from fiqa_spark import read_recognizability
from tests.jobs.recognizing import FACES
from tests.unrecognizable_faces import score_rows


def test_scores_are_those_of_local_mode_whether_the_centroid_is_found_or_given(spark, cluster, every_job):
    local = score_rows(spark, FACES.paths, FACES.vectors)
    told = {name: every_job.assert_succeeded(name) for name in ("found", "given")}
    for name in told:
        found = {row.path: row for row in read_recognizability(spark, f"{cluster.home}/scored/{name}").collect()}
        assert found.keys() == local.keys()
        for path, row in found.items():
            assert (row.status, row.recognizable) == (local[path].status, local[path].recognizable)
            assert abs(row.ers - local[path].ers) < 1e-6
    assert cluster.names("scored/found") == ["recognizability", "summary.json", "templates", "ui_centroid.npy"]
    assert "UI cluster 45 images of 45 identities" in told["found"]
    summary = json.loads(cluster.read("scored/given/summary.json"))
    assert summary["ui_centroid"]["path"] == f"{cluster.home}/scored/known.npy"
