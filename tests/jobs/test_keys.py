"""Keys on which list and features do not meet as one feature an image: told, and never a wrong label."""

import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from fiqa_spark import LabelSettings
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import check_images, identified_images
from fiqa_spark.inputs.repeated_keys import check_keys_differ, facts_of_paths
from tests.jobs.inputs import PATHS, refused
from tests.labelling import embeddings_of, images_frame

OF_ONE_KEY = ("p0/0.png", "./p0/0.jpg", "p0//0.jpg", "p0/./0.jpg", "/p0/0.jpg", "p0/0.JPG", "p0/0")


def test_two_paths_of_one_key_make_a_list_that_is_looked_at_again(spark):
    rows = [(other, path) for other in OF_ONE_KEY for path in (*PATHS, other)]
    lists = keys.with_key(spark.createDataFrame(rows, "other string, path string"), "")
    facts = lists.groupBy("other").agg(*facts_of_paths(), F.countDistinct("key").alias("keys")).collect()
    assert {row.other: row["keys"] for row in facts} == dict.fromkeys(OF_ONE_KEY, len(PATHS))
    for row in facts:
        assert row.has_odd_path or row.first_form != row.last_form, row.other


def test_such_keys_are_counted_and_two_paths_of_one_are_named(spark):
    error = refusal_of(spark, [*PATHS, *OF_ONE_KEY])
    assert error.setting == "image_list_file"
    assert error.text.startswith("1 key has several images, such as './p0/0.jpg' and '/p0/0.jpg'")
    assert "keep one image a key" in error.remedy
    assert refusal_of(spark, [*PATHS, "p0/0.png", "p1/1.png", "p1/1.bmp"]).text.startswith("2 keys have several images")


def refusal_of(spark, paths):
    """The error of a list, as every job looks at it."""
    settings = LabelSettings(id_key_index=-2)
    images = identified_images(images_frame(spark, paths), settings, -2)
    with pytest.raises(InputError) as refusal:
        check_images(images, settings, 10)
    return refusal.value


def test_paths_below_the_root_and_without_it_are_one_key_of_two_identities_too(inputs):
    inputs.flags["image_root"] = "/photos"
    table = {"path": [*PATHS, "/photos/p0/0.jpg"], "identity": [*(path[:2] for path in PATHS), "p3"]}
    inputs.list = inputs.folder / "images.parquet"
    pq.write_table(pa.table(table), inputs.list)
    said = "1 key has several images, such as '/photos/p0/0.jpg' and 'p0/0.jpg'"
    refused(inputs, f"--image-list-file {inputs.list}: {said}", "keep one image a key")


def test_a_list_of_uniform_paths_is_not_looked_at_again():
    facts = {"first_form": 7, "last_form": 7, "has_odd_path": False}
    check_keys_differ(None, facts)


def test_a_list_that_meets_nothing_shows_the_nearest_key_and_what_differs(inputs):
    inputs.write_list([path.upper() for path in PATHS])
    refused(inputs, "no feature matched an image; list key 'P0/0', feature key 'p0/0'; they differ by case")


def test_a_few_images_without_a_feature_are_told_with_the_key_that_they_nearly_meet(inputs):
    few = {path: path.replace("p1/", "é/") for path in PATHS}
    inputs.write_list([unicodedata.normalize("NFC", path) for path in few.values()])
    vectors = {unicodedata.normalize("NFD", few[path]): vector for path, vector in embeddings_of(PATHS).items()}
    vectors.pop("p0/0.jpg")
    inputs.write_features(vectors)
    result = inputs.run()
    assert result.returncode == 0, result.stderr
    [line] = [line for line in result.stderr.splitlines() if "have no feature" in line]
    assert "4 images have no feature; list key 'é/0', feature key" in line
    assert "they differ by Unicode form, NFC and NFD" in line


EXTENSIONS = ("jpg", "JPG", "jpe", "jfif", "JXL", "heif", "j2k", "dib", "tga", "apng", "mp4")


def test_extensions_of_any_kind_are_cut(spark):
    listed = {f"p0/{number}.{extension}": f"p0/{number}" for number, extension in enumerate(EXTENSIONS)}
    rows = keys.with_key(images_frame(spark, listed), "").select("path", "key").collect()
    assert {row.path: row.key for row in rows} == listed
