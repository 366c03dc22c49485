"""Streams of rows, cluster by cluster, in frames that hold whole clusters; one too large for memory waits on disk."""

import os
import tempfile

import numpy as np
import pandas as pd
import pyarrow as pa

from fiqa_spark import schemas


class ParkedCluster:
    """Rows of one cluster, in a file on the worker's disk; iterate over it for frames, as often as needed.

    Rows of one image, which are neighbours, come in one frame.

    Parameters
    ----------
    schema : pyarrow.Schema
        Columns of the rows.
    """

    def __init__(self, schema):
        # Spark's own place for what is too large for memory.
        folder = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives and goes with the object.
        self._schema, self._writer = schema, pa.ipc.new_stream(self._file, schema)
        self._tail = None

    def add(self, frame):
        """Append rows; a frame has at least one."""
        joined = frame if self._tail is None else pd.concat([self._tail, frame], ignore_index=True)
        images = joined[schemas.IMAGE_HASH].to_numpy()
        border = int(np.argmax(images == images[-1]))
        self._write(joined.iloc[:border])
        # The last image may go on in the next frame.
        self._tail = joined.iloc[border:].copy()

    def complete(self):
        """No more rows will come."""
        self._write(self._tail)
        self._writer.close()
        return self

    def _write(self, frame):
        if len(frame):
            self._writer.write_batch(pa.RecordBatch.from_pandas(frame, self._schema, preserve_index=False))

    def __iter__(self):
        self._file.seek(0)
        with pa.ipc.open_stream(self._file) as batches:
            for batch in batches:
                yield batch.to_pandas()


def whole_clusters(frames, rows_at_once, schema):
    """Cut a sorted stream of frames anew so that no cluster is spread over two.

    Parameters
    ----------
    frames : iterator of DataFrame
        The rows of a cluster are neighbours, and in it those of an image.
    rows_at_once : int
        Rows to gather, as far as there are so many.
    schema : pyarrow.Schema
        Columns of the frames.

    Yields
    ------
    DataFrame or ParkedCluster
        One or more whole clusters, or one that alone has `rows_at_once` rows. Never more than that many rows and two
        incoming frames are held.
    """
    held, rows = [], 0
    frames = (frame for frame in frames if len(frame))
    frame = next(frames, None)
    while frame is not None:
        held.append(frame)
        rows += len(frame)
        frame = next(frames, None)
        if rows < rows_at_once:
            continue
        whole, held = _cut_before_last_cluster(held)
        if whole:
            yield pd.concat(whole, ignore_index=True)
        rows = sum(map(len, held))
        if rows >= rows_at_once:
            parked, frame = _parked(held, frame, frames, schema)
            yield parked
            held, rows = [], 0
    if held:
        yield pd.concat(held, ignore_index=True)


def _parked(held, frame, frames, schema):
    """The cluster that begins with the frames held and goes on in `frame` and `frames`, and what comes after it."""
    cluster = held[-1][schemas.CLUSTER].iloc[-1]
    parked = ParkedCluster(schema)
    for part in held:
        parked.add(part)
    while frame is not None:
        of_cluster = int((frame[schemas.CLUSTER].to_numpy() == cluster).sum())
        if of_cluster:
            parked.add(frame.iloc[:of_cluster])
        if of_cluster < len(frame):
            return parked.complete(), frame.iloc[of_cluster:]
        frame = next(frames, None)
    return parked.complete(), None


def _cut_before_last_cluster(frames):
    """Frames before the rows of the last cluster, which may go on in the next frame, and frames of these rows."""
    cluster = frames[-1][schemas.CLUSTER].iloc[-1]
    cut = next(number for number, part in enumerate(frames) if part[schemas.CLUSTER].iloc[-1] == cluster)
    border = int(np.argmax(frames[cut][schemas.CLUSTER].to_numpy() == cluster))
    before = [*frames[:cut], frames[cut].iloc[:border]]
    return [part for part in before if len(part)], [frames[cut].iloc[border:], *frames[cut + 1 :]]
