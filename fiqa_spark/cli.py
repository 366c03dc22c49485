"""From the command line to a pipeline: flags, Spark session, logging, exit codes."""

import argparse
import contextlib
import importlib
import logging
import os
import pathlib
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any, NoReturn

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from fiqa_spark.errors import FiqaError, SettingsError
from fiqa_spark.pipelines.jobs import JOBS
from fiqa_spark.runtime import session_conf
from fiqa_spark.runtime.compiled_zip import archive_of_package, write_package
from fiqa_spark.runtime.java_names import remember_names
from fiqa_spark.runtime.machine import check_java, check_java_version
from fiqa_spark.runtime.session_start import started
from fiqa_spark.runtime.settings import Settings, Text, as_typed, fields_of, flag, kind_of, resolve
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.storage import is_below
from fiqa_spark.runtime.writable_folders import check_folder_of_java, check_local_folders
from fiqa_spark.runtime.yarn import end_application, is_application_master
from fiqa_spark.version import __version__

_OWN_FAULT, _USER_ERROR = 1, 2
# What any call of a Java process that has died ends with.
_JAVA_IS_GONE = (Py4JError, OSError)
_PROGRESS_BAR = "spark.ui.showConsoleProgress"
_log = logging.getLogger("fiqa_spark")


def console() -> int:
    """Run the job that the first word names: the command ``fiqa``, which works like the files in ``jobs/``.

    Returns
    -------
    int
        Exit code, as from `main`.
    """
    names = {name.replace("_", "-"): name for name in JOBS}
    word = sys.argv[1] if len(sys.argv) > 1 else "--help"
    name = names.get(word, word)
    if name in JOBS:
        return main(name, sys.argv[2:])
    if word == "--version":
        print(__version__)
        return 0
    usage = "\n".join(f"  fiqa {shown:<24}{_purpose(JOBS[job])}" for shown, job in names.items())
    if word in ("-h", "--help"):
        print(f"usage: fiqa JOB [--FLAG VALUE ...]\n\n{usage}\n\nfiqa JOB --help lists the flags of a job.")
        return 0
    print(f"fiqa: error: no job {word!r}; use one of {', '.join(names)}", file=sys.stderr)
    return _USER_ERROR


def main(name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a job and tell how it went.

    Parameters
    ----------
    name : str
        Name of the job in `JOBS`, shown in messages and to the cluster.
    arguments : list of str, optional
        Command-line arguments; default: those of the process.

    Returns
    -------
    int
        Exit code: 0, 2 after one line on stderr about what the user can mend, 1 after the traceback of another fault.
    """
    _log_to_stderr(name)
    signal.signal(signal.SIGTERM, _exit_on_signal)
    settings = None
    try:
        with told_to_users():
            if _runs_in_spark_submit():
                SparkContext._ensure_initialized()
            flags = parse_flags(name, arguments)
            configuration = _spark_configuration()
            settings = resolved_settings(name, flags, configuration)
            check_local_folders(_java(), configuration)
            _run_in_session(name, configuration, settings)
    except FiqaError as error:
        line = error_line(name, error, settings)
        _say(line)
        _end_application(line)
        return _USER_ERROR
    except Exception:
        _say(traceback.format_exc())
        return _OWN_FAULT
    return 0


def _run_in_session(name: str, configuration: SparkConf, settings: Settings) -> None:
    """Open a session, run the job in it, and print the summary."""
    with tempfile.TemporaryDirectory(prefix="fiqa-spark-") as scratch, ThreadPoolExecutor(1) as beside:
        # Python loads the pipeline while Java opens the session.
        beside.submit(importlib.import_module, f"fiqa_spark.pipelines.{name}")
        spark, code = open_session(name, configuration, settings, scratch), _OWN_FAULT
        try:
            print(run_job(spark, name, settings), flush=True)
            code = 0
        finally:
            _stop(spark, code)


def run_job(spark: SparkSession, name: str, settings: Settings) -> str:
    """Run a job in a session.

    Parameters
    ----------
    name : str
        Name of the job in `JOBS`.
    settings : Settings
        Of the class that `JOBS` names.

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If the user can mend what went wrong, told by Spark or by the pipeline.
    """
    pipeline = importlib.import_module(f"fiqa_spark.pipelines.{name}")
    with told_to_users():
        return pipeline.run(spark, settings)


def resolved_settings(name: str, flags: dict[str, Text], configuration: SparkConf) -> Settings:
    """Settings of a job out of its flags and the Spark configuration; SettingsError as from `resolve`."""
    return resolve(JOBS[name], flags, dict(configuration.getAll()), _names_of_settings())


def _names_of_settings() -> set[str]:
    """Of all jobs."""
    return {item.name for settings_class in JOBS.values() for item in fields_of(settings_class)}


def error_line(name: str, error: FiqaError, settings: Settings | None) -> str:
    """The one line that tells the user of an error, by the flags of the command line.

    Parameters
    ----------
    name : str
        Name of the job.
    settings : Settings or None
        Of the job, as far as they are known.

    Returns
    -------
    str
        Such as ``generate_labels: error: --feature-root /data/f: no such file or folder; give ...``.
    """
    known = _names_of_settings()
    sentence = re.sub(r"`([a-z_]+)`", lambda named: flag(named[1]) if named[1] in known else named[0], error.sentence)
    message = ": ".join(filter(None, (_subject(error, settings), sentence)))
    return f"{name}: error: {' '.join(message.split())}"


def _subject(error: FiqaError, settings: Settings | None) -> str:
    """What an error is about: the flag or key, and its value or the path; empty if it is about neither."""
    key = error.key if isinstance(error, SettingsError) else None
    setting = error.setting or (_setting_of_path(error.path, settings) if error.path else None)
    value = error.shown_value
    if value is None and setting:
        given = getattr(settings, setting, None)
        value = None if given is None else as_typed(given)
    return " ".join(filter(None, (key or (flag(setting) if setting else None), value)))


def _setting_of_path(path: str, settings: Settings | None) -> str | None:
    """The setting that names a path, or the nearest folder above it."""
    if settings is None:
        return None
    matches = [
        (len(folder), item.name)
        for item in fields_of(settings)
        if item.metadata.get("path")
        for folder in _paths_in(getattr(settings, item.name))
        if is_below(path, folder)
    ]
    return max(matches)[1] if matches else None


def _paths_in(value: str | tuple[str, ...]) -> list[str]:
    """Paths that a setting names, those of ``NAME=PATH`` too."""
    if isinstance(value, str):
        return [value] if value else []
    return [path for text in value for path in (text, text.partition("=")[2]) if path]


def _stop(spark: SparkSession, code: int) -> None:
    """End the session in Java; the server for accumulators, which takes a second to end, goes with this process."""
    # A Java process that has died has stopped. A cluster shows the application as failed unless the code is 0.
    with contextlib.suppress(*_JAVA_IS_GONE):
        spark._jsc.sc().stop(code)


def _end_application(line: str) -> None:
    """Let YARN know in cluster mode, where the driver's own exit code and stderr reach nobody but its log."""
    # Where YARN cannot be told, Spark ends the application, with the exit code alone.
    java = _java()
    with contextlib.suppress(*_JAVA_IS_GONE):
        if java is not None and is_application_master(java):
            end_application(java, line)


def _say(text: str) -> None:
    """Write a line to stderr. What a program of spark-submit writes there itself ends up in stdout."""
    java = _java()
    if _runs_in_spark_submit() and java is not None:
        # A Java process that has died cannot write; the text must not be lost with it.
        with contextlib.suppress(*_JAVA_IS_GONE):
            java.System.err.println(text)
            return
    print(text, file=sys.stderr)


def _java() -> Any:
    """The Java process of Spark, by the names of its classes; None if there is none yet."""
    return SparkContext._jvm


def _runs_in_spark_submit() -> bool:
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _is_terminal() -> bool:
    """Whether a person watches; asked of the process that writes to the terminal."""
    if not _runs_in_spark_submit():
        return sys.stderr.isatty()
    system = _java().System
    console_of_java = system.console()
    always_has_console = check_java_version(system.getProperty("java.version"), "Java") >= 22
    return console_of_java is not None and (not always_has_console or console_of_java.isTerminal())


class _SayHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _say(self.format(record))


def _log_to_stderr(name: str) -> None:
    handler = _SayHandler()
    handler.setFormatter(logging.Formatter(f"{name}: %(message)s"))
    _log.handlers = [handler]
    _log.setLevel(logging.INFO)
    _log.propagate = False
    # Older versions of Py4J log the end of the Java process, which the job tells anyway, with two tracebacks.
    logging.getLogger().addFilter(_is_not_of_py4j)


def _is_not_of_py4j(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], Py4JError))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(message, remedy="see --help")


def parse_flags(name: str, arguments: Sequence[str] | None = None) -> dict[str, Text]:
    """Field name to text, or list of texts where several may be given, for every flag that was given.

    Raises
    ------
    SettingsError
        If a flag is unknown or lacks its value.
    """
    parser = _Parser(
        prog=name,
        description=_purpose(JOBS[name]),
        epilog="Each setting can also stand in the Spark configuration, --fix-num as spark.fiqa.fix-num.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for item in fields_of(JOBS[name]):
        text, aliases = item.metadata["help"], item.metadata.get("aliases", ())
        kind, has_several = kind_of(item)
        if item.default not in ("", None, ()) and kind is not bool:
            text += f" (default: {as_typed(item.default)})"
        choices = item.metadata.get("choices")
        metavar = "|".join(choices) if choices else {bool: "True|False", int: "N", float: "X"}.get(kind, "PATH")
        nargs, const = ("?", "True") if kind is bool else ("*" if has_several else None, None)
        # A % in a text would be taken for a placeholder.
        text = text.replace("%", "%%")
        parser.add_argument(
            flag(item.name), *aliases, dest=item.name, help=text, metavar=metavar, nargs=nargs, const=const
        )
    return vars(parser.parse_args(arguments))


def _purpose(settings_class: type[Settings]) -> str:
    """What a job is for, in a sentence."""
    return f"{(settings_class.__doc__ or '').split(':')[0]}."


def _spark_configuration() -> SparkConf:
    """The configuration that spark-submit hands over; without spark-submit, a Java process is started for it."""
    started_here = None
    if not _runs_in_spark_submit():
        check_java()
        check_folder_of_java()
        # A Java started from Python takes itself for a shell, which has the bar on.
        started_here = SparkConf(False).set(_PROGRESS_BAR, str(_is_terminal()).lower())
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    SparkContext._ensure_initialized(conf=started_here)
    check_java_version(_java().System.getProperty("java.version"), "the Java that runs Spark")
    return SparkConf()


def open_session(name: str, configuration: SparkConf, settings: Settings, scratch: str) -> SparkSession:
    """Session for a job; its workers run this very package, installed or not.

    Parameters
    ----------
    name : str
        Name of the application.
    configuration : SparkConf
        What the user set; it wins over the defaults of `session_conf`.
    settings : Settings
        Of the job; `process_num` counts if there is one.
    scratch : str
        Folder that lives as long as the session.
    """
    defaults = session_conf.EVERYWHERE | {_PROGRESS_BAR: str(_is_terminal()).lower()}
    master = configuration.get("spark.master", "local[*]")
    process_num = getattr(settings, "process_num", None)
    # Not the name under which a user hands over the package, perhaps another version of it.
    package = os.path.join(scratch, "fiqa_spark_of_driver.zip")
    write_package(package)
    always = session_conf.ALWAYS | {"spark.sql.warehouse.dir": pathlib.Path(scratch).as_uri()}
    is_local = master == "local" or master.startswith("local[")
    if is_local:
        defaults |= session_conf.LOCALLY
        always |= session_conf.of_worker_daemon(package, configuration)
        master = f"local[{process_num}]" if process_num else master
    else:
        always |= session_conf.of_worker_daemon_on_yarn(archive_of_package(), configuration)
    if process_num and not is_local:
        _log.warning("--process-num %s is not used: %s decides the number of tasks", process_num, master)
    builder = SparkSession.builder.appName(_application_name(name, configuration)).master(master)
    for key, value in always.items():
        builder = builder.config(key, value)
    for key, value in defaults.items():
        if not configuration.contains(key):
            builder = builder.config(key, value)
    spark = started(builder.getOrCreate)
    remember_names(spark)
    spark.sparkContext.addPyFile(package)
    return spark


def _application_name(name: str, configuration: SparkConf) -> str:
    """The name that the user gave, or one that tells more than the name of the script, which is Spark's default."""
    given = configuration.get("spark.app.name", "")
    return f"fiqa-spark {name}" if given in ("", "pyspark-shell", f"{name}.py") else given


def _exit_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    """Leave by the ordinary way, so that what was half-written is removed."""
    sys.exit(128 + number)
