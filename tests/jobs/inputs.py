"""A list and features that are sound until a test breaks them, and how a job refuses them."""

import itertools
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.jobs.running import message, options
from tests.labelling import embeddings_of, paths_of

PATHS = paths_of([4, 3, 5, 4])


def key_of(path):
    """What a feature store calls an image of these paths."""
    return path.removesuffix(".jpg")


def stored_vectors(store):
    """Path to the bytes of the vector, of a feature store."""
    vectors = {}
    for part in store.glob("part-*.parquet"):
        for row in pq.read_table(part).to_pylist():
            lengths = row["lengths"] or [len(row["features"]) // len(row["keys"]) // 4] * len(row["keys"])
            ends = [4 * end for end in itertools.accumulate(lengths)]
            for key, begin, end in zip(row["keys"], [0, *ends], ends, strict=False):
                assert key not in vectors
                vectors[key] = row["features"][begin:end] if end > begin else None
    return vectors


class Inputs:
    """A folder with a list and features, and a job run on them."""

    def __init__(self, folder, run_job):
        self.folder, self.run_job, self.job = folder, run_job, "generate_labels"
        self.list = folder / "images.txt"
        self.features = folder / "features"
        self.destination = folder / "out" / "labels-of-today"
        self.flags = {"id_key_index": -2, "pool_size": 50}
        self.destination.parent.mkdir()
        self.write_list(PATHS)
        self.write_features(embeddings_of(PATHS))

    def write_list(self, paths):
        self.list.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")

    def write_features(self, vectors, **columns):
        self.features.mkdir(exist_ok=True)
        table = pa.table(
            {
                columns.get("path", "path"): list(vectors),
                columns.get("feature", "feature"): pa.array(map(list, vectors.values()), pa.list_(pa.float32())),
            }
        )
        pq.write_table(table, self.features / "part-0.parquet")

    def write_tree(self, vectors):
        for file in self.features.glob("*.parquet"):
            file.unlink()
        for path, vector in vectors.items():
            file = self.features / pathlib.Path(path).with_suffix(".npy")
            file.parent.mkdir(exist_ok=True)
            np.save(file, vector)

    def write_matrix(self, vectors):
        self.features = self.folder / "features.npy"
        np.save(self.features, np.array(list(vectors.values())))

    def run(self):
        places = {"image_list_file": self.list, "feature_root": self.features, "score_dst": self.destination}
        return self.run_job(self.job, *options(**{**places, **self.flags}))


def refused(inputs, *parts):
    """Run the job, check that its one line holds all of these parts and that nothing was written; what the run gave."""
    before = sorted(inputs.destination.parent.iterdir())
    result = inputs.run()
    assert result.returncode == 2, result.stderr
    line = message(result)
    for part in parts:
        assert str(part) in line, line
    assert result.stdout == ""
    assert sorted(inputs.destination.parent.iterdir()) == before
    return result
