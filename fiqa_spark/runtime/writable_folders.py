"""Folders of the driver's machine that Spark must be able to write to: without them it ends the process at once."""

import itertools
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator

from py4j.java_gateway import JVMView
from py4j.protocol import Py4JJavaError
from pyspark import SparkConf
from pyspark.find_spark_home import _find_spark_home

from fiqa_spark.errors import SettingsError
from fiqa_spark.runtime.yarn import is_application_master

_KEY, _VARIABLE, _OF_JAVA = "spark.local.dir", "SPARK_LOCAL_DIRS", "java.io.tmpdir"
# What a disk that is all but full has no room for.
_BYTES = 1 << 16
_DEFAULT_ON_LINUX = "/tmp"  # noqa: S108 - Java's, not ours.
_OPTION = f"-D{_OF_JAVA}="
# Java takes the last of all options that it is given, in this order with those of the configuration before the last.
_BEFORE, _OF_SUBMIT, _AFTER = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"), "SPARK_SUBMIT_OPTS", "_JAVA_OPTIONS"
_OPTION_KEYS = ("spark.driver.defaultJavaOptions", "spark.driver.extraJavaOptions")


def check_folder_of_java() -> None:
    """Raise SettingsError unless a Java that is started now can keep its files: it would end with a traceback."""
    # Elsewhere Java has other defaults; what is wrong there is told when it runs.
    folder, source = _DEFAULT_ON_LINUX if sys.platform.startswith("linux") else "", _OF_SUBMIT
    for name, options in _java_options():
        for word in _words(options):
            if word.startswith(_OPTION):
                folder, source = word.removeprefix(_OPTION), name
    if folder and (problem := _problem_of_python(folder)):
        raise _refusal(_OF_JAVA, folder, problem, f" by {_OPTION}FOLDER in {source}")


def _java_options() -> Iterator[tuple[str, str]]:
    """Options of the driver's Java with what they come from; those that win come last."""
    variables = os.environ
    yield from ((name, variables.get(name, "")) for name in (*_BEFORE, _OF_SUBMIT))
    configured = _configured(_words(variables.get("PYSPARK_SUBMIT_ARGS", "")))
    yield from ((key, configured.get(key, "")) for key in _OPTION_KEYS)
    yield _AFTER, variables.get(_AFTER, "")


def _configured(words: list[str]) -> dict[str, str]:
    """Options of Java in the words of a command line of spark-submit, and in the file of properties that it reads."""
    flat = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    given = list(itertools.pairwise(flat))
    folder = os.environ.get("SPARK_CONF_DIR") or os.path.join(_find_spark_home(), "conf")
    file = dict(given).get("--properties-file") or os.path.join(folder, "spark-defaults.conf")
    configured = {}
    if os.path.isfile(file):
        with open(file, encoding="utf-8", errors="replace") as lines:
            configured = dict(re.findall(r"^\s*([\w.]+)[ \t]*[=: \t][ \t]*(.*?)\s*$", lines.read(), re.MULTILINE))
    for word, value in given:
        if word in ("--conf", "-c"):
            key, _, configured_value = value.partition("=")
            configured[key] = configured_value
        elif word == "--driver-java-options":
            configured[_OPTION_KEYS[-1]] = value
    return configured


def _words(text: str) -> list[str]:
    """Words of a command line; none of one whose quotes do not match, which Java refuses itself."""
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _problem_of_python(folder: str) -> str | None:
    """As `_problem`, where there is no Java yet."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fiqa-spark-", dir=folder) as below, open(f"{below}/0", "wb") as file:
            file.write(bytes(_BYTES))
    except OSError as error:
        return error.strerror
    return None


def check_local_folders(jvm: JVMView, configuration: SparkConf) -> None:
    """Raise SettingsError unless Spark can keep its files, and Java its own, on this machine.

    Parameters
    ----------
    jvm : JVMView
        Of the driver, which Spark has not started in yet.
    configuration : SparkConf
        What the user set.
    """
    if is_application_master(jvm):
        # YARN gives other folders.
        return
    of_java = jvm.System.getProperty(_OF_JAVA)
    variable = jvm.System.getenv(_VARIABLE)
    folders = [folder for folder in (variable or configuration.get(_KEY, of_java)).split(",") if folder]
    # One of several is enough for Spark, which goes on without the others.
    problems = [_problem(jvm, folder) for folder in folders]
    if all(problems):
        raise _refusal(_VARIABLE if variable else _KEY, folders[0], problems[0])
    if of_java not in folders and (problem := _problem(jvm, of_java)):
        raise _refusal(_OF_JAVA, of_java, problem)


def _problem(jvm: JVMView, folder: str) -> str | None:
    """Why nothing can be written to a folder, which is made if it is not there; None if it can."""
    files = jvm.java.io
    place = files.File(folder)
    place.mkdirs()
    try:
        file = files.File.createTempFile("fiqa-spark-", None, place)
        try:
            stream = files.FileOutputStream(file)
            try:
                stream.write(bytearray(_BYTES))
            finally:
                stream.close()
        finally:
            file.delete()
    except Py4JJavaError as error:
        return str(error.java_exception.getMessage())
    return None


def _refusal(key: str, folder: str, problem: str | None, how: str = "") -> SettingsError:
    text, remedy = f"nothing can be written there ({problem})", f"make room, or choose another folder{how}"
    return SettingsError(text, key=key, value=folder, remedy=remedy)
