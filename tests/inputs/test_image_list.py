import os
import re

import pytest
from chispa import assert_df_equality
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import read_paths
from fiqa_spark.runtime.storage import Storage

pytestmark = pytest.mark.lowest_versions

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".npy")

part = st.text(st.sampled_from("abE0é漢 .-_%+[*"), min_size=1, max_size=6).filter(lambda text: set(text) != {"."})
path = st.builds(
    lambda parts, slash, extension: slash + "/".join(parts) + extension,
    st.lists(part, min_size=1, max_size=5),
    st.sampled_from(["", "/", "/root/", "/root/sub/", "./", "//"]),
    st.sampled_from(["", ".jpg", ".JPG", ".npy", ".png", ".tar", ".jpg.npy"]),
)
slow = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def key_by_python(text, root):
    """Key of a path, as METHOD defines it, one string at a time."""
    relative = text[len(root) :] if root and text.startswith(root + "/") else text
    parts = [part for number, part in enumerate(relative.split("/")) if part not in ("", ".")]
    relative = "/".join(parts)
    stem, extension = os.path.splitext(relative)
    bare = stem and not stem.endswith("/") and extension.lower() in EXTENSIONS
    return stem if bare else relative


@slow
@given(paths=st.lists(path, min_size=20, max_size=60, unique=True), root=st.sampled_from(["", "/root", "/root/sub"]))
def test_keys_are_those_of_plain_python(spark, paths, root):
    table = spark.createDataFrame([(text,) for text in paths], "path string")
    found = keys.with_key(table, root, "").collect()
    for row in found:
        assert row.key == key_by_python(row.path, root), row.path


@slow
@given(paths=st.lists(path, min_size=20, max_size=60, unique=True), index=st.integers(-5, 4))
def test_identities_are_those_of_python_lists(spark, paths, index):
    table = spark.createDataFrame([(text,) for text in paths], "path string")
    for row in table.select("path", keys.identity(table.path, index).alias("identity")).collect():
        try:
            expected = row.path.split("/")[index] or None
        except IndexError:
            expected = None
        assert row.identity == expected


@slow
@given(st.data())
def test_text_lists_are_read_as_the_rules_say(spark, tmp_path_factory, data):
    paths = data.draw(st.lists(path, min_size=1, max_size=30))
    tails = st.sampled_from(["", "\t7", "\tmore\tof it", "\r", "\t0\r"])
    ends = [data.draw(tails) for _ in paths]
    blanks = [data.draw(st.sampled_from(["", "\n", "\r\n", "  \n"])) for _ in paths]
    text = "".join(f"{name}{end}\n{blank}" for name, end, blank in zip(paths, ends, blanks, strict=True))
    file = tmp_path_factory.mktemp("list") / "images.txt"
    file.write_bytes(text.encode())
    found = read_paths(spark, Storage(spark), str(file))
    assert [row.path for row in found.collect()] == [name for name in paths if name.strip()]


def test_a_byte_order_mark_and_a_last_line_without_end_do_no_harm(spark, tmp_path):
    (tmp_path / "images.txt").write_bytes(b"\xef\xbb\xbfa/1.jpg\na/2.jpg")
    found = read_paths(spark, Storage(spark), str(tmp_path / "images.txt"))
    assert [row.path for row in found.collect()] == ["a/1.jpg", "a/2.jpg"]


def test_file_names_with_pattern_characters_are_taken_literally(spark, tmp_path):
    (tmp_path / "list[1]{a}*.txt").write_text("a/1.jpg\n", encoding="utf-8")
    found = read_paths(spark, Storage(spark), str(tmp_path / "list[1]{a}*.txt"))
    assert found.count() == 1


def test_parquet_lists_keep_their_own_identities(spark, tmp_path):
    rows = [("a/1.jpg", "0042"), ("a/2.jpg", None), ("", "x"), (None, "y")]
    spark.createDataFrame(rows, "path string, identity string").write.parquet(str(tmp_path / "list"))
    found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    expected = spark.createDataFrame(rows[:2], "path string, identity string")
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)


def test_parts_that_climb_are_seen_and_others_are_not(spark):
    rows = [("../a", True), ("a/../b", True), ("a/..", True), ("a..b/c", False), ("..a/b", False), ("a/b..", False)]
    table = spark.createDataFrame(rows, "path string, climbs boolean")
    assert table.where(keys.climbs(table.path) != table.climbs).count() == 0


def test_the_reference_for_keys_knows_the_example_of_the_method():
    assert key_by_python("/root/a/b.jpg", "/root") == key_by_python("a/b.npy", "") == "a/b"
    assert re.fullmatch(r"\.\w+", EXTENSIONS[0])
