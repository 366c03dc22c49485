"""Vectors as bytes: of which type their values are, and whether bytes that pass for float32 can be that."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, StringType, StructField, StructType

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.npy_files import vector_in
from fiqa_spark.inputs.settings import ELEMENT_TYPES, FLOAT32, NPY
from fiqa_spark.runtime.workers import in_worker

_NPY_MAGIC = b"\x93NUMPY"
# Vectors looked at: enough values to tell, few enough to cost nothing.
_LOOKED_AT = 64
# Between the tenth of the values that are smallest by magnitude and the tenth that are largest lies a factor of some 15
# for embeddings, of a thousand million or more for bytes of another type.
_WIDEST_SPREAD = 1e6
_SMALLEST, _LARGEST = 1e-20, 1e20
# The lower halves of float32 numbers are random bits, and as bfloat16 lie anywhere from 1e-38 to 1e38. Those of two
# bfloat16 numbers side by side are such numbers themselves, as large as the upper ones.
_WIDEST_OF_HALVES, _FARTHEST_HALVES = 1e5, 1e3
_FEWEST_HALVES = 32


def as_float32(table: DataFrame, feature_type: str) -> DataFrame:
    """The same rows with `feature`, bytes of any type, as bytes of little-endian float32.

    Parameters
    ----------
    table : DataFrame
        `feature` (binary), and perhaps `problem`.
    feature_type : {"float32", "float64", "float16", "npy"}
        Type of the values, little-endian; ``npy`` is what ``numpy.save`` writes, which tells the type itself.

    Returns
    -------
    DataFrame
        With `problem`: why bytes are no vector of that type; `feature` is null there.
    """
    if feature_type == FLOAT32:
        return table
    if schemas.PROBLEM not in table.columns:
        table = table.withColumn(schemas.PROBLEM, F.lit(None).cast("string"))
    types = {schemas.FEATURE: BinaryType(), schemas.PROBLEM: StringType()}
    fields = [StructField(item.name, types.get(item.name, item.dataType)) for item in table.schema]

    @in_worker
    def convert(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            read = [_vector_or_problem(vector, feature_type) for vector in frame[schemas.FEATURE]]
            found = pd.DataFrame(read, index=frame.index, columns=[schemas.FEATURE, schemas.PROBLEM], dtype=object)
            frame[schemas.FEATURE] = found[schemas.FEATURE]
            known = frame[schemas.PROBLEM]
            frame[schemas.PROBLEM] = known.where(known.notna(), found[schemas.PROBLEM])
            yield frame

    return table.mapInPandas(convert, StructType(fields))


def _vector_or_problem(content: bytes | None, feature_type: str) -> tuple[bytes | None, str | None]:
    """(vector as float32 bytes, None), (None, problem), or (None, None) for none."""
    if content is None:
        return None, None
    try:
        return _values(content, feature_type).astype("<f4").tobytes(), None
    except (InputError, ValueError) as error:
        return None, str(error)


def _values(content: bytes, feature_type: str) -> npt.NDArray[np.floating]:
    if feature_type == NPY:
        return vector_in(bytes(content), "feature")
    dtype = np.dtype(feature_type).newbyteorder("<")
    if len(content) % dtype.itemsize:
        raise InputError(f"{len(content)} bytes are no whole number of {feature_type} values")
    with np.errstate(over="ignore"):
        return np.frombuffer(content, dtype).astype(np.float32)


def check_first_are_float32(table: DataFrame, **blame: str) -> None:
    """Raise InputError where the first features of a table are bytes that cannot be float32, see `check_are_float32`.

    Parameters
    ----------
    table : DataFrame
        `feature`, of any type that holds vectors.
    """
    feature = F.col(schemas.FEATURE)
    if isinstance(table.schema[schemas.FEATURE].dataType, BinaryType):
        first = table.select(feature).where(feature.isNotNull()).head(_LOOKED_AT)
        check_are_float32([row[0] for row in first], **blame)


def check_are_float32(vectors: Iterable[object], **blame: str) -> None:
    """Raise InputError for bytes that cannot be embeddings of float32 values.

    Bytes of other types read as float32 give numbers over tens of orders of magnitude, and labels that mean nothing.

    Parameters
    ----------
    vectors : iterable
        Some features; those that are not bytes are not looked at.
    **blame
        Facts for the error: the `setting` or `path` that the features come from.
    """
    content = [bytes(vector) for vector, _ in zip(_of_bytes(vectors), range(_LOOKED_AT), strict=False)]
    saved = sum(vector.startswith(_NPY_MAGIC) for vector in content)
    if 2 * saved > len(content):
        raise InputError("'feature' is bytes that numpy.save wrote", remedy="give `feature_type` npy", **blame)
    values = np.concatenate([np.empty(0, "<f4"), *(_whole_values(vector) for vector in content)])
    magnitudes = np.abs(values[np.isfinite(values) & (values != 0)].astype(np.float64))
    if not len(magnitudes):
        return
    low, middle, high = np.quantile(magnitudes, (0.1, 0.5, 0.9))
    if high > _WIDEST_SPREAD * low or not _SMALLEST < middle < _LARGEST:
        others = " or ".join(name for name in ELEMENT_TYPES if name not in (FLOAT32, NPY))
        raise InputError(
            f"'feature' is bytes, which read as float32 are values from {low:.3g} to {high:.3g}; no embedding has such",
            remedy=f"give `feature_type` {others}, whichever they are, or write array<float>",
            **blame,
        )
    if _are_pairs_of_bfloat16(values, middle):
        raise InputError(
            "'feature' is bytes of bfloat16 values, not of float32",
            remedy="write array<float>, or float32 bytes",
            **blame,
        )


def _are_pairs_of_bfloat16(values: npt.NDArray[np.float32], middle: float) -> bool:
    """Whether the lower half of each value, a bfloat16, is of the size of the values, whose median is `middle`."""
    halves = (values.view("<u4") << np.uint32(16)).view("<f4")
    magnitudes = np.abs(halves[np.isfinite(halves) & (halves != 0)].astype(np.float64))
    if len(magnitudes) < max(_FEWEST_HALVES, len(values) // 4):
        return False
    low, typical, high = np.quantile(magnitudes, (0.1, 0.5, 0.9))
    return high < _WIDEST_OF_HALVES * low and 1 / _FARTHEST_HALVES < typical / middle < _FARTHEST_HALVES


def _of_bytes(vectors: Iterable[object]) -> Iterator[bytes]:
    return (bytes(vector) for vector in vectors if isinstance(vector, (bytes, bytearray)))


def _whole_values(content: bytes) -> npt.NDArray[np.float32]:
    return np.frombuffer(content[: len(content) // 4 * 4], "<f4")
