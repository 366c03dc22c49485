"""Recognizability as a user runs it: what is written, what is told, and what a later run can go on with."""

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.jobs.recognizing import FACES, Recognizing
from tests.jobs.running import message, options
from tests.unrecognizable_faces import DIMENSION


@pytest.fixture(scope="module")
def recognizing(tmp_path_factory):
    return Recognizing(tmp_path_factory.mktemp("recognizing"))


@pytest.fixture(scope="module")
def full(spark, recognizing, run_job):
    """Scores by the centroid that was found, and how the job told of them."""
    result = run_job("score_recognizability", *recognizing.arguments("full", "--templates"))
    assert result.returncode == 0, result.stderr
    return recognizing.scores(spark, "full"), result


@pytest.mark.lowest_versions
def test_what_is_written_is_told(recognizing, full):
    scores, result = full
    assert {path for path, row in scores.items() if not row.recognizable} == FACES.unrecognizable
    folder = recognizing.folder / "full"
    assert sorted(path.name for path in folder.iterdir()) == [
        "recognizability",
        "summary.json",
        "templates",
        "ui_centroid.npy",
    ]
    assert (folder / "recognizability" / "identity=large0").is_dir()
    for told in (
        "540 images of 62 identities; 0 repeated lines",
        "UI cluster 45 images of 45 identities, cohesion 0.",
        "found among 124 images of 62 identities",
        "495 of 540 are recognizable (91.7%): at least 0.6",
        "drawing the sample",
        "finding the UI centroid",
    ):
        assert told in result.stdout, result.stdout
    assert "too_few_images" not in result.stdout


def test_the_summary_tells_where_the_centroid_comes_from(recognizing, full):
    summary = recognizing.summary("full")
    assert summary["statuses"] == {"ok": 540, "missing_feature": 0, "invalid_feature": 0, "no_identity": 0}
    assert (summary["recognizable"], summary["identities"]) == (495, 62)
    centroid = summary["ui_centroid"]
    assert (centroid["source"], centroid["file"], centroid["dimension"]) == ("clustering", "ui_centroid.npy", DIMENSION)
    assert centroid["sample"]["images"] == 124
    for figures in (centroid["cluster"], centroid["next_largest"]):
        assert figures.keys() == {"images", "identities", "cohesion"}
    assert summary["settings"]["cluster_threshold"] == {"value": 0.5, "origin": "default"}
    assert summary["ers_mean"] == pytest.approx(np.mean([row.ers for row in full[0].values()]))
    assert summary["ers_percentiles"]["0"] == min(row.ers for row in full[0].values())
    vector = np.load(recognizing.folder / "full" / "ui_centroid.npy", allow_pickle=False)
    assert (vector.dtype, vector.shape) == (np.float32, (DIMENSION,))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_templates_are_those_of_a_plain_loop(recognizing, full):
    table = pq.read_table(recognizing.folder / "full" / "templates").to_pylist()
    assert len({row["identity"] for row in table}) == len(table) == 62
    for row in table:
        paths = [path for path in FACES.paths if path.startswith(row["identity"] + "/")]
        vectors = np.array([FACES.vectors[path] / np.linalg.norm(FACES.vectors[path]) for path in paths])
        expected = np.array([full[0][path].ers for path in paths]) @ vectors
        np.testing.assert_allclose(row["template"], expected / np.linalg.norm(expected), atol=1e-5)
        assert row["images"] == len(paths)
        assert row["recognizable_images"] == sum(full[0][path].recognizable for path in paths)


@pytest.fixture(scope="module")
def later(recognizing, full, run_job):
    """The folder of scores by the centroid of the full run of some images, which are not cut at 1."""
    some = FACES.paths[::5]
    flags = {
        "image_list_file": recognizing.write_list("some.txt", some),
        "feature_root": recognizing.write_features("some", {path: FACES.vectors[path] for path in some}),
        "ui_centroid": recognizing.folder / "full" / "ui_centroid.npy",
        "partition_by": "bucket",
    }
    result = run_job("score_recognizability", *recognizing.arguments("later", "--no-clip", **flags))
    assert result.returncode == 0, result.stderr
    assert "sample" not in result.stdout
    return recognizing.folder / "later"


def test_a_centroid_of_an_earlier_run_gives_new_images_the_scores_of_the_full_run(spark, recognizing, full, later):
    scores = recognizing.scores(spark, "later")
    cut = {path: {**row.asDict(), "ers": min(row.ers, 1.0)} for path, row in scores.items()}
    assert cut == {path: full[0][path].asDict() for path in FACES.paths[::5]}
    assert max(row.ers for row in scores.values()) > 1
    assert list((later / "recognizability").glob("identity_bucket=*"))
    assert "templates" not in [path.name for path in later.iterdir()]
    first, again = (recognizing.folder / name / "ui_centroid.npy" for name in ("full", "later"))
    assert first.read_bytes() == again.read_bytes()
    assert recognizing.summary("later")["ui_centroid"]["path"] == f"file:{first}"


def test_known_unrecognizable_images_need_not_be_in_the_list_and_either_may_have_any_form(
    spark, recognizing, full, run_job
):
    known, features = sorted(FACES.unrecognizable), recognizing.folder / "tree"
    clean = sorted(set(FACES.paths) - FACES.unrecognizable)[::10]
    for path in [*clean, *known]:
        file = (features / path).with_suffix(".npy")
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, FACES.vectors[path])
    mxnet = [f"{number}\t0.000000\t{path}" for number, path in enumerate(clean)]
    insightface = [f"1\t/data/faces/{path}\t0" for path in [*known, known[3], "p0/unknown.jpg"]]
    flags = {
        "image_list_file": recognizing.write_list("clean.lst", mxnet),
        "ui_list_file": recognizing.write_list("known.lst", insightface),
        "image_root": "/data/faces",
        "feature_root": features,
    }
    result = run_job("score_recognizability", *recognizing.arguments("by-list", **flags))
    assert result.returncode == 0, result.stderr
    scores = recognizing.scores(spark, "by-list")
    assert sorted(scores) == clean
    # The cluster was found to hold the same images.
    for path, row in scores.items():
        assert row.ers == pytest.approx(full[0][path].ers, abs=1e-6)
    assert f"list read as MXNet's .lst: path in the last column ({flags['image_list_file']})" in result.stderr
    assert f"1 of 46 images in {flags['ui_list_file']} have no feature that can be used" in result.stderr
    assert "close to the mean" not in result.stderr
    assert "UI images  45 images of 45 identities, cohesion 0." in result.stdout
    assert f"46 listed in {flags['ui_list_file']}" in result.stdout
    centroid = recognizing.summary("by-list")["ui_centroid"]
    assert (centroid["source"], centroid["listed"], centroid["cluster"]["images"]) == ("list", 46, 45)


def test_a_list_of_images_that_are_like_all_others_is_told(recognizing, run_job):
    ordinary = recognizing.write_list("ordinary.txt", FACES.paths)
    # Of those that are known most are not in the list.
    flags = {"image_list_file": recognizing.write_list("few.txt", FACES.paths[::50]), "ui_list_file": ordinary}
    result = run_job("score_recognizability", *recognizing.arguments("ordinary", **flags))
    assert result.returncode == 0, result.stderr
    assert "the UI centroid lies close to the mean of all embeddings" in result.stderr
    assert f"scores may say little, check {ordinary}" in result.stderr
    centroid = recognizing.summary("ordinary")["ui_centroid"]
    assert (centroid["listed"], centroid["cluster"]["images"]) == (540, 540)


def test_scores_are_exported(recognizing, full, later, run_job):
    def export(text_format, labels="full", **changes):
        place = recognizing.folder / f"out.{text_format}"
        flags = options(labels=recognizing.folder / labels, format=text_format, dst=place, **changes)
        result = run_job("export_labels", *flags)
        assert result.returncode == 0, result.stderr
        return place, result.stdout

    scores = {path: row.ers for path, row in full[0].items()}
    tface, told = export("tface", image_root="/faces")
    assert "540 images, 540 with a score and 0 without" in told
    seed, _ = export("seed", image_root="/faces")
    for separator, place in (("\t", tface), (" ", seed / "labels.txt")):
        lines = dict(line.split(separator) for line in place.read_text(encoding="utf-8").splitlines())
        assert lines.keys() == {f"/faces/{path}" for path in scores}
        for path, score in scores.items():
            assert float(lines[f"/faces/{path}"]) == pytest.approx(100 * score, abs=1e-5)
    assert [path.name for path in seed.iterdir()] == ["labels.txt"]
    # Readers of CSV know scores above 100 as well.
    with export("csv", labels=later.name)[0].open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert rows.keys() == set(FACES.paths[::5])
    for path, row in rows.items():
        assert row.keys() == {"path", "identity", "ers", "recognizable", "status"}
        assert (row["recognizable"] == "true") == full[0][path].recognizable
        assert min(float(row["ers"]), 1.0) == scores[path]


def test_scores_above_100_are_refused_where_readers_do_not_know_them(recognizing, later, run_job):
    flags = {"labels": later, "image_root": "/faces", "dst": recognizing.folder / "above.txt"}
    result = run_job("export_labels", *options(format="tface", **flags))
    assert result.returncode == 2
    assert "has the score 1" in message(result)
    assert "its readers know 0 to 100; score again without --no-clip" in message(result)
