"""Files and folders whose names Hadoop does not take: as every path of every job they do their work or are named."""

import os
import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_recognizability
from fiqa_spark.evaluation.listed_pairs import read_listed_pairs
from fiqa_spark.inputs.image_list import read_paths
from fiqa_spark.runtime.storage import Storage
from tests.jobs.inputs import PATHS, key_of, stored_vectors
from tests.jobs.running import message, options
from tests.labelling import DIMENSION, embeddings_of
from tests.opened_features import opened, vectors_of

VECTORS = embeddings_of(PATHS)
QUALITIES = {path: float(number) for number, path in enumerate(PATHS)}


class Files:
    """A folder with one sound input of every form, which the jobs take as any of their paths."""

    def __init__(self, folder, run_job):
        self.folder, self.run_job = folder, run_job
        for name in ("images.txt", "rows.txt"):
            self.write_text(name, "".join(f"{path}\n" for path in PATHS))
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
COLON, LINE_BREAK = "12:30", "two\nlines"
# Job, its flags, and the option that names a single file, which is read by Hadoop.
FILES = {
    "list": ("generate_labels", LABEL, "image_list_file", "images.txt"),
    "Parquet list": ("generate_labels", LABEL, "image_list_file", "list.parquet"),
    "features": ("generate_labels", LABEL, "feature_root", "features.parquet"),
    "rows": ("generate_labels", {**LABEL, "feature_root": "matrix.npy"}, "rows_list", "rows.txt"),
    "unrecognizable images": ("score_recognizability", LIST_UI, "ui_list_file", "known.txt"),
    "text of scores": ("evaluate_labels", EVALUATE, "labels", "scores.txt"),
    "pairs": ("evaluate_labels", EVALUATE, "pairs_file", "pairs.csv"),
    "rows of a source": ("import_features", {**IMPORT, "source": "matrix.npy"}, "rows_list", "rows.txt"),
}


@pytest.mark.parametrize("place", FILES)
def test_a_file_with_a_colon_that_hadoop_would_read_is_named(files, place):
    job, flags, option, source = FILES[place]
    odd = f"{COLON}{pathlib.Path(source).suffix}"
    result = files.run(job, **{**flags, option: files.renamed(source, odd)})
    assert result.returncode == 2, result.stderr
    line = message(result)
    assert f"--{option.replace('_', '-')} file:" in line
    assert f"/{odd}: has a colon in its name, which Hadoop does not take; rename it" in line
    assert not (files.folder / "out").exists()


# What Java or the workers read past Hadoop, and folders, whose files have names of their own, may have a colon; a line
# break may be anywhere.
def test_lists_pairs_and_features_of_other_odd_names_are_read(spark, files):
    storage, staging = Storage(spark), files.folder / "staging"
    listed = files.folder / files.renamed("images.txt", f"{LINE_BREAK} images.txt")
    assert [row.path for row in read_paths(spark, storage, str(listed)).collect()] == PATHS
    pairs = files.folder / files.renamed("pairs.csv", f"{LINE_BREAK} pairs.csv")
    assert read_listed_pairs(spark, storage, str(pairs)).count() == 3
    matrix = files.folder / files.renamed("matrix.npy", f"{COLON} matrix.npy")
    folder = files.folder / files.renamed("features", f"{COLON} {LINE_BREAK} features")
    rows = {"rows_list": str(files.folder / "rows.txt")}
    expected = {key_of(path): vector.tobytes() for path, vector in VECTORS.items()}
    assert vectors_of(opened(spark, PATHS, matrix, staging, **rows)) == expected
    assert vectors_of(opened(spark, PATHS, folder, staging)) == expected


@pytest.mark.parametrize("job", ["generate_labels", "import_features"])
def test_one_file_with_a_colon_among_good_ones_is_named(files, job):
    files.renamed("features/part-1.parquet", "features/part:1.parquet")
    result = files.run(job, **(LABEL if job == "generate_labels" else IMPORT))
    assert result.returncode == 2, result.stderr
    name = "--feature-root" if job == "generate_labels" else "--source"
    assert f"{name} file:/" in message(result)
    assert f"{files.folder}/features/part:1.parquet: has a colon in its name" in message(result)


def test_a_tree_a_list_a_centroid_and_what_is_written_may_have_colons_and_line_breaks(files, spark):
    for path in ("tree/p0/0.npy", "tree/p1/1.npy", "tree/p2"):
        files.renamed(path, path.replace("p2", "p:2").replace(".npy", ":x.npy"))
    changes = {"p0/0.jpg": "p0/0:x.jpg", "p1/1.jpg": "p1/1:x.jpg"}
    listed = [changes.get(path, path).replace("p2", "p:2") for path in PATHS]
    pq.write_table(pa.table({"path": listed}), files.folder / "list" / "part-0.parquet")
    places = {"image_list_file": "list", "feature_root": "tree", "ui_centroid": "centroid.npy", "score_dst": "out"}
    names = {option: files.renamed(source, f"{COLON} {LINE_BREAK} {source}") for option, source in places.items()}
    result = files.run("score_recognizability", **{**SCORE, **names})
    assert result.returncode == 0, result.stderr
    assert [path.name for path in files.folder.glob("*out")] == [names["score_dst"]]
    rows = read_recognizability(spark, files.folder / names["score_dst"]).collect()
    assert {row.path: row.status for row in rows} == dict.fromkeys(listed, "ok")
    for form in ("csv", "seed"):
        place = files.folder / f"{form}:1"
        flags = options(labels=files.folder / names["score_dst"], format=form, dst=place)
        result = files.run_job("export_labels", *flags)
        assert result.returncode == 0, result.stderr
        assert place.exists()
    result = files.run("import_features", **{**IMPORT, "source": names["feature_root"], "dst": f"{COLON} store"})
    assert result.returncode == 0, result.stderr
    assert stored_vectors(files.folder / f"{COLON} store").keys() == {key_of(path) for path in listed}


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
