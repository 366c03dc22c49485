"""Labels, features, image files and pairs on disk, and the job that compares label sets run on them."""

import io
import json

import numpy as np
from PIL import Image

from tests.jobs.inputs import PATHS, Inputs
from tests.jobs.running import options

QUALITIES = {
    path: round(value, 3)
    for path, value in zip(PATHS, np.random.default_rng(0).uniform(0, 100, len(PATHS)), strict=True)
}


class Evaluating(Inputs):
    """A folder with a text of scores and features that are sound until a test breaks them."""

    def __init__(self, folder, run_job):
        super().__init__(folder, run_job)
        self.job, self.flags = "evaluate_labels", {"id_key_index": -2, "at_fmr": 0.1}
        self.labels = folder / "scores.txt"
        self.pairs = folder / "pairs.csv"
        self.words = ()
        self.write_labels(QUALITIES)

    def write_labels(self, qualities):
        self.labels.write_text("".join(f"{path} {value}\n" for path, value in qualities.items()), encoding="utf-8")

    def write_pairs(self, rows, header="path_a,path_b,same"):
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        self.pairs.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self.flags["pairs_file"] = self.pairs

    def write_images(self, paths):
        """Grey squares, whose shade tells them apart, below the folder ``images``."""
        for number, path in enumerate(paths):
            file = self.folder / "images" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            picture = io.BytesIO()
            Image.new("RGB", (40, 50), (number * 7 % 256, 90, 200)).save(picture, "JPEG")
            file.write_bytes(picture.getvalue())
        self.flags["image_root"] = self.folder / "images"

    def run(self):
        places = {"labels": self.labels, "feature_root": self.features, "dst": self.destination}
        flags = {name: value for name, value in {**places, **self.flags}.items() if value is not None}
        return self.run_job(self.job, *options(**flags), *self.words)

    def summary(self):
        return json.loads((self.destination / "summary.json").read_text(encoding="utf-8"))
