"""Label sets compared on the cluster: features, labels and pairs on HDFS, the page made in the driver's container."""

import json

from fiqa_spark.evaluation.evaluate import evaluate
from fiqa_spark.evaluation.label_sets import read_label_sets
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.storage import Storage
from tests.jobs.recognizing import FACES
from tests.labelling import features_frame

FILES = ["cuts.csv", "cuts.parquet", "edc.csv", "edc.parquet", "report.html", "summary.json"]


def test_curves_are_those_of_local_mode_and_the_page_is_on_hdfs(spark, cluster, scores, every_job):
    settings = EvaluationSettings(feature_root="x", id_key_index=-2, non_mated=2000, at_fmr=(0.01,))
    storage, keyed = Storage(spark), keyed_features(features_frame(spark, FACES.vectors), -2)
    sets = read_label_sets(spark, storage, (scores.as_uri(),))
    local = evaluate(spark, storage, sets, settings, Steps(spark), lambda *_: keyed)
    every_job.assert_succeeded("curves")
    assert cluster.names("compared/out") == FILES
    found = json.loads(cluster.read("compared/out/summary.json"))["comparisons"]
    [judge] = local.judges
    assert len(found) == len(judge.comparisons) == 3
    for comparison, expected in zip(found, judge.comparisons, strict=True):
        assert abs(comparison["threshold"] - expected.threshold) < 1e-6
        areas = comparison["label_sets"]["scores.txt"]["areas"]
        assert [area["pauc"] for area in areas] == [area.value for area in expected.curves[0].areas]
    page = cluster.read("compared/out/report.html")
    assert page.count("data:image/svg+xml") > 5
    assert "scores.txt" in page
