"""Which failures inside Spark the user can mend: of files, of places to write to, of processes that die."""

import contextlib
import pickle
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from fiqa_spark.errors import DestinationError, FiqaError, InputError, MachineError

WITHOUT_PATH, WITHOUT_PATH_IN_FILE = "a row has no path", "a row has no path in the file\t"
"""What Spark is made to fail with; behind the second stand the address of the file and a TAB."""
_SCHEME = r"(?:file|hdfs|s3a|viewfs|abfss?|gs):/"
# A path may hold blanks, but no second path.
_FILE = re.compile(rf"\b({_SCHEME}(?:(?!{_SCHEME})[^\n,;'\"])+?\.parquet)\b")
_GIVE_RIGHT = "give the user of this job the right to it, or choose another place"
_SAME_TYPES = "write all files with the same types"
_RENAME = "rename it"
_OTHER_FOLDER = "make room there, or choose another by spark.local.dir"
_MORE_FOR_JAVA = "raise spark.driver.memory, on a cluster spark.executor.memory too"
_MORE_FOR_PYTHON = (
    "give the machine more memory, or lower `process_num` and spark.driver.memory; on a cluster raise "
    "spark.executor.memoryOverhead"
)
_OTHER_PYTHON = "set PYSPARK_PYTHON to a Python that has what the driver's has"


class _Cause(NamedTuple):
    """What a failure may come from: a pattern of its text, and the error to tell.

    Of the pattern's groups, `path` is what is to blame, and `name` the last part of a path that may stand elsewhere in
    the text.
    """

    pattern: str
    error: type[FiqaError]
    text: str
    """With ``{match}`` for what matches the pattern, and ``{group}`` for a group."""
    remedy: str
    of_file: bool = False
    """Whether the failure names the file, somewhere in its text, that `text` is about."""
    is_address: bool = False
    """Whether `path` is written as an address, in which a blank is ``%20``."""


_FULL = (
    _Cause(
        r"The \w+ quota [^\n]{0,200} exceeded[^\n]{0,150}",
        DestinationError,
        "{match}",
        "make room at the destination or have the quota raised, and run again",
    ),
    _Cause(
        r"No space left on device|Disk quota exceeded",
        DestinationError,
        "{match}",
        "make room at the destination and in spark.local.dir, and run again",
    ),
    _Cause(
        r"File too large\b",
        DestinationError,
        "{match}: no file may be as large as one of this run",
        "raise the limit (ulimit -f), and run again",
    ),
    _Cause(
        r"Failed to (?:get|create) a temp directory (?:\(under |under \[)(?P<path>[^\])\n]+)",
        MachineError,
        "Spark can keep no files there",
        _OTHER_FOLDER,
    ),
    _Cause(
        r"No usable temporary directory found in \[(?P<folders>[^\]\n]+)",
        MachineError,
        "Python can keep no files in {folders}",
        "make room there, or set TMPDIR to another folder",
    ),
    _Cause(
        r"(?:(?P<path>/[^\n]+?)(?: \(|: ))?Read-only file system",
        DestinationError,
        "read-only file system",
        "choose another place",
    ),
)
_DEAD = (
    _Cause(
        r"unable to create (?:new )?native thread|Cannot run program [^\n]*error[=:] ?1[12]\b",
        MachineError,
        "the system starts no more threads or processes",
        "raise the limit (ulimit -u), or lower `process_num`",
    ),
    _Cause(
        r"OutOfMemoryError(?:: (?P<reason>[^\n]{1,150}))?",
        MachineError,
        "Java is out of memory ({reason})",
        _MORE_FOR_JAVA,
    ),
    _Cause(
        r"Total size of serialized results [^\n]{0,150}",
        MachineError,
        "{match}",
        "raise spark.driver.maxResultSize, and spark.driver.memory if it is no larger",
    ),
    _Cause(
        r"(?:System|Executor) memory (?P<given>\d+) must be at least (?P<least>\d+)",
        MachineError,
        "Java has {given} bytes, and Spark needs {least}",
        _MORE_FOR_JAVA,
    ),
    _Cause(
        r"\b_?(?:Array|Arrow)?MemoryError\b(?:: (?P<reason>[^\n]{1,150}))?",
        MachineError,
        "a Python worker is out of memory ({reason})",
        _MORE_FOR_PYTHON,
    ),
    _Cause(
        r"ExecutorLostFailure \([^\n]*?\) Reason: (?P<reason>[^\n]{1,250})",
        MachineError,
        "an executor was lost ({reason})",
        "see its log; if it had too little memory, raise spark.executor.memory and spark.executor.memoryOverhead",
    ),
    _Cause(
        r"Cannot run program \"(?P<program>[^\"\n]+)\"[^\n]*(?:error[=:] ?2\b|error[=:] ?13\b|No such file|denied)",
        MachineError,
        "the workers' Python {program!r} cannot be started",
        _OTHER_PYTHON,
    ),
    _Cause(
        r"Error from python worker:\s(?:[^\n]*\n)*?\s*(?P<reason>[^\n]{1,250})[^\n]*\n\s*PYTHONPATH was",
        MachineError,
        "the workers' Python ends as it starts ({reason})",
        _OTHER_PYTHON,
    ),
    _Cause(
        r"Python in worker has different (?:minor )?version:? (?P<worker>[^\n]+?) than that in driver:? "
        r"(?P<driver>\d[\d.]*\d)",
        MachineError,
        "the workers run Python {worker}, and the driver {driver}",
        "set PYSPARK_PYTHON to the Python of the driver",
    ),
    _Cause(
        r"ModuleNotFoundError: No module named '(?P<module>(?!fiqa_spark)[^'\n]+)'",
        MachineError,
        "the workers' Python lacks {module}",
        _OTHER_PYTHON,
    ),
    _Cause(r"\S+ >= \S+ must be installed; however,[^\n]{0,80}", MachineError, "{match}", _OTHER_PYTHON),
    _Cause(
        r"Python worker exited unexpectedly|EOFException occurred while reading the port number|"
        r"(?:Broken pipe|Connection reset|EOFException|ClosedChannelException|AsynchronousCloseException)[^\n]*\n"
        r"(?:\s+at [^\n]*\n){0,60}?\s+at org\.apache\.spark\.(?:api|sql\.execution)\.python\.",
        MachineError,
        "a Python worker died, most likely ended by the system as memory was short",
        _MORE_FOR_PYTHON,
    ),
    _Cause(
        r"Java gateway process exited before sending its port number",
        MachineError,
        "Java ended before Spark was there",
        "mend what it says above",
    ),
    _Cause(
        r"Answer from Java side is empty|Error while (?:sending|receiving|obtaining a new communication)"
        r"|trying to connect to the Java server|\[Errno \d+\] Connection refused",
        MachineError,
        "Java, in which Spark runs, died, most likely ended by the system as memory was short",
        "give the machine more memory, or lower spark.driver.memory and `process_num`",
    ),
)
_NAMES = (
    _Cause(
        r"Relative path in absolute URI: \.?(?P<name>[^\n]+?)(?:\.crc)?(?=\n|$)",
        InputError,
        "has a colon in its name, which Hadoop does not take",
        _RENAME,
    ),
    _Cause(
        r"Pathname (?P<path>[^\n]+?) from [^\n]+ is not a valid DFS filename",
        InputError,
        "is no name that HDFS takes",
        _RENAME,
    ),
    _Cause(
        r"InvalidPathException: (?P<reason>[^:\n]+)(?:: (?P<path>[^\n]+))?",
        InputError,
        "is no name that Java takes ({reason})",
        "rename it, or set LC_ALL to C.UTF-8 if it is not ASCII",
    ),
    _Cause(
        r"(?:(?P<path>/[^\n]+?)(?: \(|: ))?File name too long",
        InputError,
        "its name is too long for the file system",
        "give it a shorter one",
    ),
    _Cause(
        r"'utf-8' codec can't encode characters? [^\n]*surrogates not allowed",
        InputError,
        "a file has a name that is not UTF-8",
        "rename it, for example with convmv",
    ),
)
# A file that nobody may read, or that is gone, is not damaged, though Spark says of all three that it failed to read
# them.
_FILES = (
    _Cause(
        rf"{WITHOUT_PATH_IN_FILE}(?P<path>[^\t\n]+)",
        InputError,
        "has rows without a path, or no column 'path' as other files have it",
        "write the paths of the images into it, or leave such rows out",
        is_address=True,
    ),
    _Cause(
        WITHOUT_PATH,
        InputError,
        "rows of the list or of the features have no path",
        "leave them out, as in features.where(\"path <> ''\")",
    ),
    _Cause(
        r"Call From \S+ to \S+ failed on connection exception|UnknownHostException[^\n]{0,100}",
        InputError,
        "{match}: the file system cannot be reached",
        "check the host and port of the path, and that it is up",
    ),
    # HDFS, Java, Python, others.
    _Cause(r"Permission denied: user=[^\n]{0,50}inode=\"(?P<path>[^\"\n]+)\"\S*", InputError, "{match}", _GIVE_RIGHT),
    _Cause(r": (?P<path>/[^\n]+?)(?: \(|: )Permission denied", InputError, "permission denied", _GIVE_RIGHT),
    _Cause(r"Permission denied: '(?P<path>[^\n]+?)'", InputError, "permission denied", _GIVE_RIGHT),
    _Cause(r"Permission denied[^\n]{0,150}", InputError, "{match}", _GIVE_RIGHT),
    _Cause(
        # Spark 3.5 writes a backspace behind the colon.
        r"Conflicting directory structures detected\.\s+Suspicious paths:[\s\b]+(?P<path>[^\n]+)",
        InputError,
        "is one of several Parquet data sets in its folder",
        "name the folder of one of them",
    ),
    _Cause(
        r"FILE_NOT_EXIST|It is possible the underlying files have been updated",
        InputError,
        "is gone since the run began to read it",
        "leave files as they are until a run has ended",
        of_file=True,
    ),
    _Cause(
        r"column:? \[[^\]\n]+\]\W+Expected[^\n.]{0,150}",
        InputError,
        "holds another type than expected ({match})",
        _SAME_TYPES,
        of_file=True,
    ),
    _Cause(
        r"merge incompatible data types [^\n.]{0,150}",
        InputError,
        "the files of a data set hold several types ({match})",
        _SAME_TYPES,
    ),
    _Cause(
        r"Class org\.[\w.]+\.(?P<codec>\w+)Codec was not found",
        InputError,
        "is compressed by {codec}, which Spark cannot read",
        "write it with snappy or zstd",
        of_file=True,
    ),
    _Cause(
        r"is not a Parquet file|Could not read footer|CANNOT_READ_FILE_FOOTER|FAILED_READ_FILE"
        r"|Encountered error while reading",
        InputError,
        "cannot be read, it is truncated or damaged",
        "write it again",
        of_file=True,
    ),
)
_CAUSES = (*_FULL, *_DEAD, *_NAMES, *_FILES)
"""In the order in which they are looked for: a full disk or a dead process makes others of what it hinders."""


@contextlib.contextmanager
def told_to_users() -> Iterator[None]:
    """While Spark computes: a failure that the user can mend becomes the error that tells so.

    Raises
    ------
    FiqaError
        In place of what Spark, Java or the system raised.
    """
    try:
        yield
    except (Py4JError, PySparkException, OSError, pickle.PicklingError) as error:
        told = as_user_error(error)
        if told is None:
            raise
        raise told from error


def as_user_error(error: Exception) -> FiqaError | None:
    """The error that tells the user what to mend, or None if the fault is not the user's.

    Parameters
    ----------
    error : Exception
        What Spark raised; the type of the first cause is lost in it, its text is not.
    """
    failure = str(error)
    for cause in _CAUSES:
        match = re.search(cause.pattern, failure, re.IGNORECASE)
        if match:
            return _told(cause, match, failure)
    return None


def _told(cause: _Cause, match: re.Match, failure: str) -> FiqaError:
    groups = {name: text or "" for name, text in match.groupdict().items()}
    path = _file_in(failure) if cause.of_file else groups.get("path")
    if path and cause.is_address:
        path = unquote(path)
    if groups.get("name"):
        path = _path_of(groups["name"], failure)
    # Of what was not told no empty brackets are left.
    text = cause.text.format(match=match[0], **groups).replace(" ()", "")
    return cause.error(
        f"a file {text}" if cause.of_file and path is None else text, path=path or None, remedy=cause.remedy
    )


def _file_in(failure: str) -> str | None:
    """The first file that a failure names; Spark writes some as addresses, in which a blank is ``%20``."""
    match = _FILE.search(failure)
    return match[1].replace("%20", " ") if match else None


def _path_of(name: str, failure: str) -> str:
    """The path of a file, if a failure tells more than its name."""
    match = re.search(rf"(?:\b{_SCHEME}|/)[^\n,;:'\"]*/{re.escape(name)}", failure)
    return match[0].replace("%20", " ") if match else name
