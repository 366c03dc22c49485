"""Streams of rows, cluster by cluster, in parts that hold whole clusters; one too large for memory waits on disk."""

import os
import tempfile
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from fiqa_spark import schemas

_EMBEDDING, _USABLE = "embedding", "usable"


class Rows(NamedTuple):
    """Images beside their embeddings."""

    frame: pd.DataFrame
    """What is known of each image, without its vector."""
    embeddings: np.ndarray
    """Unit embeddings, float32, shape (rows, dimension)."""
    usable: np.ndarray
    """Whether an embedding can be used, bool, shape (rows,)."""

    @property
    def count(self):
        """Number of rows."""
        return len(self.usable)

    def column(self, name):
        """Values of a column, shape (rows,)."""
        return self.frame[name].to_numpy()

    def part(self, first, end=None):
        """The rows from one to before another, without copying them."""
        return Rows(self.frame.iloc[first:end], self.embeddings[first:end], self.usable[first:end])


def joined_rows(parts, order=None):
    """Rows of several parts, one after the other or in another order.

    Parameters
    ----------
    parts : list of Rows
    order : ndarray of int, shape (n,), optional
        Numbers of the rows, counted through all parts, as they shall stand.

    Returns
    -------
    Rows
    """
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    usable = np.concatenate([part.usable for part in parts])
    if order is None:
        return Rows(frame, np.concatenate([part.embeddings for part in parts]), usable)
    # Each vector goes straight to its place, since they are most of what is copied.
    embeddings = np.empty((len(order), parts[0].embeddings.shape[1]), np.float32)
    places = np.full(len(usable), -1)
    places[order] = np.arange(len(order))
    first = 0
    for part in parts:
        place = places[first : first + part.count]
        embeddings[place[place >= 0]] = part.embeddings if (place >= 0).all() else part.embeddings[place >= 0]
        first += part.count
    return Rows(frame.iloc[order], embeddings, usable[order])


class SpilledIdentity:
    """Rows of one cluster, in a file on the worker's disk; iterate over it for parts, as often as needed.

    Rows of one image, which are neighbours, come in one part.

    Parameters
    ----------
    schema : pyarrow.Schema
        Columns of what is known of the images.
    dimension : int
        Length of an embedding.
    """

    def __init__(self, schema, dimension):
        # Spark's own place for what is too large for memory.
        folder = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives and goes with the object.
        self._schema, self._tail = schema, None
        vectors = pa.list_(pa.float32(), dimension)
        self._held = schema.append(pa.field(_EMBEDDING, vectors)).append(pa.field(_USABLE, pa.bool_()))
        self._writer = pa.ipc.new_stream(self._file, self._held)

    def add(self, rows):
        """Append rows, at least one."""
        joined = rows if self._tail is None else joined_rows([self._tail, rows])
        images = joined.column(schemas.IMAGE_HASH)
        border = int(np.argmax(images == images[-1]))
        self._write(joined.part(0, border))
        # The last image may go on in the next rows.
        self._tail = joined_rows([joined.part(border)])

    def complete(self):
        """No more rows will come."""
        self._write(self._tail)
        self._writer.close()
        return self

    def _write(self, rows):
        if rows.count:
            known = pa.RecordBatch.from_pandas(rows.frame, self._schema, preserve_index=False)
            vectors = pa.FixedSizeListArray.from_arrays(rows.embeddings.ravel(), rows.embeddings.shape[1])
            columns = [*known.columns, vectors, pa.array(rows.usable)]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._held))

    def __iter__(self):
        self._file.seek(0)
        with pa.ipc.open_stream(self._file) as batches:
            for batch in batches:
                embeddings = batch.column(_EMBEDDING).flatten().to_numpy().reshape(batch.num_rows, -1)
                usable = batch.column(_USABLE).to_numpy(zero_copy_only=False)
                yield Rows(batch.select(self._schema.names).to_pandas(), embeddings, usable)


def whole_identities(parts, rows_at_once, schema):
    """Cut a sorted stream of rows anew so that no cluster is spread over two.

    Parameters
    ----------
    parts : iterator of Rows
        The rows of a cluster are neighbours, and in it those of an image.
    rows_at_once : int
        Rows to gather, as far as there are so many.
    schema : pyarrow.Schema
        Columns of the rows' frames.

    Yields
    ------
    list of Rows or SpilledIdentity
        One or more whole clusters, in several parts, or one cluster that alone has `rows_at_once` rows. Never more than
        that many rows and two incoming parts are held.
    """
    held, count = [], 0
    parts = (part for part in parts if part.count)
    part = next(parts, None)
    while part is not None:
        held.append(part)
        count += part.count
        part = next(parts, None)
        if count < rows_at_once:
            continue
        whole, held = _cut_before_last_cluster(held)
        if whole:
            yield whole
        count = sum(each.count for each in held)
        if count >= rows_at_once:
            parked, part = _parked(held, part, parts, schema)
            yield parked
            held, count = [], 0
    if held:
        yield held


def _parked(held, part, parts, schema):
    """The cluster that begins with the rows held and goes on in `part` and `parts`, and what comes after it."""
    cluster = held[-1].column(schemas.IDENTITY_KEY)[-1]
    parked = SpilledIdentity(schema, held[-1].embeddings.shape[1])
    for each in held:
        parked.add(each)
    while part is not None:
        of_cluster = int((part.column(schemas.IDENTITY_KEY) == cluster).sum())
        if of_cluster:
            parked.add(part.part(0, of_cluster))
        if of_cluster < part.count:
            return parked.complete(), part.part(of_cluster)
        part = next(parts, None)
    return parked.complete(), None


def _cut_before_last_cluster(parts):
    """Parts before the rows of the last cluster, which may go on in the next part, and parts of these rows."""
    cluster = parts[-1].column(schemas.IDENTITY_KEY)[-1]
    cut = next(number for number, part in enumerate(parts) if part.column(schemas.IDENTITY_KEY)[-1] == cluster)
    border = int(np.argmax(parts[cut].column(schemas.IDENTITY_KEY) == cluster))
    before = [*parts[:cut], parts[cut].part(0, border)]
    return [part for part in before if part.count], [parts[cut].part(border), *parts[cut + 1 :]]
