"""Folders whose names hold what patterns are made of, as every path option of every job, beside one that matches."""

import csv
import json
import shutil

import numpy as np
import pytest

from fiqa_spark import read_audit, read_labels, read_recognizability
from fiqa_spark.methods.identities.references import read_audit_reference, read_centres
from fiqa_spark.pipelines.jobs import JOBS
from fiqa_spark.runtime.settings import fields_of
from fiqa_spark.runtime.storage import Storage
from tests.jobs.evaluating import QUALITIES
from tests.jobs.inputs import PATHS, Inputs, key_of, stored_vectors
from tests.jobs.running import options
from tests.jobs.selecting import write_audit, write_labels, write_scores
from tests.labelling import embeddings_of
from tests.opened_features import opened, vectors_of

ODD = "o[1]{a,b} c\\-*?%20'#é"
MATCHING = "o1a c-xy%20'#é"
VECTORS = embeddings_of(PATHS)
KNOWN = PATHS[:3]

# A run: its options, each with the entries of a world that it names, where it is read, and where it is written.
LISTED = {"image_list_file": "images.txt"}
ROWS = {"feature_root": "features.npy", "rows_list": "rows.txt"}
SELECTED = {"labels": "labels", "audit": "audit", "recognizability": "scores"}
RUNS = {
    "labels": ("generate_labels", "score_dst", {**LISTED, "feature_root": "features"}),
    "audited": ("audit_identities", "dst", {**LISTED, **ROWS, "reference": "labels"}),
    "labels updated": (
        "generate_labels",
        "score_dst",
        {**LISTED, **ROWS, "reference": "audited", "update": "labels"},
    ),
    "scores by a list": (
        "score_recognizability",
        "score_dst",
        {**LISTED, "feature_root": "tree", "ui_list_file": "known.txt"},
    ),
    "scores by a centroid": (
        "score_recognizability",
        "score_dst",
        {**LISTED, **ROWS, "ui_centroid": "centroid.npy"},
    ),
    "curves": (
        "evaluate_labels",
        "dst",
        {
            **{"judge": "features.npy", "rows_list": "rows.txt", "labels": ("labels", "scores.txt")},
            **{"pairs_file": "pairs.csv", "groups": "groups.csv"},
        },
    ),
    "import": ("import_features", "dst", {"source": "features.npy", "rows_list": "rows.txt"}),
    "export": ("export_labels", "dst", {**LISTED, "labels": "labels"}),
    "selection": ("select_images", "dst", {**LISTED, **SELECTED}),
}
FLAGS = {
    "generate_labels": {"id_key_index": -2, "method": "margin", "partition_by": "identity"},
    "score_recognizability": {"id_key_index": -2},
    "audit_identities": {"id_key_index": -2},
    "evaluate_labels": {"id_key_index": -2, "at_fmr": 0.1},
    "import_features": {"id_key_index": -2},
    "export_labels": {"format": "csv"},
    "select_images": {"drop": "other", "least_ers": 0.3, "per_identity_most": 2},
}


def write_inputs(folder, run_job, person="p"):
    """Everything that an option of a job may name, of people p0, p1, ..., or whatever the first letter is."""
    folder.mkdir()
    vectors = {path.replace("p", person, 1): vector for path, vector in VECTORS.items()}
    paths = list(vectors)
    inputs = Inputs(folder, run_job)
    inputs.write_list(paths)
    inputs.write_features(vectors)
    inputs.features = folder / "tree"
    inputs.features.mkdir()
    inputs.write_tree(vectors)
    inputs.write_matrix(vectors)
    write_lines(folder / "rows.txt", paths)
    write_lines(folder / "known.txt", paths[: len(KNOWN)])
    np.save(folder / "centroid.npy", np.mean([unit(vectors[path]) for path in paths[: len(KNOWN)]], axis=0))
    qualities = dict(zip(paths, QUALITIES.values(), strict=True))
    write_lines(folder / "scores.txt", [f"{path} {value}" for path, value in qualities.items()])
    write_scores(folder / "scores", [(path, path[:2], value / 100) for path, value in qualities.items()])
    write_audit(folder / "audit", [(path, path[:2], 0.5, ("own", "other")[path[3] == "2"]) for path in paths])
    pairs = [f"{paths[i]},{paths[j]},{int(paths[i][:3] == paths[j][:3])}" for i in range(16) for j in range(i)]
    write_lines(folder / "pairs.csv", ["path_a,path_b,same", *pairs])
    groups = [f"{person}{number},{'xy'[number % 2]}" for number in range(4)]
    write_lines(folder / "groups.csv", ["identity,group", *groups])
    return qualities


def write_lines(file, lines):
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def unit(vector):
    return vector / np.linalg.norm(vector)


def write_other_people(folder, run_job):
    """What a pattern would find: sound entries of the same names, in which nobody is known to the others."""
    qualities = write_inputs(folder, run_job, person="q")
    write_labels(folder / "labels", [(path, path[:2], value) for path, value in qualities.items()], folder / "images")
    # Features of any form would be read in place of a store.
    shutil.copytree(folder / "features", folder / "store")


class World:
    """A folder of an odd name with inputs, and runs on them, each of them once."""

    def __init__(self, folder, run_job):
        self.folder, self._run_job = folder, run_job
        write_inputs(folder, run_job)
        # A store is read where it lies, not where it was written.
        self.run("import").rename(folder / "store")

    def run(self, name):
        """Run a job, unless that was done before, and return the place of its result."""
        job, where, entries = RUNS[name]
        destination = self.folder / name
        if not destination.exists():
            words = [f"--{where.replace('_', '-')}", destination, *options(**FLAGS[job])]
            for option, entry in entries.items():
                places = [self.folder / each for each in ((entry,) if isinstance(entry, str) else entry)]
                words += [f"--{option.replace('_', '-')}", *places]
            result = self._run_job(job, *words)
            assert result.returncode == 0, result.stderr
        return destination


@pytest.fixture(scope="module")
def world(tmp_path_factory, run_job):
    folder = tmp_path_factory.mktemp("worlds")
    write_other_people(folder / MATCHING, run_job)
    return World(folder / ODD, run_job)


def test_the_name_as_a_pattern_means_the_other_folder(spark, world):
    path = spark._jvm.org.apache.hadoop.fs.Path(str(world.folder))
    found = path.getFileSystem(spark._jsc.hadoopConfiguration()).globStatus(path)
    assert [status.getPath().getName() for status in found] == [MATCHING]


def labels_of(spark, place):
    return {row.path: row.label for row in read_labels(spark, str(place)).collect() if row.status == "ok"}


def test_labels_are_of_the_people_of_their_own_folder(spark, world):
    expected = labels_of(spark, world.run("labels"))
    assert sorted(expected) == PATHS
    world.run("audited")
    updated = world.run("labels updated")
    assert labels_of(spark, updated) == expected
    summary = summary_of(updated)
    assert summary["update"]["taken_over"]["images"] == summary["statuses"]["ok"] == len(PATHS)
    assert summary["update"]["computed"] == {"images": 0, "identities": 0}


def summary_of(place):
    return json.loads((place / "summary.json").read_text(encoding="utf-8"))


def test_scores_are_of_the_people_of_their_own_folder(spark, world):
    by_list, by_centroid = (
        {row.path: row.ers for row in read_recognizability(spark, str(world.run(name))).collect()}
        for name in ("scores by a list", "scores by a centroid")
    )
    assert sorted(by_list) == PATHS
    assert by_centroid == pytest.approx(by_list, abs=1e-5)


def test_audits_are_of_the_people_of_their_own_folder(spark, world):
    world.run("labels")
    place = world.run("audited")
    images = read_audit(spark, place).images.collect()
    assert {row.path: row.verdict for row in images} == {**dict.fromkeys(PATHS, "own"), "p0/2.jpg": "unlike"}
    labelled = summary_of(world.folder / "labels")["reference"]["fingerprint"]
    assert summary_of(place)["reference"]["fingerprint"] == labelled
    storage = Storage(spark)
    margins, audit = read_audit_reference(storage, str(place))
    assert margins.fingerprint == labelled
    assert sorted(row.identity for row in read_centres(spark, storage, audit).collect()) == ["p0", "p1", "p2", "p3"]


def test_curves_are_of_the_people_of_their_own_folder(world):
    world.run("labels")
    summary = summary_of(world.run("curves"))
    found = [summary["pairs"][name] for name in ("images", "mated", "non_mated")]
    assert found == [len(PATHS), 25, 95]
    assert [labels["statuses"] for labels in summary["label_sets"]] == 2 * [{"ok": len(PATHS)}]
    assert summary["groups"]["images"] == len(PATHS)
    assert {each["group"] for each in summary["groups"]["labels"]} == {"x", "y"}


def test_stores_are_of_the_people_of_their_own_folder(spark, world, tmp_path):
    expected = {key_of(path): vector.tobytes() for path, vector in VECTORS.items()}
    assert stored_vectors(world.folder / "store") == expected
    assert vectors_of(opened(spark, PATHS, world.folder / "store", tmp_path)) == expected


def test_exports_are_of_the_people_of_their_own_folder(spark, world):
    expected = labels_of(spark, world.run("labels"))
    with open(world.run("export"), encoding="utf-8", newline="") as file:
        exported = {row["path"]: float(row["label"]) for row in csv.DictReader(file)}
    assert list(exported) == PATHS
    assert exported == pytest.approx(expected)


def test_selections_are_of_the_people_of_their_own_folder(spark, world):
    labels = labels_of(spark, world.run("labels"))
    usable = [path for path in PATHS if path[3] != "2" and QUALITIES[path] >= 30]
    best = [
        path for path in usable if sum(labels[path] < labels[other] for other in usable if other[:2] == path[:2]) < 2
    ]
    assert (world.run("selection") / "list.txt").read_text(encoding="utf-8").split() == best
    # Each of the three conditions decides of an image.
    assert len(best) < len(usable) < len([path for path in PATHS if QUALITIES[path] >= 30]) < len(PATHS)


def test_every_path_option_of_every_job_is_run_so():
    run = {(job, option) for job, where, entries in RUNS.values() for option in (where, *entries)}
    # Features of a judge are read as the only ones are.
    assert run | {("evaluate_labels", "feature_root")} == {
        (job, item.name)
        for job, settings_class in JOBS.items()
        for item in fields_of(settings_class)
        if item.metadata.get("path")
    }
