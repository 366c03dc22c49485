"""Every job over files of HDFS: one application, whose driver on the cluster runs them one after another."""

import json
import types

from tests.jobs.running import options
from tests.yarn.several_jobs import BETWEEN, RESULT

# Flags that differ from those of all labelling runs.
MARGIN = {"method": "margin", "rounds": None}
LABELS = ["labels", "reference", "summary.json"]
AUDITED = ["identities", "identity_pairs", "images", "reference"]
# Of the labels of distances.
CHOSEN = {"least_label": 40, "per_identity_most": 4, "most": 60, "per_identity_least": 2}
# A block counts as full while it is written, one of 4 MiB of a small file and one of 128 MiB of labels.
QUOTA = 5 << 20


def jobs_of(faces):
    """What is run, to the job and its words, in this order."""
    scored = {"image_list_file": "scored/images.txt", "feature_root": "scored/features", "id_key_index": -2}
    scored["partition_by"] = "bucket"
    compared = {"labels": "compared/scores.txt", "judge": "own=scored/features", "id_key_index": -2}
    return {
        "import": ("import_features", *options(source="faces/tree", dst="faces/store", id_key_index=-2)),
        "distances": ("generate_labels", *faces.arguments("distances", "tree")),
        "margins": ("generate_labels", *faces.arguments("margins", "store", **MARGIN)),
        "audit": ("audit_identities", *faces.audit_arguments("audit")),
        "export": ("export_labels", *options(labels="faces/distances", format="csv", dst="faces/labels.csv")),
        "selection": ("select_images", *options(labels="faces/distances", dst="faces/chosen", **CHOSEN)),
        "found": ("score_recognizability", *options(**scored, score_dst="scored/found"), "--templates"),
        "given": (
            "score_recognizability",
            *options(**scored, score_dst="scored/given", ui_centroid="scored/known.npy"),
        ),
        "curves": ("evaluate_labels", *options(**compared, dst="compared/out", non_mated=2000, at_fmr=0.01)),
        "no right": ("generate_labels", *faces.arguments("/user/labels", "store")),
        "no room": ("generate_labels", *faces.arguments("small/labels", "store")),
    }


class SeveralJobs:
    """The application that runs them.

    Parameters
    ----------
    cluster : Cluster
    jobs : dict
        As from `jobs_of`.
    **settings
        Of Spark.
    """

    def __init__(self, cluster, jobs, **settings):
        self._names, self._results = list(jobs), None
        words = [word for job in jobs.values() for word in (*job, BETWEEN)]
        # Its Python holds what all jobs import.
        self.run = cluster.start_several(*words, mode="cluster", **{"spark.driver.memoryOverhead": "1g"}, **settings)

    def result(self, name):
        """What became of a job, with `returncode`, `stdout` and `stderr`; waits for the application's end."""
        if self._results is None:
            self.run.wait()
            printed = self.run.driver_log()
            lines = [line for line in printed.splitlines() if line.startswith(RESULT)]
            assert len(lines) == len(self._names), self.run.stderr + printed
            self._results = [types.SimpleNamespace(**json.loads(line.removeprefix(RESULT))) for line in lines]
        return self._results[self._names.index(name)]

    def assert_succeeded(self, name):
        """A job has ended well; returns what it printed."""
        result = self.result(name)
        assert result.returncode == 0, result.stderr
        return result.stdout


def to_log_events(folder):
    """Settings of an application that leaves its events in a local folder, uncompressed."""
    log = {"enabled": "true", "dir": folder.as_uri(), "compress": "false", "rolling.enabled": "false"}
    return {f"spark.eventLog.{key}": value for key, value in log.items()}


def descriptions(folder):
    """Descriptions of the stages in an event log that have one; a look at the first vectors has none."""
    events = [json.loads(line) for path in folder.rglob("*") if path.is_file() for line in path.open(encoding="utf-8")]
    submitted = [event for event in events if event["Event"] == "SparkListenerStageSubmitted"]
    return {event["Properties"].get("spark.job.description") for event in submitted} - {None}
