"""What was learned lies beside the labels; later runs are measured by it, or are told in a line why they cannot be."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import LabelSettings, generate_labels, read_labels
from fiqa_spark.errors import SettingsError
from fiqa_spark.methods.pool import Pool
from fiqa_spark.methods.references import Reference, write_reference
from fiqa_spark.runtime.storage import Storage
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


@pytest.mark.parametrize("method", METHODS)
def test_lists_of_any_size_get_the_labels_of_the_whole_run_and_better_images_are_cut_and_counted(
    spark, faces, run_job, method
):
    folder, _ = faces
    whole = rows_of(spark, folder / method)
    better = write_better_images(folder)
    lines = [*(folder / "images.txt").read_text(encoding="utf-8").split(), *better]
    (folder / "more.txt").write_text("\n".join(lines), encoding="utf-8")
    # The method and what else was learned with come from the reference.
    destination = f"{method}-more"
    result = label(run_job, folder, destination, "more.txt", reference=folder / method, id_key_index=-2)
    assert result.returncode == 0, result.stderr
    found = rows_of(spark, folder / destination)
    assert found.keys() == whole.keys() | set(better)
    assert_labels_of(whole, found)
    assert all(0 <= row.label <= 100 for row in found.values() if row.label is not None)
    before, after = summary_of(folder / method), summary_of(folder / destination)
    assert before["reference"]["fingerprint"] == after["reference"]["fingerprint"]
    assert after["settings"]["method"]["value"] == method
    assert f"taken from {folder / method}" in result.stdout
    at_most = [path for path in better if found[path].label == 100]
    cut = after["labels_cut"] if method == "sdd-fiqa" else after["labels_cut"]["at_100"]
    assert cut > len(better) / 2
    assert len(at_most) > len(better) / 2 or method == "sdd-fiqa"


def test_a_notebook_takes_a_reference_too_and_labels_one_person(spark, faces):
    folder, _ = faces
    whole = rows_of(spark, folder / "sdd-fiqa")
    features = spark.read.parquet(str(folder / "features" / "part-0.parquet"))
    one = next(row.identity for row in whole.values() if row.status == "ok")
    paths = [path for path in whole if path.startswith(one)]
    # The folder around it will do as well.
    settings = LabelSettings(id_key_index=-2, reference=str(folder / "sdd-fiqa" / "reference"))
    rows = generate_labels(images_frame(spark, paths), features, settings).collect()
    assert sorted(row.path for row in rows) == sorted(paths)
    assert_labels_of(whole, {row.path: row for row in rows})


def test_the_settings_of_a_notebook_tell_the_method(spark, faces):
    folder, _ = faces
    features = spark.read.parquet(str(folder / "features" / "part-0.parquet"))
    settings = LabelSettings(id_key_index=-2, reference=str(folder / "margin"))
    with pytest.raises(SettingsError, match="of the method margin, and these settings are of sdd-fiqa"):
        generate_labels(images_frame(spark, ["person_0001/000.jpg"]), features, settings)


def assert_labels_of(whole, found):
    """Images that the whole run had have its labels."""
    for path in found.keys() & whole.keys():
        label = whole[path].label
        assert found[path].status == whole[path].status
        assert found[path].label == (None if label is None else pytest.approx(label, abs=1e-4))


def write_better_images(folder):
    """Add features of other images of the same people, near their centres, as no image of the reference is; paths."""
    table = pq.read_table(folder / "features" / "part-0.parquet").to_pandas()
    table = table[[np.isfinite(vector).all() and vector.any() for vector in table["feature"]]]
    table["feature"] = [vector / np.linalg.norm(vector) for vector in table["feature"]]
    centres = table.groupby(table["path"].str.split("/").str[0])["feature"].agg(
        lambda rows: np.mean(list(rows), axis=0)
    )
    shown = {f"better_{name}/{number}": centres[name] + 0.02 * vector for name, number, vector in _near(table, centres)}
    vectors = [np.float32(vector).tolist() for vector in shown.values()]
    pq.write_table(pa.table({"path": list(shown), "feature": vectors}), folder / "features" / "part-1.parquet")
    return [f"{path}.jpg" for path in shown]


def _near(table, centres):
    """Of every person with several images the name and of each image its number and vector."""
    names, numbers = zip(*table["path"].str.split("/"), strict=True)
    return [row for row in zip(names, numbers, table["feature"], strict=True) if names.count(row[0]) > 2]


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


@pytest.mark.parametrize("method", METHODS)
def test_features_of_another_model_are_refused(spark, inputs, method):
    # Its embeddings fill 3 of 24 dimensions, and those of the inputs all.
    random = np.random.default_rng(0)
    embeddings = np.zeros((200, 24), np.float32)
    embeddings[:, :3] = random.standard_normal((200, 3))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    pool = Pool(embeddings, tuple(map(str, range(200))), np.arange(200))
    place = inputs.folder / "earlier" / "reference"
    write_reference(Storage(spark), str(place), Reference(method, {"pool_size": 200}, {}, pool, np.empty((0, 0))))
    inputs.flags = {"id_key_index": -2, "reference": place}
    refused(inputs, "--reference", "the features are of another model than the reference")
