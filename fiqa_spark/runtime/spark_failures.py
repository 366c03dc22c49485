"""Which failures inside Spark the user can mend: damaged files, places that cannot be reached or written."""

import re

from fiqa_spark.errors import DestinationError, InputError

_FILE = re.compile(r"\b((?:file|hdfs|s3a|viewfs|abfss?|gs):/[^\s,;'\"]+?\.parquet)")
# Text in a failure, the error that it is, and what to say of it; {file} and {seen} are filled in.
_CAUSES = (
    (
        r"is not a Parquet file|Could not read footer|CANNOT_READ_FILE_FOOTER|FAILED_READ_FILE"
        r"|Encountered error while reading|CANNOT_MERGE_INCOMPATIBLE|Parquet column cannot be converted",
        InputError,
        "{file}: cannot be read, it is truncated or damaged; write it again",
    ),
    (
        r"The \w+ quota [^\n]{0,200} exceeded[^\n]{0,150}",
        DestinationError,
        "{seen}; make room at the destination or have the quota raised, and run again",
    ),
    (
        r"No space left on device",
        DestinationError,
        "{seen}: make room at the destination and in spark.local.dir, and run again",
    ),
    (
        r"Call From \S+ to \S+ failed on connection exception|UnknownHostException[^\n]{0,100}",
        InputError,
        "{seen}: the file system cannot be reached; check the host and port of the path, and that it is up",
    ),
    (
        r"Permission denied[^\n]{0,150}",
        InputError,
        "{seen}: give the user of this job the right to it, or choose another place",
    ),
    (
        r"CONFLICTING_DIRECTORY_STRUCTURES",
        InputError,
        "the folder holds several Parquet data sets ({seen}); name the folder of one of them",
    ),
)


def as_user_error(error):
    """The error that tells the user what to mend, or None if the fault is not the user's.

    Parameters
    ----------
    error : Exception
        What Spark raised; the type of the first cause is lost in it, its text is not.

    Returns
    -------
    FiqaError or None
    """
    text = str(error)
    for pattern, kind, message in _CAUSES:
        seen = re.search(pattern, text, re.IGNORECASE)
        if seen:
            file = _FILE.search(text)
            return kind(message.format(seen=seen[0], file=file[1] if file else "a Parquet file"))
    return None
