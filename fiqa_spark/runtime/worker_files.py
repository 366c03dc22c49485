"""Files that workers read themselves."""

import contextlib
from collections.abc import Iterator

import pyarrow as pa


@contextlib.contextmanager
def told_as_by_spark(path: str) -> Iterator[None]:
    """What makes a Parquet file of no use inside is told in the words of Spark, which has the same to say of others.

    Raises
    ------
    ValueError
        If the file is gone, or cannot be read; not if this process may not read it, which tells itself.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ValueError(f"file:{path}: It is possible the underlying files have been updated") from error
    except PermissionError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"Encountered error while reading file:{path}: {error}") from error
