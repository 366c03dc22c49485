"""Reading of .npy files that come from anywhere: never unpickled, never trusted about their size."""

import os

import numpy as np
from numpy.lib import format as npy_format

from fiqa_spark.errors import InputError

_HEADER_READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


def read_vector(path):
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
    with open(path, "rb") as file:
        shape, _, dtype = _header(file, path)
        if len(shape) not in (1, 2) or (len(shape) == 2 and shape[0] != 1):
            raise InputError(f"{path}: shape {shape}; expected (dimension,) or (1, dimension)")
        values = np.fromfile(file, dtype, count=int(np.prod(shape)))
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def open_matrix(path):
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
    with open(path, "rb") as file:
        shape, fortran_order, dtype = _header(file, path)
        if len(shape) != 2 or 0 in shape:
            raise InputError(f"{path}: shape {shape}; expected (rows, dimension)")
        return np.memmap(file, dtype, "r", file.tell(), shape, "F" if fortran_order else "C")


def _header(file, path):
    """Shape, order and dtype, with the file at the first value; the size that they ask for is in the file."""
    try:
        version = npy_format.read_magic(file)
        shape, fortran_order, dtype = _HEADER_READERS[version](file)
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}: not a .npy file, or truncated ({_one_line(error)})") from None
    if dtype.hasobject:
        raise InputError(f"{path}: holds pickled objects, which are never loaded; save it as a float array")
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise InputError(f"{path}: dtype {dtype}; expected float16, float32 or float64")
    present = os.fstat(file.fileno()).st_size - file.tell()
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if present < expected:
        raise InputError(f"{path}: truncated, {present} of {expected} bytes of data; write it again")
    return shape, fortran_order, dtype


def _one_line(error):
    return " ".join(str(error).split())[:200]
