"""The list to train on, as a user chooses it and as the other jobs read it."""

import collections
import json
import shutil

import pyarrow.parquet as pq
import pytest

from fiqa_spark import LabelSettings
from fiqa_spark.inputs.image_list import read_paths, rows_about, with_identities
from fiqa_spark.pipelines import select_images
from fiqa_spark.pipelines.jobs import SelectImagesSettings
from fiqa_spark.runtime.storage import Storage
from tests.jobs.inputs import PATHS
from tests.jobs.running import message, options
from tests.jobs.selecting import write_audit, write_labels, write_scores
from tests.session_settings import session_with

# Neither by path nor by label, and with names that a text can hold; one line is there twice.
LISTED = [
    "b/2.jpg",
    "a/1.jpg",
    'c d/"x", y 1.jpg',
    "é/漢 1.jpg",
    "b/2.jpg",
    "a/0.jpg",
    "f\\g/1.jpg",
    "b/1.jpg",
    "x/0.jpg",
]
LABELLED = [
    *[("a/0.jpg", "a", 80.0), ("a/1.jpg", "a", 20.0), ("b/1.jpg", "b", 60.0), ("b/2.jpg", "b", 70.0)],
    *[('c d/"x", y 1.jpg', "c d", 50.0), ("é/漢 1.jpg", "é", 90.0), ("f\\g/1.jpg", "f\\g", 55.0)],
    *[("gone/1.jpg", "gone", 99.0), ("n.jpg", None, None, "no_identity")],
]
KEPT = ["b/2.jpg", 'c d/"x", y 1.jpg', "é/漢 1.jpg", "a/0.jpg", "f\\g/1.jpg", "b/1.jpg"]


class World:
    """A folder with a list, its labels, an audit and scores."""

    def __init__(self, folder, run_job):
        self.folder, self._run_job = folder, run_job
        self.write_list(f"{path}\n" for path in LISTED)
        self.write_labels(LABELLED, folder / "images.txt")
        write_scores(folder / "scores", [(path, identity, 0.5) for path, identity, *_ in LABELLED[:4]])
        own = [(path, identity, 0.9, "own") for path, identity, *_ in LABELLED if identity]
        moved = ("a/1.jpg", "a", 0.1, "other", "b", 0.8)
        audited = [moved if row[0] == moved[0] else row for row in own]
        identities = [
            (name, 2, 2, 1.5, 0.5, None, None, merged) for name, merged in (("b", "b"), ("é", "b"), ("a", None))
        ]
        write_audit(folder / "audit", audited, identities, [("b", "é", 0.9, 1.5, 1.5, "b")])

    def write_list(self, lines):
        (self.folder / "images.txt").write_text("".join(lines), encoding="utf-8")

    def write_labels(self, rows, image_list, **settings):
        shutil.rmtree(self.folder / "labels", ignore_errors=True)
        write_labels(self.folder / "labels", rows, image_list, **settings)

    def flags(self, destination="chosen", **changes):
        places = {name: self.folder / value for name, value in changes.items() if name in ("audit", "recognizability")}
        return options(**{"labels": self.folder / "labels", "dst": self.folder / destination, **changes, **places})

    def run(self, *words, **changes):
        return self._run_job("select_images", *self.flags(**changes), *words)

    def listed(self, spark, destination="chosen"):
        """What other jobs read of a list that was chosen: its columns, in order."""
        return [tuple(row) for row in read_paths(spark, Storage(spark), str(self.folder / destination)).collect()]

    def dropped(self):
        return {row["path"]: row["reason"] for row in pq.read_table(self.folder / "chosen" / "dropped").to_pylist()}

    def summary(self):
        return json.loads((self.folder / "chosen" / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture
def world(tmp_path, run_job):
    return World(tmp_path, run_job)


def succeeded(result):
    assert result.returncode == 0, result.stderr
    return result


@pytest.mark.lowest_versions
def test_the_list_is_text_in_the_order_of_the_labels_own_and_the_rest_has_reasons(spark, world):
    shown = succeeded(world.run(least_label=50)).stdout
    chosen = world.folder / "chosen"
    assert sorted(path.name for path in chosen.iterdir()) == ["dropped", "list.txt", "summary.json"]
    assert (chosen / "list.txt").read_text(encoding="utf-8") == "".join(f"{path}\n" for path in KEPT)
    reasons = {
        "gone/1.jpg": "not_in_list",
        "x/0.jpg": "not_in_labels",
        "n.jpg": "not_in_list",
        "a/1.jpg": "least_label",
    }
    assert world.dropped() == reasons
    summary = world.summary()
    assert summary["images"] == {"listed": 10, "kept": 6, "dropped": 4, "moved": 0, "merged": 0}
    assert summary["reasons"] == {"not_in_list": 2, "not_in_labels": 1, "least_label": 1}
    gone = {"merged": 0, "too_few": 0, "emptied": 1, "new": 0}
    assert summary["identities"] == {"before": 6, "after": 5, **gone}
    assert summary["list"] == {"file": "list.txt"}
    assert summary["image_list"] == str(world.folder / "images.txt")
    for line in ("6 of 10 images kept, 4 dropped\n", "  not_in_list  ", "identities 6 before, 5 after\n"):
        assert line in shown
    assert f"written to file:{chosen}, list.txt in the order of {world.folder / 'images.txt'}" in shown
    assert "seed 0; set: --least-label 50.0 (flag)" in shown
    for place in ("chosen", "chosen/list.txt"):
        assert world.listed(spark, place) == [(path,) for path in KEPT]
        assert rows_about(spark, Storage(spark), str(world.folder / place)) == len(KEPT)


@pytest.mark.lowest_versions
def test_moves_and_merges_make_it_parquet_with_identities(spark, world):
    shown = succeeded(world.run("--move-suggested", "--merge-identities", audit="audit", per_identity_least=2)).stdout
    chosen = world.folder / "chosen"
    assert sorted(path.name for path in chosen.iterdir()) == ["dropped", "list.parquet", "summary.json"]
    expected = [("b/2.jpg", "b"), ("a/1.jpg", "b"), ("é/漢 1.jpg", "b"), ("b/1.jpg", "b")]
    for place in ("chosen", "chosen/list.parquet"):
        assert world.listed(spark, place) == expected
        assert rows_about(spark, Storage(spark), str(world.folder / place)) == len(expected)
    summary = world.summary()
    assert summary["images"] == {"listed": 10, "kept": 4, "dropped": 6, "moved": 1, "merged": 1}
    too_few = {"before": 6, "after": 1, "merged": 1, "too_few": 3, "emptied": 1, "new": 0}
    assert summary["identities"] == too_few
    assert summary["list"] == {"file": "list.parquet", "reason": "identities may change"}
    assert summary["not_in_audit"] == 1
    assert "renamed    1 images moved, 1 under a common name\n" in shown
    assert "1 merged into another, 3 had too few images left, 1 have no image left\n" in shown
    assert "images of the labels that the audit does not know: 1\n" in shown
    assert pq.read_table(chosen / "dropped").column_names == ["path", "identity", "reason"]


def test_the_list_is_the_same_whatever_the_cores_and_pieces(spark, world):
    order = [f"p{number * 7919 % 60}/{number * 104729 % 10_007}.jpg" for number in range(600)]
    labels = {path: number * 0.125 for number, path in enumerate(order)}
    world.write_list(f"{path}\n" for path in order)
    world.write_labels([(path, path.split("/")[0], labels[path]) for path in order], world.folder / "images.txt")
    changes = {"spark.sql.shuffle.partitions": 5, "spark.sql.files.maxPartitionBytes": 2000}
    places = {"labels": str(world.folder / "labels"), "dst": str(world.folder / "chosen")}
    with session_with(spark, changes):
        select_images.run(spark, SelectImagesSettings(**places, most=400, per_identity_least=7))
    spark.catalog.clearCache()
    best = order[200:]
    people = collections.Counter(path.split("/")[0] for path in best)
    expected = [path for path in best if people[path.split("/")[0]] >= 7]
    assert 0 < len(expected) < 400
    assert (world.folder / "chosen" / "list.txt").read_text(encoding="utf-8").splitlines() == expected


def test_what_was_chosen_of_a_list_that_was_chosen_has_the_name_that_it_has_now(spark, inputs):
    """From labels to a text, from labels of that to a list with identities."""
    labels, text, of_text, parquet, audit = (inputs.folder / name for name in ("1", "2", "3", "4", "audit"))
    write_labels(labels, [(path, path[:2], 50.0) for path in PATHS], inputs.list)
    succeeded(inputs.run_job("select_images", *options(labels=labels, dst=text, per_identity_least=4)))
    chosen = [path for path in PATHS if path[:2] in ("p0", "p2", "p3")]
    write_labels(of_text, [(path, path[:2], 50.0) for path in chosen], text)
    write_audit(audit, [(path, path[:2], 0.9, "other" if path == PATHS[0] else "own", "p3") for path in PATHS])
    words = options(labels=of_text, dst=parquet, audit=audit, per_identity_least=4)
    succeeded(inputs.run_job("select_images", *words, "--move-suggested"))
    # As jobs read it that label images.
    read = with_identities(read_paths(spark, Storage(spark), str(parquet)), LabelSettings(id_key_index=-2)).collect()
    moved = [(path, "p3" if path == PATHS[0] else path[:2]) for path in chosen]
    assert [(row.path, row.identity) for row in read] == [each for each in moved if each[1] in ("p2", "p3")]


def refused(world, *parts, **changes):
    """Run the job, check that its one line holds these parts, and that nothing was written."""
    before = sorted(world.folder.iterdir())
    result = world.run(*changes.pop("words", ()), **changes)
    assert result.returncode == 2, result.stderr
    for part in parts:
        assert part in message(result), message(result)
    assert sorted(world.folder.iterdir()) == before


def test_what_cannot_be_selected_is_told_in_a_line(world):
    labels = world.folder / "labels"
    counts = "no image is left of 10: 2 not_in_list, 1 not_in_labels, 7 least_label; ask for less"
    refused(world, f"--labels {labels}: {counts}", least_label=95)
    refused(world, "--drop 'own': needs --audit; give --audit, or leave it out", drop="own")
    write_scores(world.folder / "others", [("z/1.jpg", "z", 0.5)])
    said = f"--recognizability {world.folder / 'others'}: knows none of the images of the labels: it has 'z/1.jpg' of"
    refused(world, said, recognizability="others", least_ers=0.1)
    shutil.rmtree(world.folder / "audit" / "identities")
    refused(
        world,
        f"--audit {world.folder / 'audit'}: ",
        "give the folder that audit_identities wrote",
        audit="audit",
        drop="own",
    )


def test_a_list_of_the_labels_that_nobody_finds_is_told_and_may_lie_elsewhere(spark, world):
    labels, listed = world.folder / "labels", world.folder / "images.txt"
    elsewhere = listed.rename(world.folder / "moved.txt")
    gone = f"the list that they are of, {listed}, is not there any more; give the list with --image-list-file"
    refused(world, f"--labels {labels}: {gone}")
    succeeded(world.run(labels=labels / "labels", image_list_file=elsewhere, least_label=50))
    assert world.listed(spark) == [(path,) for path in KEPT]
    (labels / "summary.json").unlink()
    refused(
        world,
        "no summary.json there tells of which list they are; give the list with --image-list-file",
        destination="new",
    )


def test_its_own_list_is_replaced_by_one_of_verdicts_and_scores(world):
    words = ("--drop", "other", "unlike", "--recognizability", world.folder / "scores", "--least-ers", 0.4)
    (world.folder / "chosen" / "dropped").mkdir(parents=True)
    (world.folder / "chosen" / "list.txt").write_text("a/1.jpg\n", encoding="utf-8")
    succeeded(world.run(*words, "--overwrite", audit="audit"))
    assert world.dropped()["a/1.jpg"] == "other"
    assert (world.folder / "chosen" / "list.txt").read_text(encoding="utf-8") == "b/2.jpg\na/0.jpg\nb/1.jpg\n"
