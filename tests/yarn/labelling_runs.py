"""Runs of generate_labels over planted faces, and what holds for each of them in either mode."""

import json

from tests.jobs.planted_job import assert_same_labels

STEPS = {
    "sdd-fiqa": {"reading the list", "drawing the pool", "computing distances", "writing labels"},
    "margin": {"reading the list", "learning from a sample", "computing labels", "writing labels"},
}
# Flags that differ from those of all runs.
OF_METHOD = {"sdd-fiqa": {}, "margin": {"method": "margin", "rounds": None}}
NAMES = {"client": "fiqa-spark generate_labels", "cluster": "generate_labels.py"}


class LabellingRun:
    """A run that leaves its events in a folder.

    Parameters
    ----------
    cluster : Cluster
    faces : Faces
    destination : str
        Beside the data.
    form : {"features", "store"}
        Folder of the features, beside the data too.
    mode : {"client", "cluster"}
    events : path
        Empty folder on the local disk.
    method : {"sdd-fiqa", "margin"}
    """

    def __init__(self, cluster, faces, destination, form, mode, events, method="sdd-fiqa"):
        self._cluster, self._faces, self._destination, self._events = cluster, faces, destination, events
        self._form, self._mode, self._method = form, mode, method
        log = {"enabled": "true", "dir": events.as_uri(), "compress": "false", "rolling.enabled": "false"}
        settings = {f"spark.eventLog.{key}": value for key, value in log.items()}
        words = faces.arguments(destination, form, **OF_METHOD[method])
        self._run = cluster.start_run("generate_labels", *words, mode=mode, **settings)

    def wait(self):
        """Wait for the end."""
        self._run.wait()

    def assert_labels(self, spark, expected):
        """Labels are those of its method among these; ResourceManager and stages show what a person looks for."""
        run = self._run
        assert run.returncode == 0, run.stderr + run.driver_log()
        assert_same_labels(self._faces.labels(spark, self._destination), expected[self._method])
        assert self._cluster.names(f"{self._faces.name}/{self._destination}") == ["labels", "reference", "summary.json"]
        application = run.application()
        assert application["name"] == NAMES[self._mode]
        assert "fiqa-spark" in application["applicationTags"].split(",")
        assert application["finalStatus"] == "SUCCEEDED"
        of_form = {"importing features"} if self._form == "features" else set()
        assert _descriptions(self._events) == STEPS[self._method] | of_form


def _descriptions(folder):
    """Descriptions of all stages in an event log."""
    events = [json.loads(line) for path in folder.rglob("*") if path.is_file() for line in path.open(encoding="utf-8")]
    submitted = [event for event in events if event["Event"] == "SparkListenerStageSubmitted"]
    return {event["Properties"].get("spark.job.description") for event in submitted}
