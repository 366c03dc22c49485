"""The temporary folder of a Java that is not yet started, as Java and Spark find it, and what is wrong with it."""

import re

import pytest

from fiqa_spark.errors import SettingsError
from fiqa_spark.runtime.writable_folders import check_folder_of_java

VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SPARK_SUBMIT_OPTS", "PYSPARK_SUBMIT_ARGS", "_JAVA_OPTIONS")
KEY = "spark.driver.extraJavaOptions"
# In the order in which they win; what is last wins over all before.
WAYS = {
    "JAVA_TOOL_OPTIONS": "-Xmx1g -Djava.io.tmpdir={}",
    "JDK_JAVA_OPTIONS": '"-Djava.io.tmpdir={}" -ea',
    "SPARK_SUBMIT_OPTS": "-Djava.io.tmpdir=/proc/overruled -Djava.io.tmpdir='{}'",
    "PYSPARK_SUBMIT_ARGS": f"--conf {KEY}=-Djava.io.tmpdir={{}} pyspark-shell",
    "_JAVA_OPTIONS": "-Djava.io.tmpdir={}",
}


@pytest.fixture(autouse=True)
def no_options(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))


@pytest.fixture
def file(tmp_path):
    """A file where a folder should be."""
    place = tmp_path / "file"
    place.touch()
    return place


def refusal():
    with pytest.raises(SettingsError) as caught:
        check_folder_of_java()
    return str(caught.value)


def test_folders_that_can_be_written_to_are_taken_and_left_as_they_are(monkeypatch, tmp_path):
    check_folder_of_java()
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", f"-Djava.io.tmpdir={tmp_path / 'new' / 'folder'}")
    check_folder_of_java()
    assert list((tmp_path / "new" / "folder").iterdir()) == []


@pytest.mark.parametrize("way", WAYS)
def test_the_folder_is_told_with_what_names_it(monkeypatch, file, way):
    for name in list(WAYS)[: list(WAYS).index(way)]:
        monkeypatch.setenv(name, WAYS[name].format("/proc/overruled"))
    monkeypatch.setenv(way, WAYS[way].format(file))
    source = KEY if way == "PYSPARK_SUBMIT_ARGS" else way
    said = "; make room, or choose another folder by -Djava.io.tmpdir=FOLDER in "
    assert re.fullmatch(rf"java\.io\.tmpdir '{file}': nothing can be written there \([^)]+\){said}{source}", refusal())


@pytest.mark.parametrize(
    "words", ["--driver-java-options '-ea -Djava.io.tmpdir={}'", f"-c '{KEY}=-ea -Djava.io.tmpdir={{}}' --verbose", ""]
)
def test_folders_of_the_configuration_are_known(monkeypatch, tmp_path, file, words):
    if words:
        monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", f"{words.format(file)} pyspark-shell")
    else:
        (tmp_path / "spark-defaults.conf").write_text(f"# our own\n{KEY}   -ea -Djava.io.tmpdir={file}\n", "utf-8")
    assert f"'{file}'" in refusal()
    (tmp_path / "other.conf").write_text(f"{KEY}=-Djava.io.tmpdir={tmp_path}\n", "utf-8")
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", f"--properties-file={tmp_path / 'other.conf'} pyspark-shell")
    check_folder_of_java()


def test_the_folder_of_the_executors_is_not_asked_for_here(monkeypatch, file):
    words = f"--conf spark.executor.extraJavaOptions=-Djava.io.tmpdir={file} pyspark-shell"
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", words)
    check_folder_of_java()
