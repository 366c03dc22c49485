"""Which failures inside Spark the user can mend: files that cannot be read, a destination that cannot be written."""

import re

from fiqa_spark.errors import DestinationError, InputError

_DAMAGED = re.compile(
    r"is not a Parquet file|Could not read footer|CANNOT_READ_FILE_FOOTER|FAILED_READ_FILE"
    r"|Encountered error while reading|CANNOT_MERGE_INCOMPATIBLE|Parquet column cannot be converted"
)
_FILE = re.compile(r"\b((?:file|hdfs|s3a|viewfs|abfss?|gs):/[^\s,;'\"]+?\.parquet)")
_FULL = re.compile(r"No space left on device|quota[^.]{0,40}exceeded|DSQuotaExceeded|NSQuotaExceeded", re.IGNORECASE)


def as_user_error(error, places=dict):
    """The error that tells the user what to mend, or None if the fault is not the user's.

    Parameters
    ----------
    error : Exception
        What Spark raised; the type of the first cause is lost in it, its text is not.
    places : callable, optional
        Gives qualified path to the flag that named it, for the message about a file below it.

    Returns
    -------
    FiqaError or None
    """
    text = str(error)
    if _DAMAGED.search(text):
        file = _FILE.search(text)
        name = _with_flag(file[1], places()) if file else "a Parquet file"
        return InputError(f"{name}: cannot be read, it is truncated or damaged; write it again")
    full = _FULL.search(text)
    if full:
        return DestinationError(f"{full[0]}: make room at the destination and in spark.local.dir, and run again")
    return None


def _with_flag(file, places):
    file = re.sub("^file:/+", "file:/", file)
    above = [place for place in places if file == place or file.startswith(place.rstrip("/") + "/")]
    return f"{places[max(above, key=len)]} {file}" if above else file
