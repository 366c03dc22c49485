"""Label sets before several judges, from files to files: cuts, groups, targets, marks, and the page."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.browsing import Visit
from tests.jobs.planted_job import Planted
from tests.jobs.running import options

SECTIONS = ["pairs", "judges", "curves", "similarities", "cuts", "as-errors", "groups", "mistakes"]


def write_other_model(folder, features):
    """Features of the same images that have nothing to do with the others but how good they are."""
    table = pq.read_table(features)
    vectors = np.array(table["feature"].to_pylist())
    random = np.random.default_rng(7)
    other = np.tanh(vectors @ random.standard_normal((vectors.shape[1], 24)) * 2)
    other += 0.3 * random.standard_normal(other.shape)
    folder.mkdir()
    pq.write_table(
        pa.table({"path": table["path"], "feature": pa.array(other.tolist(), pa.list_(pa.float32()))}),
        folder / "0.parquet",
    )


@pytest.fixture(scope="module")
def judged(tmp_path_factory, run_job):
    """Margin labels of half mates, labels of all mates and chance, by the model that made them and by another."""
    planted = Planted(tmp_path_factory.mktemp("judged"), identities=60)
    folder = planted.folder
    write_other_model(folder / "other", folder / "features" / "part-0.parquet")
    for name, words in {"margin": ("--method", "margin", "--half-mates", "--report"), "sdd": ("--rounds", "4")}.items():
        places = {"image_list_file": folder / "images.txt", "feature_root": folder / "features"}
        result = run_job("generate_labels", *options(**places, score_dst=folder / name, id_key_index=-2), *words)
        assert result.returncode == 0, result.stderr
    planted.own_page = json.loads((folder / "margin" / "summary.json").read_text(encoding="utf-8"))["evaluation"]
    quality = pd.read_csv(folder / "quality.csv")
    chance = quality.assign(quality=100 * np.random.default_rng(0).uniform(size=len(quality)))
    chance.to_csv(folder / "chance.csv", index=False)
    identities = quality["path"].str.split("/").str[-2].unique()
    rows = [f"{name},{'odd' if place % 2 else 'even'}\n" for place, name in enumerate(sorted(identities)[:-5])]
    (folder / "groups.csv").write_text("identity,group\n" + "".join(rows), encoding="utf-8")
    sets = (f"margin={folder}/margin", f"sdd={folder}/sdd", f"chance={folder}/chance.csv")
    result = run_job(
        "evaluate_labels",
        *options(dst=folder / "all", id_key_index=-2, non_mated=4000, groups=folder / "groups.csv"),
        *("--labels", *sets, "--judge", f"own={folder}/features", f"other={folder}/other"),
        *("--pairs", "across-halves", "--at-fmr", "0.01", "--target-fnmr", "0.3", "1e-6", "--starting-error", "0.1"),
    )
    assert result.returncode == 0, result.stderr
    planted.told = result.stdout
    planted.summary = json.loads((folder / "all" / "summary.json").read_text(encoding="utf-8"))
    return planted


def test_who_made_labels_and_who_has_seen_the_pairs_is_told(judged):
    assert [each["made"] for each in judged.summary["judges"]] == [["margin", "sdd"], []]
    assert judged.summary["judges"][0]["pairs"]["kind"] == "across halves"
    notes = " ".join(judged.summary["notes"])
    assert "Labels of margin, sdd were made from the features of own" in notes
    assert "labels of sdd come from mates of both halves" in notes


def test_labels_of_half_mates_are_shown_by_pairs_that_they_have_not_seen(judged):
    [judge] = judged.own_page["judges"]
    assert judge["made"] == ["labels"]
    assert judge["pairs"]["kind"] == "across halves"
    assert not any("both halves" in note for note in judged.own_page["notes"])


def test_cuts_are_written_and_labels_that_tell_leave_fewer_errors(judged):
    folder = judged.folder / "all"
    cuts, text = pd.read_parquet(folder / "cuts.parquet"), pd.read_csv(folder / "cuts.csv")
    pd.testing.assert_frame_equal(text, cuts.astype({name: text[name].dtype for name in text.columns}))
    assert len(cuts) == 3 * 2 * 8
    labels = pd.read_csv(judged.folder / "chance.csv", float_precision="round_trip")["quality"]
    of_chance = cuts[(cuts["label_set"] == "chance") & (cuts["judge"] == "own")]
    for row in of_chance.itertuples():
        assert row.images == (labels >= row.label).sum()
        assert 0 <= row.discard - row.discarded < 1 / len(labels)
    half = cuts[cuts["discard"] == 0.5].set_index(["label_set", "judge"])["fnmr"]
    for judge in ("own", "other"):
        assert half["margin", judge] < 0.7 * half["chance", judge]


def test_targets_are_kept_or_cannot_be_reached(judged):
    for judge in judged.summary["judges"]:
        for target in judge["targets"]:
            if target["target"] == 1e-6 or target["label_set"] == "chance":
                assert target["label"] is None
            elif target["label_set"] == "margin":
                assert target["label"] is not None
            if target["label"] is not None:
                assert 0 <= target["discarded"] < 1
                assert target["pairs"] > 0
    assert "FNMR 1e-06 at FMR 0.01 cannot be reached" in judged.told
    assert "FNMR 0.3 at FMR 0.01 from label " in judged.told


def test_page_shows_it_all(judged, browser):
    visit = Visit(browser, judged.folder / "all" / "report.html")
    assert visit.messages == []
    assert {url for url in visit.requests if not url.startswith("data:")} == {visit.address}
    ids = visit.ask("[...document.querySelectorAll('section')].map(each => each.id)")
    assert [each for each in ids if each in SECTIONS] == SECTIONS
    text = visit.ask("document.body.innerText")
    for words in ("made from", "across halves", "cannot be reached", "even", "odd"):
        assert words in text
    assert visit.ask("document.documentElement.scrollWidth") <= 1000
