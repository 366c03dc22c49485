"""Parquet files as people write them, with vectors that every type of a float holds exactly."""

import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# Quarters are exact in float16.
VECTORS = {f"a/{number}": np.arange(number, number + 6, dtype=np.float32) / 4 for number in range(8)}
PATHS = list(VECTORS)
NANOSECONDS = {"version": "2.6"}
PYARROW = int(pa.__version__.split(".")[0])
# Types, as a schema shows them, that pyarrow has written to Parquet from a version on; all others in every version.
WRITTEN_SINCE = {"halffloat": 15}


def lists_of(kind=None, paths=PATHS):
    return pa.array([VECTORS[path].tolist() for path in paths], kind or pa.list_(pa.float32()))


def half_lists(paths=PATHS):
    values = pa.array(np.concatenate([VECTORS[path] for path in paths]).astype(np.float16))
    return pa.ListArray.from_arrays(np.arange(0, len(values) + 1, 6, dtype=np.int32), values)


def write(folder, name="part-0.parquet", options=None, **columns):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"path": PATHS, "feature": lists_of(), **columns})
    needed = max((version for kind, version in WRITTEN_SINCE.items() if kind in str(table.schema)), default=0)
    if needed > PYARROW:
        pytest.skip(f"pyarrow {pa.__version__} cannot write it, {needed} can")
    pq.write_table(table, folder / name, **NANOSECONDS, **(options or {}))


def of_each(value, kind):
    return pa.array([value] * len(PATHS), kind)


NEEDED_BY_NOBODY = {
    "nanoseconds": of_each(1, pa.timestamp("ns")),
    "nanoseconds of a zone": of_each(1, pa.timestamp("ns", "Europe/Vienna")),
    "time of day": of_each(1, pa.time64("ns")),
    "unsigned": of_each(2**64 - 1, pa.uint64()),
    "half": pa.array(np.ones(len(PATHS), np.float16)),
    "duration": of_each(1, pa.duration("ns")),
    "decimal": of_each(decimal.Decimal(1), pa.decimal256(50, 2)),
    "null": pa.nulls(len(PATHS)),
    "dictionary": of_each("x", pa.string()).dictionary_encode(),
}
