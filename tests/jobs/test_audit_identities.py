"""The audit as users run it: its tables, what it says, and audits by what an earlier one learned."""

import base64
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from fiqa_spark import read_audit
from fiqa_spark.errors import InputError
from fiqa_spark.methods.references import Reference, read_reference, write_reference
from fiqa_spark.runtime.storage import Storage
from tests.browsing import Visit
from tests.jobs.running import message, options
from tests.planted_identities import planted, write_features, write_list

SIZES = [6, 5, 4, 3, 2, 1] * 3 + [12, 5, 4, 3, 2, 1] + [6, 5, 4, 3, 2, 1] * 8
MOVED = [("p0/1.jpg", "q18"), ("p7/0.jpg", "p1")]
SPLIT = [("p18", "q18", 6)]
NUMBERS = (
    "membership",
    "suggested_similarity",
    "evidence",
    "cohesion",
    "nearest_similarity",
    "similarity",
    "evidence_a",
    "evidence_b",
)


@pytest.fixture(scope="module")
def data():
    return planted(SIZES, MOVED, SPLIT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, run_job, data):
    """Inputs, pictures of the images, and the audit of them, with its page, in ``audit``."""
    folder = tmp_path_factory.mktemp("audit")
    write_list(folder / "images.parquet", data.identities)
    write_features(folder / "features", data.vectors)
    for path in data.identities:
        (folder / "pictures" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 60), colour_of(path)).save(folder / "pictures" / path)
    result = audit(run_job, folder, "audit", report=True, image_root=folder / "pictures")
    assert result.returncode == 0, result.stderr
    assert "audit_identities: comparing identities: " in result.stderr
    (folder / "stdout.txt").write_text(result.stdout, encoding="utf-8")
    return folder


def colour_of(path):
    """Every person has a colour."""
    person = int(path.split("/")[0][1:])
    return 50 * (person % 5), 50 * (person // 5 % 5), 50 * (person // 25)


def audit(run_job, folder, destination, images="images.parquet", features="features", **flags):
    places = {"image_list_file": folder / images, "feature_root": folder / features, "dst": folder / destination}
    return run_job("audit_identities", *options(**places, **flags))


@pytest.fixture(scope="module")
def whole(spark, folder):
    """The tables of the first audit."""
    return tables(spark, folder / "audit")


def tables(spark, folder):
    """Each table as a dict of its rows by what they are of."""
    found = read_audit(spark, folder)
    images = {row["path"]: row.asDict() for row in found.images.collect()}
    identities = {row["identity"]: row.asDict() for row in found.identities.collect()}
    pairs = {(row["identity_a"], row["identity_b"]): row.asDict() for row in found.identity_pairs.collect()}
    return images, identities, pairs


def assert_same(row, expected):
    numbers = {name: row[name] for name in NUMBERS if name in row and row[name] is not None}
    assert {**expected, **numbers} == row
    assert numbers == pytest.approx({name: expected[name] for name in numbers}, abs=1e-5)


def test_the_tables_and_what_is_told_agree(folder, data, whole):
    images, identities, pairs = whole
    summary = json.loads((folder / "audit" / "summary.json").read_text(encoding="utf-8"))
    assert images.keys() == data.identities.keys()
    verdicts = [row["verdict"] for row in images.values()]
    assert summary["verdicts"] == {verdict: verdicts.count(verdict) for verdict in ("own", "other", "unlike", "alone")}
    assert {path for path, row in images.items() if row["verdict"] == "other"} == set(data.moved)
    assert summary["identity_pairs"] == len(pairs) == 1
    assert (summary["persons_with_several_identities"], summary["identities_of_these_persons"]) == (1, 2)
    assert summary["identities_compared"] == sum(row["evidence"] >= 0.3 for row in identities.values())
    suggested = min(row["suggested_similarity"] for row in images.values() if row["verdict"] == "other")
    assert suggested >= summary["thresholds"]["image"]
    assert pairs["p18", "q18"]["similarity"] >= summary["thresholds"]["pair"]
    told = (folder / "stdout.txt").read_text(encoding="utf-8")
    assert f"other            {len(data.moved):>12}" in told
    assert "1 pairs of identities seem to be one person each: 2 names of 1 persons" in told


def test_the_page_shows_who_is_meant(folder, browser, data, whole):
    images, _, pairs = whole
    visit = Visit(browser, folder / "audit" / "report.html")
    assert visit.messages == []
    assert [url for url in visit.requests if not url.startswith("data:")] == [visit.address]
    assert "report.html shows" in (folder / "stdout.txt").read_text(encoding="utf-8")
    for path, right in data.moved.items():
        text, colours = case(visit, "others", path)
        assert f"stands under {data.identities[path]}\n" in text
        assert f"suggested at {images[path]['suggested_similarity']:.3f} {right}\n" in text
        own = next(other for other, name in data.identities.items() if name == data.identities[path] and other != path)
        assert colours == [colour_of(path)] + 3 * [colour_of(own)] + 3 * [colour_of(path)]
    text, colours = case(visit, "alike", "p18")
    assert f"{pairs['p18', 'q18']['similarity']:.3f} similarity" in text
    assert colours == 6 * [colour_of("p18/0.jpg")]


def case(visit, section, name):
    """Text of a case on the page that names somebody, and the colours of its pictures in tens."""
    [found] = [
        each
        for each in visit.ask(
            f"[...document.querySelectorAll('#{section} .case')].map(each => "
            "[each.innerText, [...each.querySelectorAll('img')].map(image => image.src)])"
        )
        if name in each[0]
    ]
    pictures = [Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))) for source in found[1]]
    return found[0], [tuple(round(value, -1) for value in picture.getpixel((30, 30))) for picture in pictures]


def test_labels_learn_the_reference_that_an_audit_learns(folder, run_job):
    places = {"image_list_file": folder / "images.parquet", "feature_root": folder / "features"}
    result = run_job("generate_labels", *options(**places, score_dst=folder / "labels", method="margin"))
    assert result.returncode == 0, result.stderr
    audited, labelled = (
        json.loads((folder / name / "summary.json").read_text(encoding="utf-8"))["reference"]["fingerprint"]
        for name in ("audit", "labels")
    )
    assert audited == labelled


@pytest.mark.lowest_versions
def test_by_the_first_audit_an_image_that_moves_changes_two_identities_and_no_others_whoever_is_listed(
    spark, folder, run_job, data, whole
):
    """And a tree gives what Parquet gives."""
    # A person under two names, of which one is not listed.
    listed = {path: name for path, name in data.identities.items() if name != "p18"} | {"p9/0.jpg": "p12"}
    for path in listed:
        file = folder / "tree" / f"{path.removesuffix('.jpg')}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, data.vectors[path])
    write_list(folder / "moved.parquet", listed)
    by_first = {"reference": folder / "audit", "partition_by": "bucket"}
    result = audit(run_job, folder, "moved", "moved.parquet", "tree", **by_first)
    assert result.returncode == 0, result.stderr
    images, identities, pairs = whole
    moved, found, named = tables(spark, folder / "moved")
    assert (moved["p9/0.jpg"]["verdict"], moved["p9/0.jpg"]["suggested_identity"]) == ("other", "p9")
    assert moved.keys() == listed.keys()
    assert found.keys() == identities.keys() - {"p18"}
    for path, row in moved.items():
        if row["identity"] not in ("p9", "p12"):
            assert_same(row, images[path])
    for identity, row in found.items():
        if identity not in ("p9", "p12"):
            assert_same(row, identities[identity])
    assert named.keys() == pairs.keys() == {("p18", "q18")}
    assert_same(named["p18", "q18"], pairs["p18", "q18"])


def test_a_reference_measures_one_identity_too_and_no_images_of_another_model(folder, run_job, data):
    write_list(folder / "alone.parquet", {path: name for path, name in data.identities.items() if name == "q18"})
    write_features(folder / "short", {path: vector[:40] for path, vector in data.vectors.items()})
    result = audit(run_job, folder, "refused", "alone.parquet", "short", reference=folder / "audit")
    assert result.returncode == 2
    # Of the list nothing is told.
    assert "the reference has 64 values, and the features have 40" in message(result)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"suspect_below": 2}, "--suspect-below 2.0: "),
        ({"chance_image": 0}, "--chance-image 0.0: "),
        ({"chance_pair": 0.9}, "--chance-pair 0.9: "),
        ({"candidates": 0}, "--candidates 0: "),
        ({"least_evidence": -1}, "--least-evidence -1.0: "),
        ({"reference": "features"}, "no reference there"),
        ({"half_mates": True}, "unrecognized arguments: --half-mates"),
    ],
)
def test_settings_out_of_range_are_refused_in_a_line(folder, run_job, flags, told):
    if "reference" in flags:
        flags = {"reference": folder / "features"}
    result = audit(run_job, folder, "refused", **flags)
    assert result.returncode == 2
    assert told in message(result)
    assert not (folder / "refused").exists()


def test_a_reference_that_audits_cannot_use_is_refused_in_a_line(spark, folder, run_job, tmp_path):
    pool = read_reference(Storage(spark), str(folder / "audit")).pool
    distances = Reference("sdd-fiqa", {"pool_size": len(pool.embeddings)}, {}, pool, np.empty((0, 0)))
    write_reference(Storage(spark), str(folder / "distances" / "reference"), distances)
    refused = audit(run_job, folder, "refused", reference=folder / "distances")
    assert refused.returncode == 2
    assert "is of the method sdd-fiqa, and identities are measured by margins" in message(refused)
    for change, told in (
        (_cut, "JSONDecodeError"),
        (_of_another, "of another reference"),
        (_without_centres, "no cen"),
    ):
        damaged = tmp_path / change.__name__
        shutil.copytree(folder / "audit", damaged)
        change(damaged / "reference")
        refused = audit(run_job, folder, "refused", reference=damaged)
        assert refused.returncode == 2
        assert told in message(refused)
    assert not (folder / "refused").exists()


def _cut(reference):
    path = reference / "audit.json"
    path.write_bytes(path.read_bytes()[:100])


def _of_another(reference):
    path = reference / "audit.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**facts, "margins": "0" * 16}), encoding="utf-8")


def _without_centres(reference):
    shutil.rmtree(reference / "centres")


def test_images_of_one_person_are_refused_in_a_line(folder, run_job, data):
    write_list(folder / "one.parquet", {path: name for path, name in data.identities.items() if name == "p0"})
    result = audit(run_job, folder, "refused", "one.parquet")
    assert result.returncode == 2
    assert "p0" in message(result)


def test_a_result_is_not_replaced_unasked(folder, run_job):
    result = audit(run_job, folder, "audit")
    assert result.returncode == 2
    assert "--overwrite" in message(result)


def test_too_little_evidence_is_told_in_a_line(folder, run_job):
    result = audit(run_job, folder, "refused", least_evidence=1000)
    assert result.returncode == 2
    assert "0 have evidence of 1000 or more, where 2 are needed; lower --least-evidence" in message(result)


def test_the_list_is_never_the_destination(folder, run_job):
    result = audit(run_job, folder, "images.parquet", overwrite=True)
    assert result.returncode == 2
    assert "is a file, which is no result of this job and will not be replaced" in message(result)


def test_a_folder_that_is_no_audit_is_told(spark, folder):
    with pytest.raises(InputError, match="no column 'membership'"):
        read_audit(spark, folder / "features")
