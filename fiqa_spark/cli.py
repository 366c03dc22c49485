"""From the command line to a pipeline: flags, Spark session, logging, exit codes."""

import argparse
import contextlib
import importlib
import logging
import os
import pathlib
import signal
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from fiqa_spark.compiled_zip import write_package
from fiqa_spark.errors import DestinationError, FiqaError, SettingsError
from fiqa_spark.machine import check_java, check_java_version
from fiqa_spark.settings import fields_of, flag, kind_of, resolve, with_flag
from fiqa_spark.spark_failures import as_user_error
from fiqa_spark.yarn import end_application, is_application_master

_OWN_FAULT, _USER_ERROR = 1, 2
_PROGRESS_BAR = "spark.ui.showConsoleProgress"
_log = logging.getLogger("fiqa_spark")

# One thread a worker: Spark runs a worker on every core already. Memory that a batch gave back serves the next one;
# asking the system for it anew, page by page, takes a fifth of a worker's time.
_WORKER_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
}
_DEFAULTS = {
    "spark.log.level": "WARN",
    # Lets Spark join the small partitions of results that it keeps, which it does for others anyway.
    "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning": "true",
    # Rows that cross to Python at once: 4,096 vectors of 512 values are 8 MiB.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
    # The number of rows bounds a batch; measuring its bytes after every row is a tenth of the way to Python.
    "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
    "spark.sql.execution.pandas.udf.buffer.size": str(1 << 18),
    # Vectors read at once: 512 of 512 values are 1 MiB, which stays in a processor's cache until they are handed on.
    "spark.sql.parquet.columnarReaderBatchSize": "512",
    # Small pages for rows to sort end in the collector's young generation; large ones fill the old one.
    "spark.buffer.pageSize": "2m",
    # The digits of vectors are random: compressing them is wasted work. One file a task is written in one go.
    "spark.shuffle.compress": "false",
    "spark.shuffle.spill.compress": "false",
    "spark.shuffle.sort.bypassMergeThreshold": "1",
}
# Tables of feature stores are made in the session's own catalog and nowhere else.
_OWN_CATALOG = {"spark.sql.catalogImplementation": "in-memory"}
_LOCAL_DEFAULTS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.log.level": "ERROR",
    # In a container of YARN the path of such a socket would be longer than the system allows.
    "spark.python.unix.domain.socket.enabled": "true",
    # Checksums of shuffled data tell which disk or link of a cluster is at fault.
    "spark.shuffle.checksum.enabled": "false",
}


def main(name, settings_class, arguments=None):
    """Run a job and tell how it went.

    Parameters
    ----------
    name : str
        Name of the job, shown in messages and to the cluster; the pipeline of that name is what runs: its
        ``run(spark, settings)`` returns the summary for a person.
    settings_class : type
        Dataclass of the job's settings.
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
        if _runs_in_spark_submit():
            SparkContext._ensure_initialized()
        flags = parse_flags(name, settings_class, arguments)
        configuration = _spark_configuration()
        settings = resolve(settings_class, flags, dict(configuration.getAll()))
        with tempfile.TemporaryDirectory(prefix="fiqa-spark-") as scratch, ThreadPoolExecutor(1) as beside:
            # Python loads the pipeline while Java opens the session.
            pipeline = beside.submit(importlib.import_module, f"fiqa_spark.pipelines.{name}")
            spark, code = open_session(name, configuration, settings, scratch), _OWN_FAULT
            try:
                print(pipeline.result().run(spark, settings), flush=True)
                code = 0
            except (Py4JJavaError, PySparkException) as error:
                raise (as_user_error(error) or error) from error
            finally:
                _stop(spark, code)
    except FiqaError as error:
        message = " ".join(str(error).split())
        if settings:
            message = with_flag(message, settings, of_destination=isinstance(error, DestinationError))
        line = f"{name}: error: {message}"
        _say(line)
        _end_application(line)
        return _USER_ERROR
    except Exception:
        _say(traceback.format_exc())
        return _OWN_FAULT
    return 0


def _stop(spark, code):
    """End the session in Java; the server for accumulators, which takes a second to end, goes with this process."""
    # A Java process that has died has stopped. A cluster shows the application as failed unless the code is 0.
    with contextlib.suppress(Py4JError):
        spark._jsc.sc().stop(code)


def _end_application(line):
    """Let YARN know in cluster mode, where the driver's own exit code and stderr reach nobody but its log."""
    # Where YARN cannot be told, Spark ends the application, with the exit code alone.
    with contextlib.suppress(Py4JError):
        if SparkContext._jvm is not None and is_application_master(SparkContext._jvm):
            end_application(SparkContext._jvm, line)


def _say(text):
    """Write a line to stderr. What a program of spark-submit writes there itself ends up in stdout."""
    if _runs_in_spark_submit() and SparkContext._jvm is not None:
        # A Java process that has died cannot write; the text must not be lost with it.
        with contextlib.suppress(Py4JError):
            SparkContext._jvm.System.err.println(text)
            return
    print(text, file=sys.stderr)


def _runs_in_spark_submit():
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _is_terminal():
    """Whether a person watches; asked of the process that writes to the terminal."""
    if not _runs_in_spark_submit():
        return sys.stderr.isatty()
    console = SparkContext._jvm.System.console()
    always_has_console = check_java_version(SparkContext._jvm.System.getProperty("java.version"), "Java") >= 22
    return console is not None and (not always_has_console or console.isTerminal())


class _SayHandler(logging.Handler):
    def emit(self, record):
        _say(self.format(record))


def _log_to_stderr(name):
    handler = _SayHandler()
    handler.setFormatter(logging.Formatter(f"{name}: %(message)s"))
    _log.handlers = [handler]
    _log.setLevel(logging.INFO)
    _log.propagate = False


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise SettingsError(f"{message}; see --help")


def parse_flags(name, settings_class, arguments=None):
    """Field name to text, or list of texts where several may be given, for every flag that was given.

    Raises
    ------
    SettingsError
        If a flag is unknown or lacks its value.
    """
    parser = _Parser(
        prog=name,
        description=settings_class.__doc__.split(":")[0] + ".",
        epilog="Each setting can also stand in the Spark configuration, --fix-num as spark.fiqa.fix-num.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for item in fields_of(settings_class):
        text, aliases = item.metadata["help"], item.metadata.get("aliases", ())
        kind, has_several = kind_of(item)
        if item.default not in ("", None, ()) and kind is not bool:
            default = " ".join(map(str, item.default)) if has_several else item.default
            text += f" (default: {default})"
        choices = item.metadata.get("choices")
        metavar = "|".join(choices) if choices else {bool: "True|False", int: "N", float: "X"}.get(kind, "PATH")
        optional = {"nargs": "?", "const": "True"} if kind is bool else {"nargs": "*"} if has_several else {}
        # A % in a text would be taken for a placeholder.
        text = text.replace("%", "%%")
        parser.add_argument(flag(item.name), *aliases, dest=item.name, help=text, metavar=metavar, **optional)
    return vars(parser.parse_args(arguments))


def _spark_configuration():
    """The configuration that spark-submit hands over; without spark-submit, a Java process is started for it."""
    started_here = None
    if not _runs_in_spark_submit():
        check_java()
        # A Java started from Python takes itself for a shell, which has the bar on.
        started_here = SparkConf(False).set(_PROGRESS_BAR, str(_is_terminal()).lower())
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    SparkContext._ensure_initialized(conf=started_here)
    check_java_version(SparkContext._jvm.System.getProperty("java.version"), "the Java that runs Spark")
    return SparkConf()


def open_session(name, configuration, settings, scratch):
    """Session for a job; its workers run this very package, installed or not.

    Parameters
    ----------
    name : str
        Name of the application.
    configuration : SparkConf
        What the user set; it wins over the defaults made here.
    settings : object
        Settings of the job; `process_num` is looked at if there is one.
    scratch : str
        Folder that lives as long as the session.

    Returns
    -------
    SparkSession
    """
    defaults = _DEFAULTS | {f"spark.executorEnv.{key}": value for key, value in _WORKER_ENVIRONMENT.items()}
    defaults[_PROGRESS_BAR] = str(_is_terminal()).lower()
    master = configuration.get("spark.master", "local[*]")
    asked = getattr(settings, "process_num", None)
    if master == "local" or master.startswith("local["):
        defaults |= _LOCAL_DEFAULTS
        master = f"local[{asked}]" if asked else master
    elif asked:
        _log.warning("--process-num %s is not used: %s decides the number of tasks", asked, master)
    builder = SparkSession.builder.appName(_application_name(name, configuration)).master(master)
    for key, value in (_OWN_CATALOG | {"spark.sql.warehouse.dir": pathlib.Path(scratch).as_uri()}).items():
        builder = builder.config(key, value)
    for key, value in defaults.items():
        if not configuration.contains(key):
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    # Not the name under which a user hands over the package, perhaps another version of it.
    package = os.path.join(scratch, "fiqa_spark_of_driver.zip")
    write_package(package)
    spark.sparkContext.addPyFile(package)
    return spark


def _application_name(name, configuration):
    """The name that the user gave, or one that tells more than the name of the script, which is Spark's default."""
    given = configuration.get("spark.app.name", "")
    return f"fiqa-spark {name}" if given in ("", "pyspark-shell", f"{name}.py") else given


def _exit_on_signal(number, frame):
    """Leave by the ordinary way, so that what was half-written is removed."""
    sys.exit(128 + number)
