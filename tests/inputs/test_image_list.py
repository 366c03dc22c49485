import functools
import gzip
import os
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chispa import assert_df_equality
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.image_list import check_images, identified_images, read_paths, rows_about
from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.inputs.text_lines import check_listed, is_unusable, unusable
from fiqa_spark.runtime.storage import Storage
from tests.on_lowest import on_lowest

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".npy")

part = st.text(st.sampled_from("abE0é漢 .-_%+[*"), min_size=1, max_size=6).filter(lambda text: set(text) != {"."})
path = st.builds(
    lambda parts, slash, extension: slash + "/".join(parts) + extension,
    # Blanks at the end do not count, and what is left names an image.
    st.lists(part, min_size=1, max_size=5).filter(lambda parts: parts[-1].strip() not in ("", ".")),
    st.sampled_from(["", "/", "/root/", "/root/sub/", "./", "//"]),
    st.sampled_from(["", ".jpg", ".JPG", ".npy", ".png", ".tar", ".jpg.npy"]),
)
slow = settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def key_by_python(text, root):
    """Key of a path, as METHOD defines it, one string at a time."""
    text = text.strip(" ")
    relative = text[len(root) :] if root and text.startswith(root + "/") else text
    parts = [part for number, part in enumerate(relative.split("/")) if part not in ("", ".")]
    relative = "/".join(parts)
    stem, extension = os.path.splitext(relative)
    bare = stem and not stem.endswith("/") and extension.lower() in EXTENSIONS
    return stem if bare else relative


@pytest.mark.parametrize("root", on_lowest(["", "/root", "/root/sub"], "/root"))
@settings(slow, max_examples=2)
@given(paths=st.lists(path, min_size=80, max_size=200, unique=True))
def test_keys_are_those_of_plain_python(spark, root, paths):
    table = spark.createDataFrame([(text,) for text in paths], "path string")
    for row in keys.with_key(table, root, "").collect():
        assert row.key == key_by_python(row.path, root), row.path


@slow
@given(paths=st.lists(path, min_size=20, max_size=60, unique=True))
def test_identities_are_those_of_python_lists(spark, paths):
    table = spark.createDataFrame([(text,) for text in paths], "path string")
    indices = range(-5, 5)
    for row in table.select("path", *(keys.identity(table.path, index) for index in indices)).collect():
        for index, found in zip(indices, row[1:], strict=True):
            try:
                expected = row.path.split("/")[index] or None
            except IndexError:
                expected = None
            assert found == expected, (row.path, index)


@slow
@given(st.data())
def test_text_lists_are_read_as_the_rules_say(spark, tmp_path_factory, data):
    paths = data.draw(st.lists(path, min_size=1, max_size=120))
    tails = st.sampled_from(["", "\t7", "\tmore\tof it", "\r", "\t0\r"])
    ends = [data.draw(tails) for _ in paths]
    blanks = [data.draw(st.sampled_from(["", "\n", "\r\n", "  \n"])) for _ in paths]
    text = "".join(f"{name}{end}\n{blank}" for name, end, blank in zip(paths, ends, blanks, strict=True))
    file = tmp_path_factory.mktemp("list") / "images.txt"
    file.write_bytes(text.encode())
    found = read_paths(spark, Storage(spark), str(file))
    assert [row.path for row in found.collect()] == [name.strip() for name in paths if name.strip()]


def test_rows_of_a_list_are_estimated_from_its_bytes(spark, tmp_path):
    storage, lines = Storage(spark), [f"person-{number % 97:03d}/{number:05d}.jpg" for number in range(9000)]
    (tmp_path / "images.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "parts").mkdir()
    for name in ("part-0", "part-1"):
        (tmp_path / "parts" / name).write_text("\n".join(lines), encoding="utf-8")
    with gzip.open(tmp_path / "images.txt.gz", "wt", encoding="utf-8") as packed:
        packed.write("\n".join(lines))
    pq.write_table(pa.table({"path": lines}), tmp_path / "images.parquet")
    found = {
        name: rows_about(spark, storage, str(tmp_path / name))
        for name in ("images.txt", "parts", "images.parquet", "images.txt.gz", "empty.txt")
    }
    assert found == {
        "images.txt": pytest.approx(9000, rel=0.01),
        "parts": pytest.approx(18_000, rel=0.01),
        "images.parquet": 9000,
        "images.txt.gz": None,
        "empty.txt": None,
    }


def test_a_byte_order_mark_and_a_last_line_without_end_do_no_harm(spark, tmp_path):
    (tmp_path / "images.txt").write_bytes(b"\xef\xbb\xbfa/1.jpg\na/2.jpg")
    found = read_paths(spark, Storage(spark), str(tmp_path / "images.txt"))
    assert [row.path for row in found.collect()] == ["a/1.jpg", "a/2.jpg"]


# Path, root and key.
PATHS_OF_WINDOWS = [
    (r"D:\faces\anna\0.jpg", "D:\\faces", "anna/0"),
    (r"D:\faces\anna\0.jpg", "d:/faces/", "anna/0"),
    (r"D:/faces\anna/0.jpg", "D:\\faces\\", "anna/0"),
    (r"D:\faces\anna\0.jpg", "D:", "faces/anna/0"),
    (r"D:\faces\anna\0.jpg", "D:\\face", "D:/faces/anna/0"),
    (r"\\server\faces\anna\0.jpg", r"\\server\faces", "anna/0"),
    (r"faces\anna\0.jpg", "faces", "anna/0"),
    (r"data\faces\anna\0.jpg", r"data\faces", "anna/0"),
    (r"/odd\name/anna/0.jpg", "/odd\\name", "anna/0"),
    (r"anna/we\ird.jpg", "", r"anna/we\ird"),
    ("\u00a0anna/0.jpg \u3000\x0c", "", "anna/0"),
    ("\ufeff/faces/anna/0.npy\u200b", "/faces", "anna/0"),
    ("漢 字/é 1.jpg", "", "漢 字/é 1"),
    ("anna/0 .jpg", "", "anna/0 "),
]


def test_keys_of_paths_of_windows_and_of_paths_with_blanks_around_them(spark):
    keyed = []
    for number, (path, root, _) in enumerate(PATHS_OF_WINDOWS):
        table = spark.createDataFrame([(path,), (None,)], "path string")
        keyed.append(keys.with_key(table, root).select(F.lit(number).alias("number"), "path", "key"))
    found = {(row.number, row.path): row.key for row in functools.reduce(DataFrame.union, keyed).collect()}
    expected = {(number, path): key for number, (path, _, key) in enumerate(PATHS_OF_WINDOWS)}
    assert found == expected | {(number, None): None for number in range(len(PATHS_OF_WINDOWS))}


LONG = "a-person-with-a-long-name"
# A line with its person and number, the path in it, and what is told of the form.
FORMS = {
    "insightface": ("1\t/d/{}/{}.jpg\t3", "/d/{}/{}.jpg", "insightface's .lst: path in column 2"),
    "MXNet": ("7\t3.0\t{}/{}.jpg", "{}/{}.jpg", "MXNet's .lst: path in the last column"),
    "path label": ("{}/{}.jpg 3", "{}/{}.jpg", "path and label, separated by blanks: path in column 1"),
    "CSV": ('3;"{}/{}.jpg";x', "{}/{}.jpg", "CSV with a header: path in column 'filename'"),
    "backslashes": ("D:\\{}\\{}.jpg\r", "D:/{}/{}.jpg", "paths with Windows' backslashes as '/'"),
}


def write_form(file, line, odd=()):
    """More lines than one look sees, and then odd ones."""
    lines = [line.format(f"{LONG}-{number % 9}", number) for number in range(3000)]
    lines[:0] = ["label;filename;note"] if ";" in line else []
    lines[700:700] = ["", "  "]
    file.write_text("\n".join([*lines, *odd]), encoding="utf-8")


ODD_LINES = ["anna/0 of another form", "7\t8", "1\tx/0.jpg\ty\tz"]


@pytest.mark.parametrize("form", on_lowest(FORMS, "CSV", "backslashes"))
def test_a_list_of_a_known_form_gives_its_paths_in_order_and_lines_of_another_are_noticed(
    spark, tmp_path, form, caplog
):
    line, path, told = FORMS[form]
    # Behind the look, and of no other form where paths stand alone.
    odd_lines = [] if form == "backslashes" else ODD_LINES
    write_form(tmp_path / "list", line, odd_lines)
    with caplog.at_level("INFO", "fiqa_spark"):
        found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    rows = found.select("path", is_unusable("path").alias("is_odd")).collect()
    assert [row.path for row in rows[:3000]] == [path.format(f"{LONG}-{n % 9}", n) for n in range(3000)]
    assert [row.is_odd for row in rows] == [False] * 3000 + [True] * len(odd_lines)
    assert all(repr(odd) in unusable(row.path).text for odd, row in zip(odd_lines, rows[3000:], strict=True))
    messages = [record.getMessage() for record in caplog.records if record.name == "fiqa_spark"]
    assert messages == [f"list read as {told} ({tmp_path}/list)"]


def test_a_line_of_another_form_behind_the_look_is_refused_with_the_line(spark, tmp_path):
    odd = ODD_LINES[0]
    write_form(tmp_path / "list", FORMS["CSV"][0], [odd])
    found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    settings = ImageSettings(feature_root="features", id_key_index=-2)
    for check in (
        lambda: check_listed(found, setting="image_list_file"),
        lambda: check_images(identified_images(found, settings, -2), settings, 10),
    ):
        with pytest.raises(InputError, match="does not fit the first lines") as refused:
            check()
        assert refused.value.setting == "image_list_file"
        assert repr(odd) in refused.value.text


def test_blanks_of_any_kind_around_lines_and_quotes_are_dropped(spark, tmp_path):
    lines = [
        "\ufeffa/1.jpg \u00a0",
        "\x0c a/2.jpg\t7",
        "\ta/3 4.jpg \t7\r",
        '"a/5.jpg" ',
        " ' a/6.jpg'",
        "\u3000",
        "é/漢\u2003",
        "a/7.jpg\x7f",
        "a/8.jpg\u00ad\u180e",
    ]
    (tmp_path / "list").write_text("\n".join(lines), encoding="utf-8")
    found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    paths = ["a/1.jpg", "a/2.jpg", "a/3 4.jpg", "a/5.jpg", "a/6.jpg", "é/漢", "a/7.jpg", "a/8.jpg"]
    assert [row.path for row in found.collect()] == paths


def test_some_paths_of_windows_among_others_are_those_that_their_keys_have(spark, tmp_path):
    lines = ["a/1.jpg", "a\\2.jpg", "D:\\a\\3.jpg\tx", "b/4\\5.jpg"]
    (tmp_path / "list").write_text("\n".join(lines), encoding="utf-8")
    found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    assert [row.path for row in found.collect()] == ["a/1.jpg", "a/2.jpg", "D:/a/3.jpg", "b/4\\5.jpg"]


def test_identities_of_a_csv_list_are_read_as_those_of_a_parquet_list(spark, tmp_path):
    (tmp_path / "list").write_text('identity,path\n0042,a/1.jpg\n"x, y", b/1.jpg\n', encoding="utf-8")
    found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    assert {row.path: row.identity for row in found.collect()} == {"a/1.jpg": "0042", "b/1.jpg": "x, y"}


def test_paths_of_a_parquet_list_lose_blanks_around_them_and_backslashes(spark, tmp_path):
    rows = [("a/1.jpg ",), ("\u00a0a/2.jpg",), ("D:\\a\\3.jpg",)]
    spark.createDataFrame(rows, "path string").write.parquet(str(tmp_path / "list"))
    found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    assert {row.path for row in found.collect()} == {"a/1.jpg", "a/2.jpg", "D:/a/3.jpg"}


def test_a_list_in_several_files_may_repeat_its_header_and_be_packed(spark, tmp_path):
    (tmp_path / "list").mkdir()
    for number in range(2):
        text = f"Path,label\na/{number}.jpg,1\n".encode()
        (tmp_path / "list" / f"part-{number}.csv.gz").write_bytes(gzip.compress(text))
    found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    assert {row.path for row in found.collect()} == {"a/0.jpg", "a/1.jpg"}


def test_file_names_with_pattern_characters_are_taken_literally(spark, tmp_path):
    (tmp_path / "list[1]{a}*.txt").write_text("a/1.jpg\n", encoding="utf-8")
    found = read_paths(spark, Storage(spark), str(tmp_path / "list[1]{a}*.txt"))
    assert found.count() == 1


def test_parquet_lists_keep_their_own_identities(spark, tmp_path):
    rows = [("a/1.jpg", "0042"), ("a/2.jpg", None)]
    spark.createDataFrame(rows, "path string, identity string").write.parquet(str(tmp_path / "list"))
    found = read_paths(spark, Storage(spark), str(tmp_path / "list"))
    expected = spark.createDataFrame(rows, "path string, identity string")
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)


def test_parts_that_climb_are_seen_and_others_are_not(spark):
    rows = [("../a", True), ("a/../b", True), ("a/..", True), ("a..b/c", False), ("..a/b", False), ("a/b..", False)]
    table = spark.createDataFrame(rows, "path string, climbs boolean")
    assert table.where(keys.climbs(table.path) != table.climbs).count() == 0
    assert table.where(table.climbs & ~keys.may_be_odd(table.path)).count() == 0


def test_extensions_are_cut_in_upper_lower_and_mixed_case_and_no_longer_ones(spark):
    rows = [("a/b.JPG", "a/b"), ("a/b.Jpg", "a/b"), ("a/b.jPeG", "a/b"), ("a/b.jpgs", "a/b.jpgs"), ("a/b.é", "a/b.é")]
    rows += [
        ("a/.Jpg", "a/.Jpg"),
        (".JPG", ".JPG"),
        ("/a.b/c", "a.b/c"),
        ("a/.b/c.jpg", "a/.b/c"),
        ("a/./b.Tif", "a/b"),
    ]
    table = spark.createDataFrame(rows, "path string, expected string")
    assert keys.with_key(table).where("key <> expected").collect() == []


def test_the_reference_for_keys_knows_the_example_of_the_method():
    assert key_by_python("/root/a/b.jpg", "/root") == key_by_python("a/b.npy", "") == "a/b"
    assert re.fullmatch(r"\.\w+", EXTENSIONS[0])
