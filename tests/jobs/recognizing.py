"""Faces among which some are unrecognizable, on disk, and what the job makes of them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from fiqa_spark import read_recognizability
from tests.jobs.running import options
from tests.unrecognizable_faces import planted_faces

FACES = planted_faces()


class Recognizing:
    """A folder with a list and features among which some images are unrecognizable, and the job run on it."""

    def __init__(self, folder):
        self.folder = folder
        self.write_list("images.txt", FACES.paths)
        self.write_features("features", FACES.vectors)

    def write_list(self, name, paths):
        (self.folder / name).write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        return self.folder / name

    def write_features(self, name, vectors):
        (self.folder / name).mkdir()
        table = {"path": list(vectors), "feature": pa.array(map(list, vectors.values()), pa.list_(pa.float32()))}
        pq.write_table(pa.table(table), self.folder / name / "part-0.parquet")
        return self.folder / name

    def arguments(self, destination, *words, **changes):
        places = {"image_list_file": self.folder / "images.txt", "feature_root": self.folder / "features"}
        flags = {"id_key_index": -2, "score_dst": self.folder / destination}
        return [*options(**{**places, **flags, **changes}), *words]

    def scores(self, spark, destination):
        rows = read_recognizability(spark, str(self.folder / destination)).collect()
        assert len({row.path for row in rows}) == len(rows)
        return {row.path: row for row in rows}

    def summary(self, destination):
        return json.loads((self.folder / destination / "summary.json").read_text(encoding="utf-8"))
