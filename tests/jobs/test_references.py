"""What was learned lies beside the labels; later runs are measured by it, or are told in a line why they cannot be."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from fiqa_spark import LabelSettings, MarginSettings, generate_labels, read_labels
from fiqa_spark.errors import SettingsError
from tests.conftest import DATA
from tests.jobs.inputs import Inputs, refused
from tests.jobs.running import options
from tests.labelling import images_frame
from tests.planted_data import write_planted_data

METHODS = ("sdd-fiqa", "margin")
SHARED = {"id_key_index": -2, "pool_size": 150}
OWN = {"sdd-fiqa": {"rounds": 3, "fix_num": 6}, "margin": {"reference_sample": 120, "prior_weight": 0.2}}


@pytest.fixture(scope="module")
def faces(tmp_path_factory, run_job):
    """Planted faces and the result of a whole run by either method."""
    folder = tmp_path_factory.mktemp("faces")
    write_planted_data(folder, identities=40, dimension=16)
    told = {}
    for method in METHODS:
        result = label(run_job, folder, method, method=method, **SHARED, **OWN[method])
        assert result.returncode == 0, result.stderr
        told[method] = result.stdout
    return folder, told


def label(run_job, folder, destination, images="images.txt", **flags):
    places = {"image_list_file": folder / images, "feature_root": folder / "features"}
    return run_job("generate_labels", *options(**places, score_dst=folder / destination, **flags))


def rows_of(spark, folder):
    return {row.path: row for row in read_labels(spark, str(folder)).collect()}


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.lowest_versions
@pytest.mark.parametrize("method", METHODS)
def test_a_list_of_some_people_gets_the_labels_of_the_whole_run(spark, faces, run_job, method):
    folder, _ = faces
    whole = rows_of(spark, folder / method)
    lines = (folder / "images.txt").read_text(encoding="utf-8").split()
    one = next(row.identity for row in whole.values() if row.status == "ok")
    for name, wanted in (("all", ""), ("some", "person_000"), ("one", one)):
        (folder / f"{name}.txt").write_text("\n".join(line for line in lines if line.startswith(wanted)))
        destination = f"{method}-{name}"
        reference = folder / method / ("reference" if name == "some" else "")
        # The method and what else was learned with come from the reference.
        result = label(run_job, folder, destination, f"{name}.txt", reference=reference, id_key_index=-2)
        assert result.returncode == 0, result.stderr
        found = rows_of(spark, folder / destination)
        assert found.keys() == {path for path in whole if path.startswith(wanted)}
        for path, row in found.items():
            assert row.status == whole[path].status
            assert row.label == (None if row.label is None else pytest.approx(whole[path].label, abs=1e-4))
        before, after = summary_of(folder / method), summary_of(folder / destination)
        assert before["reference"]["fingerprint"] == after["reference"]["fingerprint"]
        assert after["settings"]["method"]["value"] == method
        assert f"taken from {reference}" in result.stdout


def test_the_reference_is_open_files_and_carries_what_it_was_learned_with(faces):
    folder, told = faces
    for method in METHODS:
        place = folder / method / "reference"
        names = {file.name for file in place.iterdir()}
        assert names == {"reference.json", "pool.npy", "pool.parquet", "coefficients.npy"}
        facts = json.loads((place / "reference.json").read_text(encoding="utf-8"))
        assert (facts["method"], facts["version"], facts["dimension"]) == (method, 1, 16)
        assert facts["settings"].items() >= {**OWN[method], "pool_size": 150, "seed": 0}.items()
        pool = np.load(place / "pool.npy", allow_pickle=False)
        assert pool.shape == (150, 16)
        np.testing.assert_allclose(np.linalg.norm(pool, axis=1), 1, atol=1e-5)
        assert facts["fingerprint"] == summary_of(folder / method)["reference"]["fingerprint"]
        assert facts["fingerprint"] in told[method]


@pytest.mark.parametrize("method", METHODS)
def test_what_lies_beyond_the_range_is_cut_and_counted(spark, faces, run_job, method):
    folder, _ = faces
    # Images that lie in their people's centres, as no image of the reference does.
    better = folder / f"better-{method}"
    write_planted_data(better, identities=40, dimension=16)
    features = run_better(better)
    result = label(run_job, better, "labels", reference=folder / method, id_key_index=-2)
    assert result.returncode == 0, result.stderr
    labels = [row.label for row in rows_of(spark, better / "labels").values() if row.label is not None]
    assert max(labels) == 100
    assert min(labels) >= 0
    cut = summary_of(better / "labels")["labels_cut"]
    assert (cut if method == "sdd-fiqa" else cut["at_100"]) > features / 2


def run_better(folder):
    """Features of the planted images without their noise; how many there are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = folder / "features" / "part-0.parquet"
    table = pq.read_table(place).to_pandas()
    person = table["path"].str.split("/").str[0]
    table["feature"] = [vector / np.linalg.norm(vector) for vector in table["feature"]]
    usable = table[[np.isfinite(vector).all() and vector.any() for vector in table["feature"]]]
    centres = usable.groupby(person)["feature"].agg(lambda vectors: np.mean(list(vectors), axis=0))
    shown = [np.float32(centres[name] + 0.02 * vector) for name, vector in zip(person, table["feature"], strict=True)]
    pq.write_table(pa.table({"path": table["path"].tolist(), "feature": [list(row) for row in shown]}), place)
    return len(table)


@pytest.fixture
def copied(faces, tmp_path, run_job):
    """Sound inputs of the dimension of a reference, and a copy of it that a test may damage."""
    inputs = Inputs(tmp_path, run_job)
    folder, _ = faces
    inputs.list, inputs.features = folder / "images.txt", folder / "features"
    shutil.copytree(folder / "margin" / "reference", tmp_path / "earlier" / "reference")
    inputs.flags = {"id_key_index": -2, "reference": tmp_path / "earlier"}
    return inputs, tmp_path / "earlier" / "reference"


def change_facts(place, **changes):
    file = place / "reference.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "no reference there"),
        (lambda place: (place / "pool.npy").unlink(), "pool.npy: the reference is damaged: no such file"),
        (lambda place: (place / "pool.npy").write_bytes((place / "pool.npy").read_bytes()[:-40]), "damaged"),
        (lambda place: (place / "coefficients.npy").write_bytes(b""), "damaged"),
        (lambda place: (place / "pool.parquet").write_bytes(b"PAR1 and no more PAR1"), "damaged"),
        (lambda place: (place / "reference.json").write_text('{"version": 1, "meth'), "damaged"),
        (lambda place: (place / "reference.json").write_text("[1]"), "damaged"),
        (lambda place: change_facts(place, numbers={"lo": 0}), "not have the content of the fingerprint"),
        (lambda place: change_facts(place, settings=None), "fingerprint"),
        (lambda place: change_facts(place, method=None), "fingerprint"),
        (lambda place: change_facts(place, version=2), "version 2, and this program knows version 1"),
        (lambda place: np.save(place / "pool.npy", np.array([{}]), allow_pickle=True), "damaged"),
        (lambda place: np.save(place / "pool.npy", np.zeros((2, 16), np.float32)), "fingerprint"),
    ],
)
def test_what_is_no_sound_reference_is_refused(copied, damage, said):
    inputs, place = copied
    damage(place)
    refused(inputs, "--reference", said)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"seed": 7}, "--seed 7: the reference was learned with 0; leave it out"),
        ({"pool_size": 149}, "--pool-size 149: the reference was learned with 150"),
        ({"prior_weight": 0.3}, "--prior-weight 0.3"),
        ({"method": "sdd-fiqa"}, "--method 'sdd-fiqa': the reference was learned with margin"),
    ],
)
def test_other_settings_than_those_of_the_reference_are_refused(copied, flags, said):
    inputs, _ = copied
    if "prior_weight" in flags:
        flags = {**flags, "method": "margin"}
    inputs.flags.update(flags)
    refused(inputs, said)


def test_features_of_another_length_are_refused(copied, tmp_path):
    inputs, _ = copied
    write_planted_data(tmp_path / "longer", identities=10, dimension=24)
    inputs.list, inputs.features = tmp_path / "longer" / "images.txt", tmp_path / "longer" / "features"
    refused(inputs, "--reference", "the reference has 16 values, and the features have 24")


def test_features_of_another_model_are_refused_and_other_people_of_the_model_are_not(inputs):
    paths = pd.read_csv(DATA / "lfw_sample.csv")["path"].tolist()
    features = np.load(DATA / "lfw_sample.npy", allow_pickle=False).astype(np.float32)
    people = np.unique([path.split("/")[-2] for path in paths], return_inverse=True)[1]
    parts = {"earlier": (people % 2 == 0, features), "same": (people % 2 == 1, features)}
    # Another model uses other directions.
    parts["other"] = (people % 2 == 1, features[:, np.random.default_rng(0).permutation(128)])
    for name, (chosen, vectors) in parts.items():
        inputs.list, inputs.features = inputs.folder / f"{name}.txt", inputs.folder / f"{name}.npy"
        inputs.write_list(np.array(paths)[chosen])
        np.save(inputs.features, vectors[chosen])
        inputs.destination = inputs.destination.parent / name
        inputs.flags = {"id_key_index": -2, "method": "margin"}
        if name != "earlier":
            inputs.flags["reference"] = inputs.destination.parent / "earlier"
        if name == "other":
            refused(inputs, "--reference", "the features are of another model than the reference")
        else:
            result = inputs.run()
            assert result.returncode == 0, result.stderr


def test_a_notebook_takes_a_reference_too_and_its_settings_tell_the_method(spark, faces):
    folder, _ = faces
    whole = rows_of(spark, folder / "margin")
    paths = sorted(path for path, row in whole.items() if path.startswith("person_000") and row.label is not None)
    features = spark.read.parquet(str(folder / "features"))
    settings = MarginSettings(id_key_index=-2, reference=str(folder / "margin"))
    rows = generate_labels(images_frame(spark, paths), features, settings).collect()
    assert [row.label for row in sorted(rows)] == pytest.approx([whole[path].label for path in paths], abs=1e-4)
    with pytest.raises(SettingsError, match="of the method margin, and these settings are of sdd-fiqa"):
        other = LabelSettings(id_key_index=-2, reference=str(folder / "margin"))
        generate_labels(images_frame(spark, paths), features, other)
