"""Streams of rows, identity by identity, in batches of whole ones; an identity too large for memory waits on disk."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fiqa_spark import schemas

_EMBEDDING, _NORM, _USABLE = "embedding", "norm", "usable"


@dataclass(frozen=True, eq=False)
class Rows:
    """Images beside their embeddings."""

    frame: pd.DataFrame
    """What is known of each image, without its vector."""
    embeddings: npt.NDArray[np.float32]
    """Unit embeddings, float32, shape (rows, dimension)."""
    norms: npt.NDArray[np.float64]
    """Lengths that the features had before, float64, shape (rows,); NaN where an embedding cannot be used."""
    usable: npt.NDArray[np.bool_]
    """Whether an embedding can be used, bool, shape (rows,)."""

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.usable)

    @cached_property
    def identified(self) -> npt.NDArray[np.bool_]:
        """Whether an image has an identity, bool, shape (rows,)."""
        return self.frame[schemas.IDENTITY].notna().to_numpy()

    def column(self, name: str) -> np.ndarray:
        """Values of a column, shape (rows,)."""
        return self.frame[name].to_numpy()

    def embeddings_of(self, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """Unit embeddings of the rows of such numbers, which rise; without a copy if these are all."""
        return self.embeddings if len(chosen) == self.count else self.embeddings[chosen]

    def part(self, first: int, end: int | None = None) -> "Rows":
        """The rows from one to before another, without copying them."""
        rows = slice(first, end)
        return Rows(self.frame.iloc[rows], self.embeddings[rows], self.norms[rows], self.usable[rows])


def joined_frames(parts: list[Rows]) -> pd.DataFrame:
    """What is known of the images of several parts, one after the other."""
    return parts[0].frame if len(parts) == 1 else pd.concat([part.frame for part in parts], ignore_index=True)


def joined_rows(
    parts: list[Rows], order: npt.NDArray[np.int64] | None = None, frame: pd.DataFrame | None = None
) -> Rows:
    """Rows of several parts, one after the other or in another order.

    Parameters
    ----------
    order : ndarray of int, shape (n,), optional
        Numbers of the rows, counted through all parts, as they shall stand.
    frame : DataFrame of pandas, optional
        From `joined_frames`, where it is at hand.
    """
    frame = joined_frames(parts) if frame is None else frame
    norms = np.concatenate([part.norms for part in parts])
    usable = np.concatenate([part.usable for part in parts])
    if order is None:
        return Rows(frame, np.concatenate([part.embeddings for part in parts]), norms, usable)
    # Each vector is copied once, to where it shall stand, since they are most of what is copied.
    embeddings = np.empty((len(order), parts[0].embeddings.shape[1]), np.float32)
    targets = np.full(len(usable), -1)
    targets[order] = np.arange(len(order))
    first = 0
    for part in parts:
        target = targets[first : first + part.count]
        wanted = target >= 0
        embeddings[target[wanted]] = part.embeddings if wanted.all() else part.embeddings[wanted]
        first += part.count
    return Rows(frame.iloc[order], embeddings, norms[order], usable[order])


class SpilledIdentity:
    """Rows of one identity key, in a file on the worker's disk; iterate over it for parts, as often as needed.

    Rows of one image, which are neighbours, come in one part.

    Parameters
    ----------
    schema : pyarrow.Schema
        Columns of what is known of the images.
    dimension : int
        Length of an embedding.
    """

    def __init__(self, schema: pa.Schema, dimension: int) -> None:
        # Spark's own place for what is too large for memory.
        folder = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives and goes with the object.
        self._schema = schema
        beside = {_EMBEDDING: pa.list_(pa.float32(), dimension), _NORM: pa.float64(), _USABLE: pa.bool_()}
        self._file_schema = pa.schema([*schema, *(pa.field(name, kind) for name, kind in beside.items())])
        self._writer = pa.ipc.new_stream(self._file, self._file_schema)
        self._last_image: Rows | None = None

    def add(self, rows: Rows) -> None:
        """Append rows, at least one."""
        joined = rows if self._last_image is None else joined_rows([self._last_image, rows])
        images = joined.column(schemas.IMAGE_HASH)
        border = int(np.argmax(images == images[-1]))
        self._write(joined.part(0, border))
        # It may go on in the next rows.
        self._last_image = joined_rows([joined.part(border)])

    def complete(self) -> "SpilledIdentity":
        """No more rows will come."""
        if self._last_image is not None:
            self._write(self._last_image)
        self._writer.close()
        return self

    def _write(self, rows: Rows) -> None:
        if rows.count:
            known = pa.RecordBatch.from_pandas(rows.frame, self._schema, preserve_index=False)
            vectors = pa.FixedSizeListArray.from_arrays(rows.embeddings.ravel(), rows.embeddings.shape[1])
            columns = [*known.columns, vectors, pa.array(rows.norms), pa.array(rows.usable)]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._file_schema))

    def __iter__(self) -> Iterator[Rows]:
        self._file.seek(0)
        with pa.ipc.open_stream(self._file) as batches:
            for batch in batches:
                embeddings = batch.column(_EMBEDDING).flatten().to_numpy().reshape(batch.num_rows, -1)
                norms = batch.column(_NORM).to_numpy()
                usable = batch.column(_USABLE).to_numpy(zero_copy_only=False)
                yield Rows(batch.select(self._schema.names).to_pandas(), embeddings, norms, usable)


def whole_identities(
    parts: Iterator[Rows], rows_at_once: int, schema: pa.Schema
) -> Iterator[list[Rows] | SpilledIdentity]:
    """Cut a sorted stream of rows anew so that no identity key is spread over two batches.

    Parameters
    ----------
    parts : iterator of Rows
        The rows of an identity key are neighbours, and in it those of an image.
    rows_at_once : int
        Rows to gather, as far as there are so many.
    schema : pyarrow.Schema
        Columns of the rows' frames.

    Yields
    ------
    list of Rows or SpilledIdentity
        One or more whole identities, in several parts, or one that alone has `rows_at_once` rows. Never more than that
        many rows and two incoming parts are in memory.
    """
    gathered: list[Rows] = []
    count = 0
    parts = (part for part in parts if part.count)
    part = next(parts, None)
    while part is not None:
        gathered.append(part)
        count += part.count
        part = next(parts, None)
        if count < rows_at_once:
            continue
        whole, gathered = _cut_before_last_identity(gathered)
        if whole:
            yield whole
        count = sum(rows.count for rows in gathered)
        if count >= rows_at_once:
            spilled, part = _spilled(gathered, part, parts, schema)
            yield spilled
            gathered, count = [], 0
    if gathered:
        yield gathered


def _spilled(
    gathered: list[Rows], part: Rows | None, parts: Iterator[Rows], schema: pa.Schema
) -> tuple[SpilledIdentity, Rows | None]:
    """The identity that begins with the rows gathered and goes on in `part` and `parts`, and what comes after it."""
    identity_key = _last_identity_key(gathered[-1])
    spilled = SpilledIdentity(schema, gathered[-1].embeddings.shape[1])
    for rows in gathered:
        spilled.add(rows)
    while part is not None:
        count = int((part.column(schemas.IDENTITY_KEY) == identity_key).sum())
        if count:
            spilled.add(part.part(0, count))
        if count < part.count:
            return spilled.complete(), part.part(count)
        part = next(parts, None)
    return spilled.complete(), None


def _cut_before_last_identity(parts: list[Rows]) -> tuple[list[Rows], list[Rows]]:
    """Parts before the rows of the last identity, which may go on in the next part, and parts of these rows."""
    identity_key = _last_identity_key(parts[-1])
    cut = next(number for number, part in enumerate(parts) if _last_identity_key(part) == identity_key)
    border = int(np.argmax(parts[cut].column(schemas.IDENTITY_KEY) == identity_key))
    before = [*parts[:cut], parts[cut].part(0, border)]
    return [part for part in before if part.count], [parts[cut].part(border), *parts[cut + 1 :]]


def _last_identity_key(rows: Rows) -> int:
    return rows.column(schemas.IDENTITY_KEY)[-1]
