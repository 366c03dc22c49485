"""Which failures inside Spark the user can mend: damaged files, places that cannot be reached or written."""

import re
from typing import NamedTuple

from fiqa_spark.errors import DestinationError, FiqaError, InputError

_SCHEME = r"(?:file|hdfs|s3a|viewfs|abfss?|gs):/"
# A path may hold blanks, but no second path.
_FILE = re.compile(rf"\b({_SCHEME}(?:(?!{_SCHEME})[^\n,;'\"])+?\.parquet)\b")
_GIVE_RIGHT = "give the user of this job the right to it, or choose another place"
_SAME_TYPES = "write all files with the same types"


class _Cause(NamedTuple):
    """What a failure may come from: a pattern of its text, which may have a group `path`, and the error to tell."""

    pattern: str
    error: type[FiqaError]
    text: str
    """With ``{match}`` for what matches the pattern."""
    remedy: str
    of_file: bool = False
    """Whether the failure names the file, somewhere in its text, that `text` is about."""


# In this order: a file that nobody may read, or that is gone, is not damaged, though Spark says of all three that it
# failed to read them.
_CAUSES = (
    _Cause(
        r"The \w+ quota [^\n]{0,200} exceeded[^\n]{0,150}",
        DestinationError,
        "{match}",
        "make room at the destination or have the quota raised, and run again",
    ),
    _Cause(
        r"No space left on device",
        DestinationError,
        "{match}",
        "make room at the destination and in spark.local.dir, and run again",
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
        r"is not a Parquet file|Could not read footer|CANNOT_READ_FILE_FOOTER|FAILED_READ_FILE"
        r"|Encountered error while reading",
        InputError,
        "cannot be read, it is truncated or damaged",
        "write it again",
        of_file=True,
    ),
)


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
            path = _file_in(failure) if cause.of_file else match.groupdict().get("path")
            text = cause.text.format(match=match[0])
            return cause.error(
                f"a file {text}" if cause.of_file and path is None else text, path=path, remedy=cause.remedy
            )
    return None


def _file_in(failure: str) -> str | None:
    """The first file that a failure names; Spark writes some as addresses, in which a blank is ``%20``."""
    match = _FILE.search(failure)
    return match[1].replace("%20", " ") if match else None
