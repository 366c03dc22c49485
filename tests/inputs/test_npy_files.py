import io
import os
import pathlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.npy_files import open_matrix, read_vector

anywhere = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
dtypes = st.sampled_from(["<f2", "<f4", "<f8", ">f4"])


def saved(tmp_path, array, **options):
    file = tmp_path / "array.npy"
    with file.open("wb") as stream:
        np.lib.format.write_array(stream, array, **options)
    return str(file)


@anywhere
@given(data=st.data(), dtype=dtypes, leading=st.booleans())
def test_vectors_come_back_as_float32(tmp_path, data, dtype, leading):
    array = data.draw(arrays(dtype, st.integers(1, 40)))
    path = saved(tmp_path, array[None] if leading else array)
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_array_equal(read_vector(path), array.astype(np.float32))


@anywhere
@given(data=st.data(), dtype=dtypes, order=st.sampled_from("CF"))
def test_matrices_come_back_row_by_row(tmp_path, data, dtype, order):
    array = data.draw(arrays(dtype, st.tuples(st.integers(1, 9), st.integers(1, 9))))
    matrix = open_matrix(saved(tmp_path, np.asarray(array, order=order)))
    np.testing.assert_array_equal(matrix[[len(array) - 1, 0]], array[[len(array) - 1, 0]])


@anywhere
@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(tmp_path, content):
    file = tmp_path / "any.npy"
    file.write_bytes(content)
    for read in (read_vector, open_matrix):
        with pytest.raises(InputError, match=r"any\.npy"):
            read(str(file))


@anywhere
@given(st.integers(0, 127 + 4 * 8 - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path, kept):
    file = pathlib.Path(saved(tmp_path, np.ones(8, np.float32)))
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(InputError, match="truncated"):
        read_vector(str(file))


def test_what_could_keep_its_reader_waiting_is_refused(tmp_path):
    pipe = tmp_path / "pipe.npy"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero"):
        for read in (read_vector, open_matrix):
            with pytest.raises(InputError, match="a pipe or a device"):
                read(str(path))


def test_a_header_that_promises_more_than_memory_holds_is_refused(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 2**40)})
    (tmp_path / "huge.npy").write_bytes(stream.getvalue())
    with pytest.raises(InputError, match="truncated, 0 of"):
        open_matrix(str(tmp_path / "huge.npy"))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.array([{"a": 1}], dtype=object), "pickled objects"),
        (np.ones(3, int), "dtype int64"),
        (np.ones(3, complex), "dtype complex128"),
        (np.ones((2, 3), np.float32), r"shape \(2, 3\)"),
        (np.float32(1), r"shape \(\)"),
    ],
)
def test_what_is_no_vector_of_floats_is_refused(tmp_path, array, said):
    with pytest.raises(InputError, match=said):
        read_vector(saved(tmp_path, np.asarray(array)))


def test_an_archive_of_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "archive.npz", np.ones(3))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    with pytest.raises(InputError, match="not a "):
        read_vector(str(tmp_path / "archive.npy"))


def test_a_file_that_is_not_there_is_no_input_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_vector(str(tmp_path / "none.npy"))
