"""Files and folders on the file systems that Spark sees."""

import os

import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.runtime.storage import Storage, is_below, literal


@pytest.fixture(scope="module")
def storage(spark):
    return Storage(spark)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a:b/images.txt", "a:b/images.txt: not a path (java.net.URISyntaxException: Relative path in absolute URI"),
        (
            "hdfs://nowhere.invalid/x",
            "hdfs://nowhere.invalid/x: no such file system (java.net.UnknownHostException: no",
        ),
        (
            "lake://x/y",
            'lake://x/y: no such file system (No FileSystem for scheme "lake"); check the scheme and the host',
        ),
    ],
)
def test_a_path_on_no_file_system_is_refused(storage, path, shown):
    with pytest.raises(InputError) as caught:
        storage.exists(path)
    assert str(caught.value).startswith(shown)


def test_the_root_has_no_parent(storage):
    with pytest.raises(InputError, match="/: is the root of a file system; give a folder below it"):
        storage.parent_and_name("/")


def test_a_relative_path_is_below_the_working_folder(storage):
    assert storage.qualified("a b/c.txt") == f"file:{os.getcwd()}/a b/c.txt"
    assert storage.local("a b/c.txt") == f"{os.getcwd()}/a b/c.txt"
    assert storage.parent_and_name("a b/c.txt") == (f"file:{os.getcwd()}/a b", "c.txt")


def test_what_was_written_is_read_and_no_checksum_lies_beside_it(storage, tmp_path):
    path = str(tmp_path / "folder" / "text")
    storage.write_text(path, "é\n")
    assert storage.read_text(path) == "é\n"
    assert storage.head(path, 2) == "é".encode()
    assert storage.head(path, 99) == "é\n".encode()
    assert [name for name, *_ in storage.entries(str(tmp_path / "folder"))] == ["text"]
    storage.concatenate([path, path], f"{path}s")
    assert storage.read_text(f"{path}s") == "é\né\n"
    storage.delete(str(tmp_path / "folder"))
    assert not storage.exists(path)
    assert storage.modified(path) is None
    storage.delete(path)


def test_a_pipe_is_not_read(storage, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is a pipe or a device; write what it gives to a file first"):
        storage.head(str(tmp_path / "pipe"), 1)


def test_a_folder_is_listed_by_name_with_what_is_a_folder(storage, tmp_path):
    assert storage.listing(str(tmp_path)) == []
    for name in ("b, c/x", "a; isDirectory=true", "é", "_a.parquet/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [("_a.parquet", True), ("a; isDirectory=true", False), ("b, c", True), ("é", False)]
    assert storage.listing(str(tmp_path)) == [(name, f"file:{tmp_path}/{name}", folder) for name, folder in names]


def test_everything_below_a_folder_is_walked_in_order(storage, tmp_path):
    for name in ("b/2", "b/1", "a/c/3", "_x/4", "0"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    walked = storage.walk(str(tmp_path), lambda name: name != "_x")
    assert [below + name for below, name, is_folder in walked if not is_folder] == ["0", "a/c/3", "b/1", "b/2"]


def test_the_end_of_a_file_is_read(storage, tmp_path):
    (tmp_path / "text").write_bytes(b"0123456789")
    assert storage.tail(str(tmp_path / "text"), 4) == b"6789"
    assert storage.tail(str(tmp_path / "text"), 40) == b"0123456789"


def test_hidden_files_are_no_first_file(storage, tmp_path):
    for name in ("_temporary/a.npy", ".a.npy", "deep/er/b.npy", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert storage.first_file(str(tmp_path), (".npy",)) == f"file:{tmp_path}/deep/er/b.npy"
    assert storage.first_file(str(tmp_path), (".parquet",)) is None


def test_a_name_with_the_characters_of_a_pattern_is_taken_literally(spark, tmp_path):
    file = tmp_path / "a[1]{b}*?.txt"
    file.write_text("one\n", encoding="utf-8")
    (tmp_path / "a1b.txt").write_text("two\n", encoding="utf-8")
    assert [row.value for row in spark.read.text(literal(str(file))).collect()] == ["one"]


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("/data/f", "/data/f", True),
        ("/data/f/", "/data/f", True),
        ("/data/f/1", "/data/f/", True),
        ("/data/f2", "/data/f", False),
        ("/data", "/data/f", False),
        ("file:/data/f/1", "/data/f", True),
        ("file:///data/f/1", "/data/f", True),
        ("/data/f/1", "hdfs://name:8020/data/f", True),
        ("hdfs:///data/f/1", "hdfs:/data/f", True),
        ("f/1", "f", True),
        (f"file:{os.getcwd()}/f/1", "f", True),
        (f"{os.getcwd()}/f/1", "./f", True),
        ("g/1", "f", False),
    ],
)
def test_a_path_below_a_folder_is_known_however_either_is_written(path, folder, expected):
    assert is_below(path, folder) is expected


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/data/caf\udce9", r"'/data/caf\udce9': not UTF-8; rename it, for example with convmv"),
        ("/data/a\0b", r"'/data/a\x00b': holds a NUL character; remove it"),
        ("", "not a path (Can not create a Path from an empty string)"),
    ],
)
def test_a_name_that_java_cannot_take_is_refused(storage, path, shown):
    with pytest.raises(InputError) as caught:
        storage.exists(path)
    assert str(caught.value) == shown


def test_the_beginning_of_a_file_with_a_colon_in_its_name_is_read(storage, tmp_path):
    (tmp_path / "12:30.npy").write_bytes(b"abc")
    assert storage.head(str(tmp_path / "12:30.npy"), 2) == b"ab"
