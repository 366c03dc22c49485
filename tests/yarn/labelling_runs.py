"""Runs of generate_labels over planted faces, and what holds for each of them in either mode."""

import json

from tests.jobs.planted_job import assert_same_labels

STEPS = {"importing features", "reading the list", "drawing the pool", "computing distances", "writing labels"}
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
    """

    def __init__(self, cluster, faces, destination, form, mode, events):
        self._cluster, self._faces, self._destination, self._events = cluster, faces, destination, events
        self._form, self._mode = form, mode
        log = {"enabled": "true", "dir": events.as_uri(), "compress": "false", "rolling.enabled": "false"}
        settings = {f"spark.eventLog.{key}": value for key, value in log.items()}
        self._run = cluster.start_run("generate_labels", *faces.arguments(destination, form), mode=mode, **settings)

    def wait(self):
        """Wait for the end."""
        self._run.wait()

    def assert_labels(self, spark, expected):
        """Labels are these, and the ResourceManager and the list of stages show what a person looks for there."""
        run = self._run
        assert run.returncode == 0, run.stderr + run.driver_log()
        assert_same_labels(self._faces.labels(spark, self._destination), expected)
        assert self._cluster.names(f"{self._faces.name}/{self._destination}") == ["labels", "summary.json"]
        application = run.application()
        assert application["name"] == NAMES[self._mode]
        assert "fiqa-spark" in application["applicationTags"].split(",")
        assert application["finalStatus"] == "SUCCEEDED"
        assert _descriptions(self._events) == (STEPS if self._form == "features" else STEPS - {"importing features"})


def _descriptions(folder):
    """Descriptions of all stages in an event log."""
    events = [json.loads(line) for path in folder.rglob("*") if path.is_file() for line in path.open(encoding="utf-8")]
    submitted = [event for event in events if event["Event"] == "SparkListenerStageSubmitted"]
    return {event["Properties"].get("spark.job.description") for event in submitted}
