"""Which failures inside Spark the user can mend: files that cannot be read, a destination that cannot be written."""

import re

from fiqa_spark.errors import DestinationError, InputError

_DAMAGED = re.compile(
    r"is not a Parquet file|Could not read footer|CANNOT_READ_FILE_FOOTER|FAILED_READ_FILE"
    r"|Encountered error while reading|CANNOT_MERGE_INCOMPATIBLE|Parquet column cannot be converted"
)
_FILE = re.compile(r"\b((?:file|hdfs|s3a|viewfs|abfss?|gs):/[^\s,;'\"]+?\.parquet)")
_FULL = re.compile(r"No space left on device|quota[^.]{0,40}exceeded|DSQuotaExceeded|NSQuotaExceeded", re.IGNORECASE)


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
    if _DAMAGED.search(text):
        file = _FILE.search(text)
        name = file[1] if file else "a Parquet file"
        return InputError(f"{name}: cannot be read, it is truncated or damaged; write it again")
    full = _FULL.search(text)
    if full:
        return DestinationError(f"{full[0]}: make room at the destination and in spark.local.dir, and run again")
    return None
