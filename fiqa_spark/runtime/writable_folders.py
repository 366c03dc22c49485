"""Folders of the driver's machine that Spark must be able to write to: without them it ends the process at once."""

from py4j.java_gateway import JVMView
from py4j.protocol import Py4JJavaError
from pyspark import SparkConf

from fiqa_spark.errors import SettingsError
from fiqa_spark.runtime.yarn import is_application_master

_KEY, _VARIABLE, _OF_JAVA = "spark.local.dir", "SPARK_LOCAL_DIRS", "java.io.tmpdir"
# What a disk that is all but full has no room for.
_BYTES = 1 << 16


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


def _refusal(key: str, folder: str, problem: str | None) -> SettingsError:
    text, remedy = f"nothing can be written there ({problem})", "make room, or choose another folder"
    return SettingsError(text, key=key, value=folder, remedy=remedy)
