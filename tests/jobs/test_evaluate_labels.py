"""Label sets compared by the job, from files to files, and the page that it writes."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.browsing import Visit
from tests.jobs.evaluating import QUALITIES, Evaluating
from tests.jobs.inputs import PATHS
from tests.jobs.planted_job import Planted
from tests.jobs.running import options
from tests.labelling import embeddings_of

AREA = {"discard_limit", "pauc", "interval", "pauc_minus_best", "pauc_minus_first", "interval_minus_first"}
AREA |= {"part_of_chance", "interval_of_part"}
FILES = {"edc.parquet", "edc.csv", "cuts.parquet", "cuts.csv", "summary.json", "report.html"}
SCRIPT = "<script>alert(1)<"
HOSTILE = f"p0/{SCRIPT}.jpg"


@pytest.fixture
def evaluating(tmp_path, run_job):
    return Evaluating(tmp_path, run_job)


@pytest.fixture(scope="module")
def planted_sets(tmp_path_factory, run_job):
    """The planted data with labels of every form: of the main job, as text, as CSV, and ERS by a made-up centroid.

    Its features lie in a matrix as well.
    """
    planted = Planted(tmp_path_factory.mktemp("compared"))
    folder = planted.folder
    features = pq.read_table(folder / "features" / "part-0.parquet")
    np.save(folder / "matrix.npy", np.array(features["feature"].to_pylist(), np.float32))
    (folder / "rows.txt").write_text("".join(f"{path}\n" for path in features["path"].to_pylist()), encoding="utf-8")
    np.save(folder / "centroid.npy", np.eye(16)[0])
    quality = pd.read_csv(folder / "quality.csv")
    quality.to_csv(folder / "planted.txt", sep=" ", header=False, index=False)
    chance = quality.assign(quality=np.random.default_rng(0).permutation(len(quality)))
    chance.to_csv(folder / "chance.csv", index=False)
    labelled = run_job("generate_labels", *planted.arguments("labels"), "--report")
    assert labelled.returncode == 0, labelled.stderr
    planted.told = labelled.stdout
    places = {
        "image_list_file": folder / "images.txt",
        "feature_root": folder / "features",
        "score_dst": folder / "ers",
    }
    flags = {"id_key_index": -2, "ui_centroid": folder / "centroid.npy"}
    scored = run_job("score_recognizability", *options(**places, **flags))
    assert scored.returncode == 0, scored.stderr
    return planted


def test_sets_of_every_form_side_by_side(planted_sets, browser, run_job):
    folder = planted_sets.folder
    sets = [f"sdd={folder}/labels", f"planted={folder}/planted.txt", f"{folder}/chance.csv"]
    sets.append(f"{folder}/ers")
    places = options(feature_root=folder / "features", dst=folder / "compared", id_key_index=-2, non_mated=5000)
    points = ("--error", "fnmr", "fmr", "--at-fmr", "0.01", "--starting-error", "0.1")
    result = run_job("evaluate_labels", "--labels", *sets, *places, *points)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    compared = folder / "compared"
    assert {file.name for file in compared.iterdir()} == FILES

    summary = json.loads((compared / "summary.json").read_text(encoding="utf-8"))
    names = ["sdd", "planted", "chance.csv", "ers"]
    assert [each["name"] for each in summary["label_sets"]] == names
    assert [each["quantity"] for each in summary["label_sets"]] == ["label", "score", "score", "ERS"]
    assert summary["pairs"]["non_mated"] == 5000
    assert summary["settings"]["error"] == {"value": ["fnmr", "fmr"], "origin": "flag"}
    points = [(each["error"], each["start"], each["at"]) for each in summary["comparisons"]]
    assert points == [("fnmr", "error", 0.1), ("fnmr", "fmr", 0.01), ("fmr", "error", 0.1)]
    for comparison in summary["comparisons"]:
        assert list(comparison["label_sets"]) == names
        assert {frozenset(area) for each in comparison["label_sets"].values() for area in each["areas"]} == {
            frozenset(AREA)
        }
    mated = summary["comparisons"][0]["label_sets"]
    areas = {name: mated[name]["areas"][0] for name in names}
    # Labels that follow the planted quality take errors away, chance does not.
    assert areas["chance.csv"]["interval_minus_first"][0] > 0
    assert areas["planted"]["pauc"] < 0.8 * areas["chance.csv"]["pauc"]
    low, high = areas["chance.csv"]["interval"]
    assert low <= 0.2 * summary["comparisons"][0]["starting_error"] <= high

    curves = pd.read_parquet(compared / "edc.parquet")
    text = pd.read_csv(compared / "edc.csv")
    pd.testing.assert_frame_equal(text, curves.astype({name: text[name].dtype for name in text.columns}))
    for comparison in summary["comparisons"]:
        of_start = curves[(curves["error"] == comparison["error"]) & (curves["start"] == comparison["start"])]
        for name, found in comparison["label_sets"].items():
            points = of_start[(of_start["label_set"] == name) & (of_start["at"] == comparison["at"])]
            assert len(points) == found["points"]
            widths = np.diff(np.minimum(points["discard"], 0.3))
            assert widths @ points["error_value"][:-1] == pytest.approx(found["areas"][1]["pauc"], abs=1e-12)

    told = result.stdout
    assert f"{summary['pairs']['mated']} mated and 5000 non-mated pairs, drawn" in told
    assert f"{areas['sdd']['pauc']:.6f} ({areas['sdd']['interval'][0]:.6f}" in told
    visit = Visit(browser, compared / "report.html")
    assert visit.messages == []
    assert {url for url in visit.requests if not url.startswith("data:")} == {visit.address}
    shown = visit.ask("document.body.innerText")
    assert all(name in shown for name in names)
    assert visit.ask("[...document.images].every(image => image.naturalWidth > 0)")


@pytest.fixture(scope="module")
def pictured(tmp_path_factory, run_job):
    """Compared by a tree of features, with image files below the root, one of another form, and some elsewhere."""
    evaluating = Evaluating(tmp_path_factory.mktemp("pictured"), run_job)
    evaluating.qualities = {**QUALITIES, HOSTILE: -1.0, "/etc/hostname": -2.0, "p1/gone.jpg": -3.0, "p1/text.jpg": -4.0}
    evaluating.write_labels(evaluating.qualities)
    evaluating.write_images([*PATHS, HOSTILE])
    (evaluating.folder / "images" / "p1" / "text.jpg").write_text("no image")
    evaluating.write_tree(embeddings_of(PATHS))
    evaluating.words = ("--convention", "recomputed")
    result = evaluating.run()
    assert result.returncode == 0, result.stderr
    return evaluating


@pytest.mark.lowest_versions
def test_the_recomputed_convention_has_no_best(pictured):
    (comparison,) = pictured.summary()["comparisons"]
    assert (comparison["start"], comparison["at"]) == ("fmr", 0.1)
    assert comparison["label_sets"]["scores.txt"]["areas"][0]["pauc_minus_best"] is None
    assert pictured.summary()["pairs"]["left_out"]["missing_feature"] > 0


def test_contact_sheets_of_image_files_below_the_root_and_of_no_others(pictured, browser):
    visit = Visit(browser, pictured.destination / "report.html")
    assert visit.messages == []
    assert visit.ask("document.scripts.length") == 0
    assert SCRIPT in visit.ask("document.body.innerText")
    tiles = visit.ask(
        "[...document.querySelectorAll('.sheet')].map(sheet => [...sheet.children].map(tile => "
        "[tile.querySelector('figcaption').innerText, tile.querySelector('img')?.naturalWidth ?? 0]))"
    )
    lowest, middle, highest, one = tiles
    unreadable = [text for text, width in lowest if not width]
    assert [next(path for path in pictured.qualities if path in text) for text in unreadable] == [
        "p1/text.jpg",
        "p1/gone.jpg",
        "/etc/hostname",
    ]
    assert all(width == 40 for text, width in lowest[3:])
    assert len(lowest) == len(middle) == len(highest) == 12
    labels = [float(text.split()[0].replace("\N{MINUS SIGN}", "-")) for text, _ in one]
    assert len(labels) > 2
    assert labels == sorted(labels)
    # Errors in spite of high labels are shown, too.
    [found] = pictured.summary()["judges"][0]["errors_of_high_labels"]
    assert found["errors"] >= len(found["pairs"]) > 0
    assert visit.ask("document.querySelectorAll('#mistakes [role=img]').length") == 2 * len(found["pairs"])


def test_labels_with_their_own_page(planted_sets, browser, run_job):
    folder = planted_sets.folder
    assert {file.name for file in (folder / "labels").iterdir()} == {
        "labels",
        "reference",
        "summary.json",
        "report.html",
    }
    summary = json.loads((folder / "labels" / "summary.json").read_text(encoding="utf-8"))
    (label_set,) = summary["evaluation"]["label_sets"]
    assert label_set["statuses"] == {status: count for status, count in sorted(summary["statuses"].items()) if count}
    assert "FNMR from 0.0" in planted_sets.told
    visit = Visit(browser, folder / "labels" / "report.html")
    assert visit.messages == []
    assert visit.ask("document.querySelector('h1').innerText") == "Quality labels"
    comparisons = summary["evaluation"]["comparisons"]
    points = [(each["error"], each["start"], each["at"]) for each in comparisons]
    assert points == [("fnmr", "error", 0.05), ("fnmr", "error", 0.1), ("fnmr", "fmr", 0.01), ("fnmr", "fmr", 0.001)]
    # The same pairs as an evaluation of its own draws, and so the same figures, by features of another form.
    places = options(feature_root=folder / "matrix.npy", rows_list=folder / "rows.txt", dst=folder / "again")
    again = run_job("evaluate_labels", "--labels", folder / "labels", *places, *options(id_key_index=-2))
    assert again.returncode == 0, again.stderr
    other = json.loads((folder / "again" / "summary.json").read_text(encoding="utf-8"))
    assert other["pairs"] == summary["evaluation"]["pairs"]
    assert [{**each, "judge": "features"} for each in other["comparisons"]] == comparisons


def test_labels_that_allow_no_curve_still_come_with_a_page(evaluating):
    evaluating.write_list([*(path for path in PATHS if path.startswith("p0/")), "p1/0.jpg", "p2/0.jpg"])
    places = {"image_list_file": evaluating.list, "feature_root": evaluating.features}
    flags = {"id_key_index": -2, "pool_size": 50, "score_dst": evaluating.destination}
    result = evaluating.run_job("generate_labels", *options(**places, **flags), "--report")
    assert result.returncode == 0, result.stderr
    assert "There are no curves: " in result.stderr
    evaluation = evaluating.summary()["evaluation"]
    assert evaluation["comparisons"] == []
    assert "of one identity" in evaluation["notes"][0]
    assert evaluation["label_sets"][0]["statuses"] == {"ok": 4, "too_few_images": 2}
    page = (evaluating.destination / "report.html").read_text(encoding="utf-8")
    assert "There are no curves" in page
    assert 'id="labels-1"' in page
