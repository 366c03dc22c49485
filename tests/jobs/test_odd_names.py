"""Files and folders whose names Hadoop does not take: as every path of every job they do their work or are named."""

import os
import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_labels
from tests.jobs.inputs import PATHS
from tests.jobs.running import message, options
from tests.labelling import DIMENSION, embeddings_of

VECTORS = embeddings_of(PATHS)
QUALITIES = {path: float(number) for number, path in enumerate(PATHS)}


class Files:
    """A folder with one sound input of every form, which the jobs take as any of their paths."""

    def __init__(self, folder, run_job):
        self.folder, self.run_job = folder, run_job
        self.write_text("images.txt", "".join(f"{path}\n" for path in PATHS))
        self.write_text("known.txt", "".join(f"{path}\n" for path in PATHS[:4]))
        self.write_text("scores.txt", "".join(f"{path} {value}\n" for path, value in QUALITIES.items()))
        pairs = [("p0/0.jpg", "p0/1.jpg", 1), ("p1/0.jpg", "p1/1.jpg", 1), ("p2/0.jpg", "p1/1.jpg", 0)]
        rows = "".join(f"{a},{b},{same}\n" for a, b, same in pairs)
        self.write_text("pairs.csv", f"path_a,path_b,same\n{rows}")
        pq.write_table(pa.table({"path": PATHS}), folder / "list.parquet")
        (folder / "list").mkdir()
        shutil.copy(folder / "list.parquet", folder / "list" / "part-0.parquet")
        (folder / "features").mkdir()
        vectors = pa.array(map(list, VECTORS.values()), pa.list_(pa.float32()))
        table = pa.table({"path": PATHS, "feature": vectors})
        pq.write_table(table.slice(0, 8), folder / "features" / "part-0.parquet")
        pq.write_table(table.slice(8), folder / "features" / "part-1.parquet")
        pq.write_table(table, folder / "features.parquet")
        np.save(folder / "matrix.npy", np.array(list(VECTORS.values())))
        np.save(folder / "centroid.npy", np.ones(DIMENSION))
        for path, vector in VECTORS.items():
            file = folder / "tree" / pathlib.Path(path).with_suffix(".npy")
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, vector)

    def write_text(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self, job, **flags):
        """Run a job whose flags name entries of the folder, or hold numbers."""
        words = {name: self.folder / value if isinstance(value, str) else value for name, value in flags.items()}
        return self.run_job(job, *options(**words))

    def renamed(self, source, name):
        """An entry of the folder under another name."""
        if (self.folder / source).exists():
            (self.folder / source).rename(self.folder / name)
        return name


@pytest.fixture
def files(tmp_path, run_job):
    return Files(tmp_path, run_job)


LABEL = {"image_list_file": "images.txt", "feature_root": "features", "score_dst": "out", "id_key_index": -2}
SCORE = {**LABEL, "ui_centroid": "centroid.npy"}
LIST_UI = {**LABEL, "ui_list_file": "known.txt"}
EVALUATE = {"labels": "scores.txt", "feature_root": "features", "dst": "out", "id_key_index": -2, "at_fmr": 0.5}
IMPORT = {"source": "features", "dst": "out", "id_key_index": -2}
# Job, its flags, and which of these names what: the options that hold a path, in every form.
PLACES = {
    "list": ("generate_labels", LABEL, "image_list_file", "images.txt"),
    "Parquet list": ("generate_labels", LABEL, "image_list_file", "list.parquet"),
    "folder of a list": ("generate_labels", LABEL, "image_list_file", "list"),
    "features": ("generate_labels", LABEL, "feature_root", "features.parquet"),
    "folder of features": ("generate_labels", LABEL, "feature_root", "features"),
    "tree": ("generate_labels", LABEL, "feature_root", "tree"),
    "matrix": ("generate_labels", LABEL, "feature_root", "matrix.npy"),
    "rows": ("generate_labels", {**LABEL, "feature_root": "matrix.npy"}, "rows_list", "images.txt"),
    "labels": ("generate_labels", LABEL, "score_dst", "out"),
    "centroid": ("score_recognizability", SCORE, "ui_centroid", "centroid.npy"),
    "unrecognizable images": ("score_recognizability", LIST_UI, "ui_list_file", "known.txt"),
    "scores": ("score_recognizability", SCORE, "score_dst", "out"),
    "text of scores": ("evaluate_labels", EVALUATE, "labels", "scores.txt"),
    "pairs": ("evaluate_labels", EVALUATE, "pairs_file", "pairs.csv"),
    "page": ("evaluate_labels", EVALUATE, "dst", "out"),
    "source": ("import_features", IMPORT, "source", "features"),
    "source tree": ("import_features", IMPORT, "source", "tree"),
    "rows of a source": ("import_features", {**IMPORT, "source": "matrix.npy"}, "rows_list", "images.txt"),
    "store": ("import_features", IMPORT, "dst", "out"),
}


# All of them with a colon, and one of each form with a line break, which no form minds.
CASES = [(place, "12:30") for place in PLACES] + [
    (place, "two\nlines") for place in ("list", "features", "tree", "labels", "pairs")
]
# What Java or the workers read past Hadoop, and folders, whose files have names of their own.
READ = ("folder of a list", "folder of features", "tree", "matrix", "labels", "centroid", "scores", "page", "source")
READ = (*READ, "source tree", "store")


@pytest.mark.parametrize(("place", "name"), CASES)
def test_an_odd_name_does_its_work_or_is_named(files, place, name):
    job, flags, option, source = PLACES[place]
    if option == "rows_list":
        shutil.copy(files.folder / source, files.folder / "rows.txt")
        source = "rows.txt"
    suffix = pathlib.Path(source).suffix
    odd = f"{name}{suffix}"
    result = files.run(job, **{**flags, option: files.renamed(source, odd)})
    if place in READ or name != "12:30":
        assert result.returncode == 0, result.stderr
        assert (files.folder / (odd if source == "out" else "out")).exists()
        return
    assert result.returncode == 2, result.stderr
    line = message(result)
    assert f"--{option.replace('_', '-')} file:" in line
    assert f"/{odd}: has a colon in its name, which Hadoop does not take; rename it" in line
    assert not (files.folder / "out").exists()


@pytest.mark.parametrize("job", ["generate_labels", "import_features"])
def test_one_file_with_a_colon_among_good_ones_is_named(files, job):
    files.renamed("features/part-1.parquet", "features/part:1.parquet")
    result = files.run(job, **(LABEL if job == "generate_labels" else IMPORT))
    assert result.returncode == 2, result.stderr
    name = "--feature-root" if job == "generate_labels" else "--source"
    assert f"{name} file:/" in message(result)
    assert f"{files.folder}/features/part:1.parquet: has a colon in its name" in message(result)


def test_colons_in_a_tree_of_npy_files_are_read(files, spark):
    for path in ("tree/p0/0.npy", "tree/p1/1.npy", "tree/p2"):
        files.renamed(path, path.replace("p2", "p:2").replace(".npy", ":x.npy"))
    changes = {"p0/0.jpg": "p0/0:x.jpg", "p1/1.jpg": "p1/1:x.jpg"}
    listed = [changes.get(path, path).replace("p2", "p:2") for path in PATHS]
    files.write_text("images.txt", "".join(f"{path}\n" for path in listed))
    result = files.run("generate_labels", **{**LABEL, "feature_root": "tree"})
    assert result.returncode == 0, result.stderr
    assert {row.path: row.status for row in read_labels(spark, files.folder / "out").collect()} == dict.fromkeys(
        listed, "ok"
    )
    result = files.run("import_features", **{**IMPORT, "source": "tree", "dst": "store"})
    assert result.returncode == 0, result.stderr


def test_exported_labels_may_have_a_colon_in_their_name(files, run_job):
    def place(form):
        return files.folder / f"{form}:1"

    result = files.run("generate_labels", **LABEL)
    assert result.returncode == 0, result.stderr
    for form in ("csv", "seed"):
        result = run_job("export_labels", *options(labels=files.folder / "out", format=form, dst=place(form)))
        assert result.returncode == 0, result.stderr
        assert place(form).exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"caf\xe9/0.npy", r"/tree/caf\xe9/0.npy: the name of a file is not UTF-8; rename it"),
        (b"p0/caf\xe9.npy", "a file has a name that is not UTF-8; rename it, for example with convmv"),
    ],
)
def test_a_name_in_a_tree_that_is_not_utf8_is_told(files, name, said):
    file = pathlib.Path(os.fsdecode(os.fsencode(files.folder / "tree") + b"/" + name))
    file.parent.mkdir(exist_ok=True)
    np.save(file, np.ones(DIMENSION, np.float32))
    result = files.run("import_features", **{**IMPORT, "source": "tree"})
    assert result.returncode == 2, result.stderr
    assert said in message(result)
    assert not (files.folder / "out").exists()
