"""A cluster for all tests of this folder, the data that lies on it, and the labels that local mode gives."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_labels
from tests.jobs.planted_job import FLAGS, Planted
from tests.jobs.recognizing import FACES, Recognizing
from tests.jobs.running import options, run_in
from tests.yarn.cluster import Cluster
from tests.yarn.every_job import QUOTA, SeveralJobs, jobs_of, to_log_events


def write_other_forms(folder):
    """Give the vectors in `features` two more forms.

    Bytes in Parquet, for which no Python worker is needed before the distances are computed, and a tree of .npy files.
    """
    table = pq.read_table(folder / "features" / "part-0.parquet")
    vectors = [np.array(vector, "<f4") for vector in table["feature"].to_pylist()]
    (folder / "bytes").mkdir()
    as_bytes = pa.array([vector.tobytes() for vector in vectors], pa.binary())
    pq.write_table(pa.table({"path": table["path"], "feature": as_bytes}), folder / "bytes" / "part-0.parquet")
    for path, vector in zip(table["path"].to_pylist(), vectors, strict=True):
        place = folder / "tree" / f"{path}.npy"
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, vector)


class Faces:
    """A planted data set of 280 images in a folder of HDFS, as bytes and as a tree, and the same on the local disk.

    Parameters
    ----------
    cluster : Cluster
    folder : path
        On the local disk.
    """

    name = "faces"

    def __init__(self, cluster, folder):
        self._cluster, self._planted = cluster, Planted(folder)
        write_other_forms(folder)
        cluster.put(self.name, *(folder / name for name in ("images.txt", "bytes", "tree")))

    def arguments(self, destination, features, **changes):
        """Flags of a run, but those that are None; a destination without a slash lies beside the data."""
        places = {
            "image_list_file": f"{self.name}/images.txt",
            "feature_root": f"{self.name}/{features}",
            "score_dst": destination if "/" in destination else f"{self.name}/{destination}",
        }
        flags = {**places, **FLAGS, "partition_by": "bucket", **changes}
        return options(**{name: value for name, value in flags.items() if value is not None})

    def audit_arguments(self, destination, **changes):
        """Flags of an audit of the features that were imported."""
        places = {"image_list_file": f"{self.name}/images.txt", "feature_root": f"{self.name}/store"}
        return options(**{**places, "dst": f"{self.name}/{destination}", "id_key_index": -2, **changes})

    def local_audit(self, spark):
        """Folder of the same audit by local mode."""
        folder = self._planted.folder
        places = {"image_list_file": folder / "images.txt", "feature_root": folder / "features"}
        words = self.audit_arguments("", **places, dst=folder / "audit")
        result = run_in(spark, "audit_identities", *words)
        assert result.returncode == 0, result.stderr
        return folder / "audit"

    def labels(self, spark, destination):
        """Path to row of what a run wrote."""
        folder = f"{self._cluster.home}/{self.name}/{destination}"
        rows = read_labels(spark, folder).collect()
        found = {row.path: row for row in rows}
        assert len(found) == len(rows), "a path has several rows"
        return found

    def local_labels(self, spark, **changes):
        """The same by local mode."""
        destination = "-".join(map(str, ("local", *changes.values())))
        flags = {
            "image_list_file": self._planted.folder / "images.txt",
            "score_dst": self._planted.folder / destination,
        }
        words = self.arguments(destination, "", feature_root=self._planted.folder / "features", **{**flags, **changes})
        result = run_in(spark, "generate_labels", *words)
        assert result.returncode == 0, result.stderr
        return self._planted.labels(spark, destination)

    def local_selection(self, spark, labels, **limits):
        """Text of the list that local mode selects out of what a run wrote."""
        folder, place = self._planted.folder, f"{self._cluster.home}/{self.name}/{labels}"
        words = options(labels=place, dst=folder / "chosen", image_list_file=folder / "images.txt", **limits)
        result = run_in(spark, "select_images", *words)
        assert result.returncode == 0, result.stderr
        return (folder / "chosen" / "list.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def cluster(spark, tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("hadoop"), spark)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def faces(cluster, tmp_path_factory):
    return Faces(cluster, tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="session")
def labels_of_distances(spark, faces):
    """Path to row as local mode labels them."""
    return faces.local_labels(spark)


@pytest.fixture(scope="session")
def scores(cluster, tmp_path_factory):
    """A text of random scores of the faces of `Recognizing`, which lie on HDFS, with their true UI centroid."""
    folder = tmp_path_factory.mktemp("recognizing")
    Recognizing(folder)
    planted = np.array([FACES.vectors[path] / np.linalg.norm(FACES.vectors[path]) for path in FACES.unrecognizable])
    np.save(folder / "known.npy", planted.mean(axis=0, dtype=np.float64))
    random = np.random.default_rng(0)
    text = "".join(f"{path} {random.uniform():.6f}\n" for path in FACES.paths)
    (folder / "scores.txt").write_text(text, encoding="utf-8")
    cluster.put("scored", *(folder / name for name in ("images.txt", "features", "known.npy")))
    cluster.put("compared", folder / "scores.txt")
    return folder / "scores.txt"


@pytest.fixture(scope="session")
def events(tmp_path_factory):
    """Folder on the local disk for Spark's events of every job."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="session")
def every_job(cluster, faces, scores, events):
    """An application that runs every job; it goes on while other tests send theirs."""
    cluster.put("small")
    cluster.set_space_quota("small", QUOTA)
    return SeveralJobs(cluster, jobs_of(faces), **to_log_events(events))
