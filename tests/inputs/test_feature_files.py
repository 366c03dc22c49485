"""The look at a folder: which files are of which form, whatever their names and order, and what is not read."""

import os

import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.inputs import feature_files
from fiqa_spark.inputs.feature_files import NPY, PARQUET, FoundFiles
from fiqa_spark.runtime.storage import Storage

PARQUET_BYTES, NPY_BYTES = b"PAR1....PAR1", b"\x93NUMPY\x01\x00"


class Elsewhere(Storage):
    """A disk that the workers cannot open by path, as HDFS; a local one stands in for it."""

    def local(self, path):
        return None


@pytest.fixture(scope="module", params=[Storage, Elsewhere], ids=["local", "elsewhere"])
def storage(spark, request):
    return request.param(spark)


def fill(folder, contents):
    for name, content in contents.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def found_in(storage, folder):
    return FoundFiles(storage, str(folder), (PARQUET, NPY))


def told_of(found, caplog):
    with caplog.at_level("WARNING", "fiqa_spark"):
        found.tell_what_is_not_read()
    return [record.getMessage() for record in caplog.records]


def test_parquet_is_found_whatever_its_name(storage, tmp_path, caplog):
    names = ("a.parquet", "b.parq", "c.pq", "d.parquet.gzip", "e.parquet.snappy", "000000_0", "deep/er/part", "x.1.y")
    fill(tmp_path, dict.fromkeys(names, PARQUET_BYTES))
    found = found_in(storage, tmp_path)
    assert found.parquet == sorted(names)
    assert found.forms == [PARQUET]
    assert found.pattern == "*"
    assert told_of(found, caplog) == []


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (("a.parquet", "b/c.parquet"), "*.parquet"),
        (("a.parquet", "b.parq"), "*{.parq,.parquet}"),
        (("a.parquet", "b"), "*"),
        (("a.parquet", "b", "c.txt"), None),
        (("a.parquet", "c.txt"), "*.parquet"),
    ],
)
def test_a_pattern_tells_the_parquet_files_from_the_others(storage, tmp_path, names, pattern):
    fill(tmp_path, dict.fromkeys(names, PARQUET_BYTES))
    fill(tmp_path, {name: b"a" for name in names if name.endswith(".txt")})
    assert found_in(storage, tmp_path).pattern == pattern


def test_what_is_not_read_is_counted_and_named(storage, tmp_path, caplog):
    fill(tmp_path, {"a/part-0.parquet": PARQUET_BYTES, "notes.txt": b"x", "a/b.feat": b"x", "_c/1.parquet": b"x"})
    quiet = ("_SUCCESS", "a/.part-0.parquet.crc", "_metadata", ".hidden/1.parquet", "part-0.crc")
    fill(tmp_path, dict.fromkeys(quiet, b"x"))
    told = told_of(found_in(storage, tmp_path), caplog)
    assert told == [f"3 files of {tmp_path} are not read, such as _c/1.parquet"]


def test_one_file_that_is_not_read_is_told_in_the_singular(storage, tmp_path, caplog):
    fill(tmp_path, {"a/0.npy": NPY_BYTES, "a/0.pt": b"x"})
    assert told_of(found_in(storage, tmp_path), caplog) == [f"1 file of {tmp_path} is not read, such as a/0.pt"]


@pytest.mark.parametrize("order", [1, -1])
def test_two_forms_are_refused_in_whatever_order_they_were_written(storage, tmp_path, order):
    contents = [(f"{name}.npy", NPY_BYTES) for name in ("a/1", "z")] + [("m.parquet", PARQUET_BYTES)]
    fill(tmp_path, dict(contents[::order]))
    said = r"holds files of two forms, \.parquet \('m\.parquet'\) and \.npy \('a/1\.npy'\).*; name the folder or the"
    with pytest.raises(InputError, match=said):
        found_in(storage, tmp_path).check_one_form()


def test_the_example_is_the_first_by_name(storage, tmp_path):
    fill(tmp_path, dict.fromkeys(("b/0.npy", "a/2.npy", "a/1.npy", "a/10.npy"), NPY_BYTES))
    assert found_in(storage, tmp_path).example == f"file:{tmp_path}/a/1.npy"


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("features", PARQUET_BYTES, PARQUET),
        ("features.npy", PARQUET_BYTES, PARQUET),
        ("features.bin", NPY_BYTES, NPY),
        ("cut.parquet", b"x", PARQUET),
        ("cut.npy", b"", NPY),
    ],
)
def test_one_file_is_told_by_its_first_bytes(storage, tmp_path, name, content, form):
    fill(tmp_path, {name: content})
    found = found_in(storage, tmp_path / name)
    assert found.forms == [form]
    assert found.example == f"file:{tmp_path}/{name}"


def test_where_there_is_no_form_the_message_names_what_is_there(storage, tmp_path):
    fill(tmp_path, {"a/0.npz": b"x", "b.txt": b"x"})
    found = found_in(storage, tmp_path)
    assert (found.forms, found.none_of()) == (
        [],
        "no .parquet and no .npy file there, but 2 others such as 'a/0.npz'",
    )


def test_links_are_followed_but_not_round_and_round(spark, tmp_path):
    fill(tmp_path, {"elsewhere/1.parquet": PARQUET_BYTES, "data/2.parquet": PARQUET_BYTES})
    for name, target in {"link": "../elsewhere", "back": ".", "up": "..", "self": "self", "gone": "none"}.items():
        os.symlink(target, tmp_path / "data" / name)
    found = found_in(Storage(spark), tmp_path / "data")
    # By way of `up` the other folder is reached once more.
    assert found.parquet == ["2.parquet", "link/1.parquet", "up/elsewhere/1.parquet"]
    assert found.pattern is None


def test_of_a_tree_of_many_files_the_first_folders_are_looked_at(storage, tmp_path, monkeypatch, caplog):
    for name in ("_ENTRIES", "_ENTRIES_ELSEWHERE"):
        monkeypatch.setattr(feature_files, name, 10)
    fill(tmp_path, {f"{folder}/{number}.npy": NPY_BYTES for folder in "abc" for number in range(8)})
    fill(tmp_path, {"a/x.pt": b"x", "c/y.pt": b"x"})
    found = found_in(storage, tmp_path)
    assert not found.is_whole
    assert told_of(found, caplog) == [f"at least 1 file of {tmp_path} is not read, such as a/x.pt"]


def test_of_many_parquet_files_elsewhere_the_first_tell_a_pattern(storage, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_files, "_ENTRIES", 10)
    monkeypatch.setattr(feature_files, "_ENTRIES_ELSEWHERE", 10)
    names = [f"{folder}/{number}.parquet" for folder in "abc" for number in range(8)]
    fill(tmp_path, dict.fromkeys(names, PARQUET_BYTES))
    found = found_in(storage, tmp_path)
    is_local = found.local_root is not None
    assert found.is_whole is is_local
    assert found.pattern == ("*.parquet" if is_local else "*{.parq,.parquet,.pq}")
    found.look_at_all()
    assert (found.is_whole, found.parquet, found.pattern) == (True, names, "*.parquet")


def test_many_files_of_one_extension_are_told_by_some_of_them(storage, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_files, "_LOOKS", 3)
    looks = []
    head = FoundFiles._head
    monkeypatch.setattr(FoundFiles, "_head", lambda found, name: looks.append(name) or head(found, name))
    fill(tmp_path, {f"{number:06d}_0": PARQUET_BYTES for number in range(20)})
    fill(tmp_path, {f"x.{number}": b"none" for number in range(20)})
    found = found_in(storage, tmp_path)
    assert len(found.parquet) == 20
    assert len(looks) == 6


@pytest.mark.parametrize(
    ("mark", "table"),
    [
        ("_delta_log/00000000000000000000.json", "a Delta table"),
        ("metadata/v1.metadata.json", "an Iceberg table"),
        ("metadata/00000-5c9f8a2e-51f2-4c3f.metadata.json", "an Iceberg table"),
        (".hoodie/hoodie.properties", "a Hudi table"),
    ],
)
@pytest.mark.parametrize("given", ["", "year=1/identity=a", "data/identity=a", "data/identity=a/1.parquet", ".."])
def test_a_table_with_an_account_of_its_own_is_refused(storage, tmp_path, mark, table, given):
    fill(tmp_path / "in" / "table", {mark: b"{}"})
    for folder in ("year=1/identity=a", "data/identity=a"):
        fill(tmp_path / "in" / "table", {f"{folder}/1.parquet": PARQUET_BYTES})
    with pytest.raises(InputError, match=rf"{table}.*deleted rows too; read it by its own reader in a notebook"):
        found_in(storage, os.path.normpath(tmp_path / "in" / "table" / given))


def test_files_beside_npy_that_look_like_those_of_a_table_do_no_harm(storage, tmp_path):
    fill(tmp_path, {"metadata/a.metadata.json": b"{}", "0.npy": NPY_BYTES})
    assert found_in(storage, tmp_path).forms == [NPY]


def test_a_link_to_a_partition_of_a_table_is_refused(spark, tmp_path):
    fill(tmp_path, {"t/_delta_log/0.json": b"{}", "t/a=1/1.parquet": PARQUET_BYTES})
    os.symlink(tmp_path / "t" / "a=1", tmp_path / "features")
    with pytest.raises(InputError, match="lies in a Delta table"):
        found_in(Storage(spark), tmp_path / "features")
