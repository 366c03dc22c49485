"""One text file out of many, each written by a task."""

from pyspark.sql import DataFrame

from fiqa_spark.runtime.storage import Storage


def write_lines(storage: Storage, lines: DataFrame, path: str, parts: str, header: str = "") -> None:
    """Write lines side by side, then put them together in order.

    Parameters
    ----------
    lines : DataFrame
        One column of text, in order.
    path : str
        File to create.
    parts : str
        Folder to create for what is put together.
    header : str
        What stands before the lines.
    """
    lines.write.text(parts)
    storage.write_text(f"{parts}/header", header)
    names = sorted(name for name, *_ in storage.entries(parts) if name.startswith("part-"))
    storage.concatenate([f"{parts}/header", *[f"{parts}/{name}" for name in names]], path)
