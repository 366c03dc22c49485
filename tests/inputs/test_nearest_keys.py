"""Keys that nearly meet: what differs is told, where all keys are apart and where a few are."""

import unicodedata

import pytest

from fiqa_spark.inputs.nearest_keys import difference, nearest_key, pair_alike

NFC = unicodedata.normalize("NFC", "müller/0")
NFD = unicodedata.normalize("NFD", NFC)


@pytest.mark.parametrize(
    ("listed", "feature", "text", "remedy"),
    [
        (NFC, NFD, "they differ by Unicode form, NFC and NFD", "rename"),
        ("Anna/0", "anna/0", "they differ by case", "rename"),
        ("anna /0", "anna/0", "they differ by blanks", "rename"),
        ("anna\\0", "anna/0", "they differ by '\\' for '/'", "rename"),
        ("anna/0.rgb", "anna/0", "that of the list has the ending '.rgb'", "rename"),
        ("anna/0", "anna/0.rgb", "that of the features has the ending '.rgb'", "rename"),
        ("data/anna/0", "anna/0", "that of the list begins with 'data/'", "`image_root`"),
        ("anna/0", "data/anna/0", "that of the features begins with 'data/'", "`image_root` or `feature_root`"),
        ("3 anna/0", "anna/0", "that of the list begins with '3 '", "keep the path alone in its line"),
        ("anna/0", "ben/7", "", "`image_root` and `feature_root`"),
    ],
)
def test_what_differs_has_a_name(listed, feature, text, remedy):
    found = difference(listed, feature)
    assert found.text == text
    assert remedy in found.remedy


@pytest.mark.parametrize("like", [NFD, "MÜLLER/0", "faces/müller/0", "müller/0.rgb", "0"])
def test_the_nearest_key_is_found_among_others(spark, like):
    keys = [(f"p{person}/{number}",) for person in range(5) for number in range(4)]
    features = spark.createDataFrame([*keys, (like,)], "key string")
    assert nearest_key(features, NFC) == like


def test_without_a_key_that_is_alike_the_smallest_is_shown_and_without_features_none(spark):
    features = spark.createDataFrame([("b/1",), ("a/1",)], "key string")
    assert nearest_key(features, NFC) == "a/1"
    assert nearest_key(features.where("false"), NFC) is None


def test_some_keys_find_the_one_that_is_alike(spark):
    features = spark.createDataFrame([("a/1",), (NFD,), ("b/1",)], "key string")
    assert pair_alike(features, ["c/1", NFC], "") == (NFC, NFD)
    assert pair_alike(features, ["c/1", "d/1"], "") is None
    assert pair_alike(features, [], "") is None
    assert pair_alike(features, ["/in/c/1.jpg", "/in/b/1.jpg,"], "/in") == ("b/1.jpg,", "b/1")
    assert pair_alike(features, ["b.c/1", ".b"], "") is None
