"""Folders whose names hold what patterns are made of, as every path option of every job, beside one that matches."""

import json
import shutil

import numpy as np
import pytest

from fiqa_spark import read_audit, read_labels, read_recognizability
from fiqa_spark.pipelines.jobs import JOBS
from fiqa_spark.runtime.settings import fields_of
from tests.jobs.evaluating import QUALITIES
from tests.jobs.inputs import PATHS, Inputs, stored_vectors
from tests.jobs.running import options
from tests.jobs.selecting import write_audit, write_scores
from tests.labelling import embeddings_of

ODD = "o[1]{a,b} \\c *?%20'#é"
MATCHING = "o1a c xy%20'#é"
SEEDS = {"plain": 0, ODD: 0, MATCHING: 1}

# A run: what it writes, and its options, each with the entries of a world that it names.
RUNS = {
    "labels of Parquet": ("generate_labels", "score_dst", {"feature_root": "features"}),
    "labels of a store by a reference": (
        "generate_labels",
        "score_dst",
        {"feature_root": "store", "reference": "labels"},
    ),
    "labels of a matrix, updated": (
        "generate_labels",
        "score_dst",
        {"feature_root": "features.npy", "rows_list": "rows.txt", "update": "labels"},
    ),
    "scores of a tree by a list": (
        "score_recognizability",
        "score_dst",
        {"feature_root": "tree", "ui_list_file": "few.txt"},
    ),
    "scores of a matrix by a centroid": (
        "score_recognizability",
        "score_dst",
        {"feature_root": "features.npy", "rows_list": "rows.txt", "ui_centroid": "centroid.npy"},
    ),
    "curves of labels and of a text": (
        "evaluate_labels",
        "dst",
        {
            "feature_root": "features.npy",
            "rows_list": "rows.txt",
            "labels": ("labels", "scores.txt"),
            "pairs_file": "pairs.csv",
        },
    ),
    "curves by several judges, by group": (
        "evaluate_labels",
        "dst",
        {"judge": ("features", "tree"), "labels": ("labels", "scores.txt"), "groups": "groups.csv"},
    ),
    "audit of a matrix by an earlier one": (
        "audit_identities",
        "dst",
        {"feature_root": "features.npy", "rows_list": "rows.txt", "reference": "audited"},
    ),
    "import of Parquet": ("import_features", "dst", {"source": "features"}),
    "import of a tree": ("import_features", "dst", {"source": "tree"}),
    "import of a matrix": ("import_features", "dst", {"source": "features.npy", "rows_list": "rows.txt"}),
    "export": ("export_labels", "dst", {"labels": "labels", "image_list_file": "images.txt"}),
    "selection": (
        "select_images",
        "dst",
        {"labels": "labels", "audit": "audit", "recognizability": "scores", "image_list_file": "images.txt"},
    ),
}
LISTED = ("generate_labels", "score_recognizability", "audit_identities")
# Those that every world has from the beginning, as other runs go on with them.
WRITTEN = {"import of Parquet": "store", "labels of Parquet": "labels"}
FLAGS = {
    "generate_labels": {"id_key_index": -2, "pool_size": 50, "estimator": "exact", "partition_by": "identity"},
    "score_recognizability": {"id_key_index": -2},
    "audit_identities": {"id_key_index": -2},
    "evaluate_labels": {"id_key_index": -2, "at_fmr": 0.1},
    "import_features": {"id_key_index": -2},
    "export_labels": {"format": "csv"},
    "select_images": {"drop": "other", "least_ers": 0.3, "per_identity_most": 2},
}


class World:
    """A folder with everything that an option of a job may name."""

    def __init__(self, folder, run_job, seed):
        folder.mkdir()
        self.folder, self._run_job = folder, run_job
        vectors = embeddings_of(PATHS, seed=seed)
        inputs = Inputs(folder, run_job)
        inputs.write_features(vectors)
        inputs.features = folder / "tree"
        inputs.features.mkdir()
        inputs.write_tree(vectors)
        inputs.write_matrix(vectors)
        (folder / "rows.txt").write_text("".join(f"{path}\n" for path in vectors), encoding="utf-8")
        (folder / "few.txt").write_text("".join(f"{path}\n" for path in PATHS[:3]), encoding="utf-8")
        np.save(folder / "centroid.npy", np.mean([vectors[path] for path in PATHS[:3]], axis=0))
        scores = "".join(f"{path} {(value + 37 * seed) % 100}\n" for path, value in QUALITIES.items())
        (folder / "scores.txt").write_text(scores, encoding="utf-8")
        write_scores(folder / "scores", [(path, path[:2], value / 16) for path, value in QUALITIES.items()])
        write_audit(folder / "audit", [(path, path[:2], 0.5, ("own", "other")[path[3] == "2"]) for path in PATHS])
        rows = [f"{PATHS[i]},{PATHS[j]},{int(PATHS[i][:3] == PATHS[j][:3])}\n" for i in range(16) for j in range(i)]
        (folder / "pairs.csv").write_text("path_a,path_b,same\n" + "".join(rows[seed:]), encoding="utf-8")
        groups = "".join(f"p{number},{'xy'[number % 2]}\n" for number in range(4))
        (folder / "groups.csv").write_text(f"identity,group\n{groups}", encoding="utf-8")
        for name in WRITTEN:
            self.run(name)

    def run(self, name):
        """Run a job, unless that was done from the beginning, and return the place of its result."""
        job, where, entries = RUNS[name]
        destination = self.folder / WRITTEN.get(name, name.replace(" ", "-"))
        if not destination.exists():
            listed = {"image_list_file": "images.txt"} if job in LISTED else {}
            words = [f"--{where.replace('_', '-')}", destination, *options(**FLAGS[job])]
            for option, entry in {**entries, **listed}.items():
                entries_of_it = (entry,) if isinstance(entry, str) else entry
                words += [f"--{option.replace('_', '-')}", *(self.folder / each for each in entries_of_it)]
            result = self._run_job(job, *words)
            assert result.returncode == 0, result.stderr
        return destination


@pytest.fixture(scope="module")
def worlds(tmp_path_factory, run_job):
    folder = tmp_path_factory.mktemp("worlds")
    found = {name: World(folder / name, run_job, seed) for name, seed in SEEDS.items()}
    plain = folder / "plain"
    places = {"image_list_file": plain / "images.txt", "feature_root": plain / "features", "dst": plain / "audited"}
    result = run_job("audit_identities", *options(**places, **FLAGS["audit_identities"]))
    assert result.returncode == 0, result.stderr
    # The folder that matches has none.
    shutil.copytree(plain / "audited", folder / ODD / "audited")
    return found


def contents(spark, job, result):
    """What a run wrote, as far as it does not tell of places and times."""
    if job == "generate_labels":
        return sorted((row.path, row.status, row.label) for row in read_labels(spark, str(result)).collect())
    if job == "score_recognizability":
        return sorted((row.path, row.status, row.ers) for row in read_recognizability(spark, str(result)).collect())
    if job == "audit_identities":
        rows = read_audit(spark, str(result)).images.collect()
        return sorted((row.path, row.verdict, round(row.membership, 4)) for row in rows)
    if job == "export_labels":
        return result.read_text(encoding="utf-8")
    if job == "select_images":
        return (result / "list.txt").read_text(encoding="utf-8")
    if job == "evaluate_labels":
        return (result / "edc.csv").read_text(encoding="utf-8")
    return json.loads((result / "_feature_store.json").read_text(encoding="utf-8")), stored_vectors(result)


@pytest.fixture(scope="module")
def plain_contents(spark, worlds):
    """What a run gives in the plain folder; labels and stores are the same whatever form the features have."""
    known = {}

    def of(name):
        job = RUNS[name][0]
        first = next((each for each in WRITTEN if RUNS[each][0] == job), name)
        if first not in known:
            known[first] = contents(spark, job, worlds["plain"].run(first))
        return known[first]

    return of


@pytest.mark.parametrize("name", RUNS)
def test_a_name_made_of_patterns_means_itself_and_not_what_matches_it(spark, worlds, plain_contents, name):
    assert contents(spark, RUNS[name][0], worlds[ODD].run(name)) == plain_contents(name)


def test_what_lies_in_the_folder_that_matches_is_other(spark, worlds):
    plain, matching = (
        contents(spark, "generate_labels", worlds[world].folder / "labels") for world in ("plain", MATCHING)
    )
    assert plain != matching


def test_every_path_option_of_every_job_is_run_so():
    run = {(job, option) for job, where, entries in RUNS.values() for option in (where, *entries)}
    run |= {(job, "image_list_file") for job in LISTED}
    assert run == {
        (job, item.name)
        for job, settings_class in JOBS.items()
        for item in fields_of(settings_class)
        if item.metadata.get("path")
    }


def test_a_store_that_was_moved_is_read_where_it_lies(spark, worlds, run_job, tmp_path):
    # The name as a pattern matches its neighbour alone.
    for source, name in (("plain", "store[1]"), (MATCHING, "store1")):
        shutil.copytree(worlds[source].folder / "store", tmp_path / name)
    images, destination = worlds["plain"].folder / "images.txt", tmp_path / "labels"
    places = {"image_list_file": images, "feature_root": tmp_path / "store[1]", "score_dst": destination}
    result = run_job("generate_labels", *options(**{**places, **FLAGS["generate_labels"]}))
    assert result.returncode == 0, result.stderr
    expected = contents(spark, "generate_labels", worlds["plain"].folder / "labels")
    assert contents(spark, "generate_labels", destination) == expected
