"""Unchanged people are taken over from an earlier result of the same reference, and the whole is that of a full run."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_labels
from fiqa_spark.methods.references import read_reference, write_reference
from fiqa_spark.runtime.storage import Storage
from tests.jobs.inputs import refused
from tests.jobs.running import options
from tests.on_lowest import on_lowest

DIMENSION = 12
SHARED = {"id_key_index": -2, "pool_size": 60}
# Of each method, and whether people get a folder of their own.
METHODS = {
    "margin": {"method": "margin", "intra_pool_size": 5},
    "exact": {
        **{"estimator": "exact", "half_mates": "true", "intra_pool_size": 3, "normalize": "final"},
        "partition_by": "bucket",
    },
}
COUNTED = ("images", "identities", "statuses", "labels_cut", "images_beyond_intra_pool", "label_percentiles")


def people():
    """Path to identity and vector: 18 people of 2 to 8 images."""
    random = np.random.default_rng(3)
    images = {}
    for person in range(18):
        centre = random.standard_normal(DIMENSION)
        for number in range(2 + person % 7):
            share = random.uniform(0.2, 0.9)
            vector = share * centre + (1 - share) * random.standard_normal(DIMENSION)
            images[f"p{person:02d}/{number}.jpg"] = (f"p{person:02d}", np.float32(vector))
    images["none/0.jpg"] = (None, np.float32(random.standard_normal(DIMENSION)))
    images["none/1.jpg"] = (None, np.float32(random.standard_normal(DIMENSION)))
    return images


ALL = people()
ADDED, REMOVED, MOVED = "p05/1.jpg", "p06/2.jpg", "p08/0.jpg"
# Of p09 the feature comes later, that of p10 is mended, that of p11 stays broken.
LATER, MENDED, BROKEN = "p09/1.jpg", "p10/1.jpg", "p11/1.jpg"
NEW, GONE, NEW_ALONE = "p12", "p13", "none/1.jpg"


def before():
    """Identity of each image in the earlier list."""
    return {path: who for path, (who, _) in ALL.items() if path not in (ADDED, NEW_ALONE) and who != NEW}


def after():
    """Identity of each image in the later list."""
    kept = {path: who for path, (who, _) in ALL.items() if path != REMOVED and who != GONE}
    return {**kept, MOVED: "p07"}


# Whom the changes concern, of those in the later list.
CHANGED = {"p05", "p06", "p07", "p08", "p09", "p10", "p11", NEW, "p14"}


def write_list(file, images, repeated=()):
    rows = [*images.items(), *((path, images[path]) for path in repeated)]
    pq.write_table(pa.table({"path": [row[0] for row in rows], "identity": [row[1] for row in rows]}), file)


def write_features(folder, vectors):
    folder.mkdir()
    columns = {
        "path": list(vectors),
        "feature": pa.array([list(each) for each in vectors.values()], pa.list_(pa.float32())),
    }
    pq.write_table(pa.table(columns), folder / "part-0.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Lists and features before and after planted changes."""
    folder = tmp_path_factory.mktemp("updates")
    write_list(folder / "few.parquet", {path: who for path, who in before().items() if who and who < "p05"})
    write_list(folder / "before.parquet", before())
    write_list(folder / "after.parquet", after(), repeated=["p14/0.jpg", "p14/0.jpg"])
    vectors = {path: vector for path, (_, vector) in ALL.items()}
    broken = {BROKEN: np.zeros(DIMENSION, np.float32)}
    write_features(folder / "after", {**vectors, **broken})
    # Of those who have not changed every feature is another one of the same model, or gone: nobody is to look at it.
    unchanged = {path for path, (who, _) in ALL.items() if who and who not in CHANGED}
    shaken = {path: np.float32(vector + 0.05) if path in unchanged else vector for path, vector in vectors.items()}
    gone = {path for path in unchanged if path[:3] in ("p00", "p01")}
    write_features(
        folder / "shaken", {path: vector for path, vector in {**shaken, **broken}.items() if path not in gone}
    )
    earlier = {**vectors, **broken, MENDED: np.full(DIMENSION, np.nan, np.float32)}
    write_features(folder / "before", {path: vector for path, vector in earlier.items() if path != LATER})
    return folder


@pytest.fixture(scope="module")
def label(folder, run_job):
    """Labels a list: ``label("after", "destination", features="after", update=...)``; what it says and its summary."""

    def run(images, destination, *more, features="after", **flags):
        places = {"image_list_file": folder / f"{images}.parquet", "feature_root": folder / features}
        result = run_job("generate_labels", *options(**places, score_dst=folder / destination, **flags), *more)
        assert result.returncode == 0, result.stderr
        return result.stdout, json.loads((folder / destination / "summary.json").read_text(encoding="utf-8"))

    return run


@pytest.fixture(scope="module")
def earlier(folder, label):
    """Labels the list before the changes in one of these ways, once each."""
    done = {}

    def run(way):
        if way not in done:
            flags, reference = {**SHARED, **METHODS[way]}, {}
            if way == "exact":
                # Measured by few people, so that labels are cut.
                label("few", "few", features="before", **flags)
                reference["reference"] = folder / "few"
            done[way] = label("before", f"{way}-before", features="before", **reference, **flags)
        return folder / f"{way}-before"

    return run


def assert_same_result(spark, places, summaries):
    """Rows and counts are those of a full run."""
    tables = [{row.path: row.asDict() for row in read_labels(spark, str(place)).collect()} for place in places]
    assert tables[0].keys() == tables[1].keys()
    for path, row in tables[0].items():
        for name, value in tables[1][path].items():
            is_number = isinstance(value, (float, list))
            assert row[name] == (pytest.approx(value, abs=1e-4) if is_number else value), (path, name)
    for name in COUNTED:
        expected = summaries[1][name]
        # No percentile lies between two labels here.
        assert summaries[0][name] == (pytest.approx(expected, abs=1e-4) if name == "label_percentiles" else expected)
    assert summaries[0]["reference"]["fingerprint"] == summaries[1]["reference"]["fingerprint"]


@pytest.mark.parametrize("way", on_lowest(METHODS, "exact"))
def test_an_updated_result_is_that_of_a_full_run_and_the_unchanged_are_not_computed(spark, folder, label, earlier, way):
    flags, place = {"id_key_index": -2, **METHODS[way]}, folder / f"{way}-updated"
    source, more = earlier(way), ()
    if way == "exact":
        # In its own place.
        source, more = shutil.copytree(source, place), ("--overwrite",)
    told, updated = label("after", place, *more, features="shaken", update=source, **flags)
    _, expected = label("after", f"{way}-full", reference=earlier(way), **flags)
    assert_same_result(spark, (place, folder / f"{way}-full"), (updated, expected))
    kept = [who for path, who in after().items() if who not in CHANGED and path != NEW_ALONE]
    facts = updated["update"]
    assert facts["taken_over"] == {"images": len(kept), "identities": len({*kept} - {None})}
    people = {who for who in after().values() if who}
    assert facts["computed"] == {"images": len(after()) - len(kept), "identities": len(people & CHANGED)}
    assert f"update     {len(kept)} images of {len({*kept} - {None})} identities taken over from" in told
    # What is to be equal is there.
    assert updated["images"]["repeated_lines"] == 2
    assert updated["statuses"]["invalid_feature"] == 1
    cut = updated["labels_cut"]
    assert (cut if isinstance(cut, int) else sum(cut.values())) > 0
    assert updated["images_beyond_intra_pool"] > 0
    assert updated["settings"]["reference"] == {"value": str(source), "origin": "update"}


@pytest.fixture
def sound(inputs, folder, earlier, tmp_path):
    """Sound inputs for an update of a copy of an earlier result, which a test may damage."""
    shutil.copytree(earlier("margin"), tmp_path / "earlier")
    inputs.list, inputs.features = folder / "after.parquet", folder / "after"
    inputs.flags = {"id_key_index": -2, "intra_pool_size": 5, "update": tmp_path / "earlier"}
    return inputs, tmp_path / "earlier"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "no labels there"),
        (lambda place: shutil.rmtree(place / "labels"), "no labels there; give the folder that generate_labels wrote"),
        (lambda place: shutil.rmtree(place / "reference"), "no reference there"),
        (lambda place: (place / "summary.json").unlink(), "no summary.json there"),
        (lambda place: (place / "summary.json").write_text("{"), "not the summary of labels"),
        (lambda place: (place / "summary.json").write_text('{"reference": 1}'), "not the summary of labels"),
    ],
)
def test_what_is_no_whole_result_is_refused(sound, damage, said):
    inputs, place = sound
    damage(place)
    refused(inputs, "--update", place, said)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"intra_pool_size": 6}, "--intra-pool-size 6: the labels of --update were computed with 5; give 5, or leave"),
        ({"image_root": "/data"}, "--image-root '/data': the labels of --update were computed with none; leave it out"),
        ({"id_key_index": -1}, "--id-key-index -1: the labels of --update were computed with -2; give -2"),
        ({"feature_type": "float64"}, "--feature-type"),
        ({"seed": 3}, "--seed 3: the reference was learned with 0"),
        ({"prior_weight": 0.3}, "--prior-weight 0.3: the reference was learned with 0.1"),
    ],
)
def test_other_settings_than_those_of_the_labels_are_refused(sound, flags, said):
    inputs, _ = sound
    inputs.flags.update({"method": "margin", **flags})
    refused(inputs, said)


def test_another_reference_and_the_destination_itself_are_refused(spark, sound):
    inputs, place = sound
    own = read_reference(Storage(spark), str(place))
    write_reference(Storage(spark), str(inputs.folder / "other"), own._replace(coefficients=2 * own.coefficients))
    inputs.flags["reference"] = inputs.folder / "other"
    refused(inputs, "--update", place, "its labels were measured by the reference", "and that of this run is")
    del inputs.flags["reference"]
    inputs.destination = place
    refused(inputs, "--score-dst", place, "exists and holds", "add --overwrite")
