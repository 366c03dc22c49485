"""Which Java Spark may run on, and how it is told what to mend where there is none."""

import pytest

from fiqa_spark.errors import MachineError
from fiqa_spark.runtime.machine import check_java, check_java_version, find_java_home, install


@pytest.mark.parametrize(
    ("text", "version"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ("21.0.2", 21), ('java version "25"', 25), ("17", 17)],
)
def test_versions_of_java_are_read(text, version):
    assert check_java_version(text, "java") == version


@pytest.mark.parametrize("text", ['openjdk version "1.8.0_402"', "11.0.22", "no Java at all"])
def test_an_old_java_is_refused(text):
    with pytest.raises(MachineError, match="install Java 17 or newer"):
        check_java_version(text, "java")


@pytest.mark.parametrize(("home", "where"), [("/nowhere", "JAVA_HOME /nowhere"), (None, "PATH")])
def test_a_missing_java_is_told_with_its_place(monkeypatch, home, where):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", home)
    with pytest.raises(MachineError) as caught:
        check_java()
    assert str(caught.value) == f"no Java in {where}; install Java 17 or newer and set JAVA_HOME to it"


def test_a_program_that_is_no_java_is_told_apart(monkeypatch, tmp_path):
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MachineError) as caught:
        check_java()
    assert str(caught.value).startswith(f"{program} does not tell its version; install Java 17 or newer")
    assert find_java_home() != str(tmp_path)


def test_without_a_package_manager_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MachineError) as caught:
        install("maven")
    assert str(caught.value) == "Maven is missing and cannot be installed from here; install it"
