"""Reading of .npy files that come from anywhere: never unpickled, never trusted about their size."""

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from fiqa_spark.errors import InputError

_HEADER_READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
# Shape, whether the columns lie one after the other, and type of the values.
_Header = tuple[tuple[int, ...], bool, np.dtype]


def read_vector(path: str) -> npt.NDArray[np.float32]:
    """The one vector of a .npy file.

    Parameters
    ----------
    path : str
        File with an array of shape (dimension,) or (1, dimension), float16, float32 or float64.

    Returns
    -------
    ndarray of float32, shape (dimension,)

    Raises
    ------
    InputError
        If the file is pickled, truncated, or holds anything but one vector of floats.
    FileNotFoundError
        If there is no such file.
    """
    with _opened(path) as file:
        return _vector(file, os.fstat(file.fileno()).st_size, path)


def vector_in(content: bytes, path: str) -> npt.NDArray[np.float32]:
    """The one vector in the whole content of a .npy file, see `read_vector`; `path` is for errors alone.

    Returns
    -------
    ndarray of float32, shape (dimension,)
    """
    return _vector(io.BytesIO(content), len(content), path)


def declared_shape(head: bytes, path: str) -> tuple[int, ...]:
    """Shape of a .npy file as its first bytes tell it.

    Raises
    ------
    InputError
        If they are not those of a .npy file.
    """
    return _header(io.BytesIO(head), path)[0]


def _vector(file: BinaryIO, size: int, path: str) -> npt.NDArray[np.float32]:
    shape, _, dtype = _sound_header(file, size, path)
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[0] != 1):
        raise InputError(f"shape {shape}; expected (dimension,) or (1, dimension)", path=path)
    values = np.frombuffer(file.read(int(np.prod(shape)) * dtype.itemsize), dtype)
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def open_matrix(path: str) -> np.memmap:
    """Memory map of a .npy matrix.

    Parameters
    ----------
    path : str
        File with an array of shape (rows, dimension), float16, float32 or float64.

    Returns
    -------
    memmap of float, shape (rows, dimension)

    Raises
    ------
    InputError
        If the file is pickled, truncated, or holds anything but a matrix of floats.
    """
    with _opened(path) as file:
        shape, fortran_order, dtype = _sound_header(file, os.fstat(file.fileno()).st_size, path)
        if len(shape) != 2 or 0 in shape:
            raise InputError(f"shape {shape}; expected (rows, dimension)", path=path)
        return np.memmap(file, dtype, "r", file.tell(), shape, "F" if fortran_order else "C")


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """The file, unless it is a pipe or a device, which could keep its reader waiting for ever."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InputError("a pipe or a device, not a .npy file", path=path)
        yield file


def _header(file: BinaryIO, path: str) -> _Header:
    """Shape, order and dtype, with the file at the first value."""
    try:
        version = npy_format.read_magic(file)
        return _HEADER_READERS[version](file)
    except (ValueError, KeyError) as error:
        raise InputError(f"not a .npy file, or truncated ({_one_line(error)})", path=path) from None


def _sound_header(file: BinaryIO, size: int, path: str) -> _Header:
    """The same, if the dtype is one of floats and the file holds as many bytes as it says."""
    shape, fortran_order, dtype = _header(file, path)
    if dtype.hasobject:
        remedy = "save it as a float array"
        raise InputError("holds pickled objects, which are never loaded", path=path, remedy=remedy)
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise InputError(f"dtype {dtype}; expected float16, float32 or float64", path=path)
    present = size - file.tell()
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if present < expected:
        raise InputError(f"truncated, {present} of {expected} bytes of data", path=path, remedy="write it again")
    return shape, fortran_order, dtype


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
