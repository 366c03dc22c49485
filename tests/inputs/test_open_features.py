"""The table of readers: forms are recognised, and one reader makes a new form."""

import itertools

import numpy as np
import pytest
from pyspark.sql import functions as F

from fiqa_spark.errors import InputError
from fiqa_spark.inputs import open_features as opening
from fiqa_spark.inputs.open_features import READERS, import_features, open_features
from fiqa_spark.inputs.reader import Reader, Vectors
from fiqa_spark.pipelines.jobs import GenerateLabelsSettings, ImportFeaturesSettings
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.storage import Storage
from tests.labelling import embeddings_of, images_frame, paths_of

PATHS = paths_of([3, 2])
VECTOR = np.arange(24, dtype=np.float32)


def opened(spark, root, staging, paths=PATHS, **options):
    are_rows = options.pop("are_rows", True)
    settings = GenerateLabelsSettings(feature_root=str(root), id_key_index=-2, **options)
    images, steps = images_frame(spark, paths), Steps(spark)
    return open_features(spark, Storage(spark), images, settings, str(staging), steps, are_rows=are_rows)


def vectors_of(features):
    table = features.table.select("key", "feature").collect()
    return {row.key: np.frombuffer(bytes(row.feature), "<f4").tolist() for row in table}


def csv_vectors(source, wanted):
    """One text file of a path and its values, separated by commas."""
    rows = source.spark.read.text(source.path).select(F.split("value", ",").alias("parts"))
    columns = (
        F.col("parts")[0].alias("path"),
        F.slice("parts", 2, 10**6).cast("array<float>").alias("feature"),
        F.lit(None).cast("string").alias("problem"),
    )
    return Vectors(rows.select(*columns), rows.count(), 24)


def test_one_reader_adds_a_form_for_labelling_and_import(spark, tmp_path, monkeypatch):
    embeddings = embeddings_of(PATHS)
    lines = [",".join([path.removesuffix(".jpg"), *map(str, embeddings[path].tolist())]) for path in PATHS]
    (tmp_path / "features.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=r"no \.parquet and no \.npy file there; give the folder"):
        opened(spark, tmp_path / "features.csv", tmp_path)
    monkeypatch.setattr(opening, "READERS", (*READERS, Reader(".csv", lambda source: True, csv_vectors)))
    expected = {path.removesuffix(".jpg"): embeddings[path].tolist() for path in PATHS}
    assert vectors_of(opened(spark, tmp_path / "features.csv", tmp_path / "staging")) == expected
    settings = ImportFeaturesSettings(source=str(tmp_path / "features.csv"), id_key_index=-2)
    store = import_features(spark, Storage(spark), settings, str(tmp_path / "store"))
    assert (store["rows"], store["dimension"]) == (len(PATHS), 24)
    assert vectors_of(opened(spark, tmp_path / "store", tmp_path)) == expected


def save(folder, names):
    """A vector for each file, of its number in the order of the names."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, VECTOR + number)


def imported(spark, tmp_path, source, **options):
    settings = ImportFeaturesSettings(source=str(source), id_key_index=-2, **options)
    import_features(spark, Storage(spark), settings, str(tmp_path / "store"))
    return vectors_of(opened(spark, tmp_path / "store", tmp_path))


class Elsewhere(Storage):
    """A disk that the workers cannot open by path, as HDFS; a local one stands in for it."""

    def local(self, path):
        return None


# Files and the key that the vector of each has.
NAMED_AS_IMAGES = {"a/0.jpg.npy": "a/0", "a/1.npy": "a/1", "b/x.y.PNG.npy": "b/x.y", "b/2.tar.npy": "b/2.tar"}
WITH_KEYS = {key: (VECTOR + number).tolist() for number, key in enumerate(NAMED_AS_IMAGES.values())}


def test_the_file_of_an_image_may_have_its_whole_name_elsewhere(spark, tmp_path, monkeypatch):
    save(tmp_path / "tree", NAMED_AS_IMAGES)
    paths = ["/faces/a/0.jpg", "a/1.jpg", "/faces/b/x.y.PNG", "b/2.tar.jpg", "b/3.jpg"]
    monkeypatch.setitem(opened.__globals__, "Storage", Elsewhere)
    features = opened(spark, tmp_path / "tree", tmp_path / "staging", paths, image_root="/faces")
    assert vectors_of(features) == WITH_KEYS


def test_an_import_takes_the_key_of_the_image_from_the_name_of_a_file_elsewhere(spark, tmp_path, monkeypatch):
    save(tmp_path / "tree", NAMED_AS_IMAGES)
    monkeypatch.setitem(opened.__globals__, "Storage", Elsewhere)
    assert imported(spark, tmp_path, tmp_path / "tree") == WITH_KEYS


# Images as they are listed, their files, and the keys of the features.
FILES_OF_IMAGES = {
    "two extensions": (["a/2.png.jpg"], ["a/2.png.npy"], ["a/2.png"]),
    "another extension, or none": (
        ["b/0", "b/1", "b/x.y.jpg", "b/2.jpg"],
        ["b/0.jpg.npy", "b/1.npy", "b/x.y.PNG.npy", "b/2.tar.npy"],
        ["b/0", "b/1", "b/x.y"],
    ),
    "two files of one image": (["c/0.jpg", "c/0.jpg"], ["c/0.jpg.npy", "c/0.npy"], ["c/0", "c/0"]),
    "a whole name below the root": (
        ["/faces/e/0.jpg", "/faces/e/x.y.PNG", "e/2.tar.jpg"],
        ["e/0.jpg.npy", "e/x.y.PNG.npy", "e/2.tar.npy"],
        ["e/0", "e/x.y", "e/2.tar"],
    ),
    "one file, however often its image is listed": (["d/0.jpg", "d/0.jpg", "/d/0.png"], ["d/0.npy"], ["d/0"]),
}


def test_the_files_of_images_are_found_whatever_extensions_both_have_and_each_is_read_once(spark, tmp_path):
    listed, files, keys = ([*itertools.chain(*lists)] for lists in zip(*FILES_OF_IMAGES.values(), strict=True))
    save(tmp_path / "tree", files)
    root = {"image_root": "/faces"}
    table = opened(spark, tmp_path / "tree", tmp_path / "staging", [*listed, "f/0.jpg"], **root).table
    found = [(row.key, np.frombuffer(bytes(row.feature), "<f4")) for row in table.select("key", "feature").collect()]
    assert sorted(key for key, _ in found) == sorted(keys)
    # Each vector tells the number of its file.
    assert all(files[int(vector[0])].split(".")[0] == key.split(".")[0] for key, vector in found)


def test_an_import_takes_keys_from_names_of_files_and_follows_links_but_not_round_and_round(spark, tmp_path):
    save(tmp_path / "tree", NAMED_AS_IMAGES)
    save(tmp_path, ["elsewhere/0.npy"])
    for name, target in {"link": "../elsewhere", "back": ".", "a/back": "..", "self": "self"}.items():
        (tmp_path / "tree" / name).symlink_to(target)
    assert imported(spark, tmp_path, tmp_path / "tree") == {**WITH_KEYS, "link/0": VECTOR.tolist()}


def test_a_matrix_is_known_by_its_first_bytes(spark, tmp_path):
    with (tmp_path / "features").open("wb") as file:
        np.save(file, np.stack([VECTOR, VECTOR + 1]))
    features = opened(spark, tmp_path / "features", tmp_path / "staging", ["a/0.jpg", "a/1.jpg"])
    assert vectors_of(features) == {"a/0": VECTOR.tolist(), "a/1": (VECTOR + 1).tolist()}


def test_a_matrix_without_a_list_of_its_rows_is_told(spark, tmp_path):
    np.save(tmp_path / "matrix.npy", VECTOR[None])
    settings = ImportFeaturesSettings(source=str(tmp_path / "matrix.npy"))
    with pytest.raises(InputError, match="is one matrix; give the list of its rows") as raised:
        import_features(spark, Storage(spark), settings, str(tmp_path / "store"))
    assert raised.value.setting == "rows_list"
    with pytest.raises(InputError, match="is one matrix"):
        opened(spark, tmp_path / "matrix.npy", tmp_path / "staging", are_rows=False)


def test_a_matrix_of_another_number_of_rows_names_the_list_that_was_taken(spark, tmp_path):
    np.save(tmp_path / "matrix.npy", VECTOR.reshape(2, 12))
    with pytest.raises(InputError, match=r"5 paths for the 2 rows of .*matrix\.npy") as raised:
        opened(spark, tmp_path / "matrix.npy", tmp_path / "staging")
    assert (raised.value.setting, "`rows_list`" in raised.value.remedy) == ("image_list_file", True)
