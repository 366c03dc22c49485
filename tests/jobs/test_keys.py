"""Keys on which list and features do not meet as one feature an image: told, and never a wrong label."""

import itertools
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_labels
from fiqa_spark.inputs.repeated_keys import check_keys_differ
from tests.jobs.inputs import PATHS, refused
from tests.labelling import embeddings_of


@pytest.mark.parametrize(
    "other", ["p0/0.png", "./p0/0.jpg", "p0//0.jpg", "p0/./0.jpg", "/p0/0.jpg", "p0/0.JPG", "p0/0"]
)
def test_two_paths_of_one_key_are_refused(inputs, other):
    inputs.write_list([*PATHS, other])
    first, second = sorted([other, "p0/0.jpg"])
    refused(
        inputs,
        "--image-list-file",
        f"1 key has several images, such as {first!r} and {second!r}",
        "keep one image a key",
    )


def test_all_such_keys_are_counted(inputs):
    inputs.write_list([*PATHS, "p0/0.png", "p1/1.png", "p1/1.bmp"])
    refused(inputs, "2 keys have several images")


def test_paths_below_the_root_and_without_it_are_one_key(inputs):
    inputs.flags["image_root"] = "/photos"
    inputs.write_list([*PATHS, "/photos/p0/0.jpg"])
    refused(inputs, "1 key has several images, such as '/photos/p0/0.jpg' and 'p0/0.jpg'")


def test_a_key_of_two_identities_is_refused_too(inputs):
    table = {"path": [*PATHS, "p0/0.png"], "identity": [*(path[:2] for path in PATHS), "p3"]}
    pq.write_table(pa.table(table), inputs.list.with_suffix(".parquet"))
    inputs.list = inputs.list.with_suffix(".parquet")
    refused(inputs, "1 key has several images, such as 'p0/0.jpg' and 'p0/0.png'")


def test_a_path_that_is_listed_twice_is_one_image_and_mixed_extensions_are_sound(spark, inputs):
    inputs.write_list([*PATHS[:-1], PATHS[-1].replace("jpg", "png"), PATHS[0], PATHS[0]])
    result = inputs.run()
    assert result.returncode == 0, result.stderr
    assert read_labels(spark, str(inputs.destination)).count() == len(PATHS)


def test_a_list_of_uniform_paths_is_not_looked_at_again():
    facts = {"first_extension": "jpg", "last_extension": "jpg", "least_cut": 4, "most_cut": 4, "has_odd_path": False}
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


def test_images_that_have_no_feature_at_all_are_counted_and_no_more_is_said(inputs):
    vectors = embeddings_of(PATHS)
    vectors.pop("p0/0.jpg")
    inputs.write_features(vectors)
    result = inputs.run()
    assert "missing_feature" in result.stdout
    assert "have no feature" not in result.stderr


EXTENSIONS = ("jpg", "JPG", "jpe", "jfif", "JXL", "heif", "j2k", "dib", "tga", "apng", "mp4")


def test_extensions_of_the_files_people_have_are_cut(spark, inputs):
    extensions = itertools.cycle(EXTENSIONS)
    inputs.write_list([path.replace("jpg", extension) for path, extension in zip(PATHS, extensions, strict=False)])
    assert inputs.run().returncode == 0
    statuses = {row.path.rsplit(".", 1)[1]: row.status for row in read_labels(spark, str(inputs.destination)).collect()}
    assert statuses == dict.fromkeys(EXTENSIONS, "ok")
