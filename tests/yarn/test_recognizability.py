"""Scores on the cluster by a centroid that is found in the driver's container, and by one that lies on HDFS."""

import json

import numpy as np

from fiqa_spark import read_recognizability
from tests.jobs.recognizing import FACES, Recognizing
from tests.jobs.running import options, run_in
from tests.unrecognizable_faces import score_rows


def test_scores_are_those_of_local_mode_whether_the_centroid_is_found_or_given(spark, cluster, tmp_path):
    local = score_rows(spark, FACES.paths, FACES.vectors)
    planted = np.array([FACES.vectors[path] / np.linalg.norm(FACES.vectors[path]) for path in FACES.unrecognizable])
    folder = Recognizing(tmp_path).folder
    files = [folder / name for name in ("images.txt", "features", "known.npy")]
    np.save(files[2], planted.mean(axis=0, dtype=np.float64))
    cluster.put("ers", *files)
    run = cluster.start_run("score_recognizability", *arguments("ers", "found"), "--templates", mode="cluster")
    # Meanwhile, over the same files of HDFS in local mode.
    here, known = f"{cluster.home}/ers", f"{cluster.home}/ers/known.npy"
    given = run_in(spark, "score_recognizability", *arguments(here, "given"), "--ui-centroid", known)
    assert given.returncode == 0, given.stderr
    run.wait()
    assert run.returncode == 0, run.stderr + run.driver_log()
    for name in ("found", "given"):
        found = {row.path: row for row in read_recognizability(spark, f"{here}/{name}").collect()}
        assert found.keys() == local.keys()
        for path, row in found.items():
            assert (row.status, row.recognizable) == (local[path].status, local[path].recognizable)
            assert abs(row.ers - local[path].ers) < 1e-6
    assert cluster.names("ers/found") == ["recognizability", "summary.json", "templates", "ui_centroid.npy"]
    assert "UI cluster 45 images of 45 identities" in run.driver_log()
    summary = json.loads(cluster.read("ers/given/summary.json"))
    assert summary["ui_centroid"]["path"] == known


def arguments(folder, destination):
    """Flags of a run over the data in a folder."""
    places = {"image_list_file": f"{folder}/images.txt", "feature_root": f"{folder}/features"}
    return options(**places, id_key_index=-2, score_dst=f"{folder}/{destination}", partition_by="bucket")
