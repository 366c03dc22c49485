"""Scores on the cluster: by a centroid that is found in the driver's container, and by one that lies on HDFS."""

import json

import numpy as np

from fiqa_spark import read_recognizability
from tests.jobs.recognizing import FACES, Recognizing
from tests.jobs.running import options
from tests.unrecognizable_faces import score_rows


def test_scores_are_those_of_local_mode_whether_the_centroid_is_found_or_given(spark, cluster, tmp_path):
    local = score_rows(spark, FACES.paths, FACES.vectors)
    planted = np.array([FACES.vectors[path] / np.linalg.norm(FACES.vectors[path]) for path in FACES.unrecognizable])
    folder = Recognizing(tmp_path).folder
    files = [folder / name for name in ("images.txt", "features", "known.npy")]
    np.save(files[2], planted.mean(axis=0, dtype=np.float64))
    cluster.put("ers", *files)
    places = {"image_list_file": "ers/images.txt", "feature_root": "ers/features", "id_key_index": -2}
    flags = {"cluster": ["--templates"], "client": ["--ui-centroid", "ers/known.npy"]}
    # Both modes at once, which takes less time than one after the other.
    runs = {
        mode: cluster.start_run(
            "score_recognizability",
            *options(**places, score_dst=f"ers/{mode}", partition_by="bucket"),
            *words,
            mode=mode,
        )
        for mode, words in flags.items()
    }
    for mode, run in runs.items():
        run.wait()
        assert run.returncode == 0, run.stderr + run.driver_log()
        found = {row.path: row for row in read_recognizability(spark, f"{cluster.home}/ers/{mode}").collect()}
        assert found.keys() == local.keys()
        for path, row in found.items():
            assert (row.status, row.recognizable) == (local[path].status, local[path].recognizable)
            assert abs(row.ers - local[path].ers) < 1e-6
    assert cluster.names("ers/cluster") == ["recognizability", "summary.json", "templates", "ui_centroid.npy"]
    assert "UI cluster 45 images of 45 identities" in runs["cluster"].driver_log()
    summary = json.loads(cluster.read("ers/client/summary.json"))
    assert summary["ui_centroid"]["path"] == f"{cluster.home}/ers/known.npy"
