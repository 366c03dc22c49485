"""Zip files of modules with their compiled forms."""

import importlib.util
import pathlib
import subprocess
import sys
import zipfile

import pytest

from fiqa_spark.runtime.compiled_zip import complete

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = b"def where():\n    return __file__, where.__code__.co_filename\n"


def imported_from(path):
    """File of the module, as a fresh process tells, and the file that its code says to be of."""
    command = [sys.executable, "-c", "import module; print(*module.where(), sep='\\n')"]
    return subprocess.check_output(command, env={"PYTHONPATH": str(path)}, text=True).splitlines()


@pytest.fixture
def sources_only(tmp_path):
    with zipfile.ZipFile(tmp_path / "modules.zip", "w") as archive:
        archive.writestr("module.py", SOURCE)
        archive.writestr("data.csv", "1,2\n")
    return tmp_path / "modules.zip"


def test_python_takes_the_compiled_form(sources_only):
    assert imported_from(sources_only)[0].endswith("module.py")
    complete(sources_only)
    file, place = imported_from(sources_only)
    assert file.endswith("module.pyc")
    assert place == f"{sources_only}/module.py"


def test_what_was_there_stays_and_a_second_time_changes_nothing(sources_only):
    complete(sources_only)
    once = sources_only.read_bytes()
    complete(sources_only)
    assert sources_only.read_bytes() == once
    with zipfile.ZipFile(sources_only) as archive:
        assert sorted(archive.namelist()) == ["data.csv", "module.py", "module.pyc"]
        assert archive.read("module.py") == SOURCE
    assert [entry.name for entry in sources_only.parent.iterdir()] == ["modules.zip"]


def test_python_of_another_version_takes_the_source(sources_only, monkeypatch):
    monkeypatch.setattr(importlib.util, "MAGIC_NUMBER", b"\x00\x00\r\n")
    complete(sources_only)
    assert imported_from(sources_only)[0].endswith("module.py")


def test_the_package_is_the_same_whether_it_is_written_from_a_checkout_or_from_a_zip_file(tmp_path):
    files = [tmp_path / "first.zip", tmp_path / "second.zip"]
    for file, path in zip(files, (ROOT, files[0]), strict=True):
        line = [sys.executable, "-m", "fiqa_spark.runtime.compiled_zip", "--package", str(file)]
        subprocess.run(line, env={"PYTHONPATH": str(path)}, cwd=tmp_path, check=True)
    assert files[0].read_bytes() == files[1].read_bytes()
    with zipfile.ZipFile(files[1]) as archive:
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / "fiqa_spark").rglob("*.py")}
        templates = {str(path.relative_to(ROOT)) for path in (ROOT / "fiqa_spark").rglob("*.html")}
        assert len(templates) > 1
        assert set(archive.namelist()) == sources | {f"{name}c" for name in sources} | templates
        for template in templates:
            assert archive.read(template) == (ROOT / template).read_bytes()
