"""Images of rows of a store, whether a worker read the rows or Spark handed them over."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fiqa_spark.inputs.row_images import images_of_batch, images_of_frame, no_images
from tests.on_lowest import on_lowest

DIMENSION = 3
COLUMNS = {
    "key_hashes": pa.list_(pa.int64()),
    "features": pa.binary(),
    "norms": pa.list_(pa.float32()),
    "lengths": pa.list_(pa.int32()),
    "problems": pa.list_(pa.string()),
}
# Of each row the length of each vector.
SOUND = [[3, 3], [3], [3, 3, 3]]
ODD = [[3, 3], [2], [3, 0, 1], [0], [2, 2]]
KINDS = {"float32": "<f4", "int16": "<i2"}


def rows_of(lengths_of_rows, precision):
    """Rows of a store, and the vectors of their images."""
    random, rows, vectors = np.random.default_rng(0), [], []
    for number, lengths in enumerate(lengths_of_rows):
        own = [random.integers(-99, 99, length).astype(KINDS[precision]) for length in lengths]
        vectors += own
        row = {
            "key_hashes": [1000 * number + image for image in range(len(lengths))],
            "features": b"".join(vector.tobytes() for vector in own),
            "norms": random.random(len(lengths)).astype(np.float32).tolist() if precision == "int16" else None,
            "lengths": None if len(set(lengths)) == 1 and lengths[0] else lengths,
            "problems": [None if length else "gone" for length in lengths] if 0 in lengths else None,
        }
        rows.append(row)
    return rows, vectors


def batch_of(rows):
    return pa.RecordBatch.from_pylist(rows, pa.schema(list(COLUMNS.items())))


def frame_of(rows):
    return batch_of(rows).to_pandas().astype(object)


def vectors_in(images):
    flat = images.vectors.reshape(-1)
    return [
        flat[end - length : end].tolist() for end, length in zip(np.cumsum(images.lengths), images.lengths, strict=True)
    ]


def assert_same(one, other):
    for name, value in one._asdict().items():
        np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)


@pytest.mark.parametrize("precision", on_lowest(["float32", "int16"], "int16"))
@pytest.mark.parametrize("lengths", [SOUND, ODD, [[0], [0, 0]]])
def test_images_are_those_of_the_rows(lengths, precision):
    rows, vectors = rows_of(lengths, precision)
    images = images_of_batch(batch_of(rows), np.arange(len(rows)), precision)
    assert images.owners.tolist() == [number for number, row in enumerate(lengths) for _ in row]
    assert images.hashes.tolist() == [one for row in rows for one in row["key_hashes"]]
    assert images.lengths.tolist() == [length for row in lengths for length in row]
    assert images.vectors.dtype == KINDS[precision]
    assert images.vectors.ndim == (2 if lengths is SOUND else 1)
    assert vectors_in(images) == [vector.tolist() for vector in vectors]
    if lengths is SOUND:
        assert images.problems is None
    else:
        assert images.problems.tolist() == [None if length else "gone" for row in lengths for length in row]
    assert_same(images, images_of_frame(frame_of(rows), precision))


@pytest.mark.parametrize("lengths", [SOUND, ODD])
def test_rows_from_the_middle_of_a_batch_and_rows_that_lack_images(lengths):
    rows, _ = rows_of(lengths, "int16")
    some = images_of_batch(batch_of(rows).slice(1, 2), np.array([1, 4]), "int16")
    lacking = dict.fromkeys(COLUMNS)
    frame = frame_of([lacking, rows[1], lacking, lacking, rows[2]])
    assert_same(some, images_of_frame(frame, "int16"))
    assert some.owners.tolist() == [1] * len(lengths[1]) + [4] * len(lengths[2])
    assert_same(images_of_frame(frame_of([lacking, lacking]), "float32"), no_images("float32"))


def test_vectors_are_not_copied_and_those_of_another_length_are_no_direction():
    batch = batch_of(rows_of(SOUND, "float32")[0])
    images = images_of_batch(batch, np.arange(3), "float32")
    stacked = images.stacked(DIMENSION)
    assert stacked.shape == (6, DIMENSION)
    assert np.shares_memory(stacked, np.frombuffer(batch.column("features").buffers()[2], np.float32))
    odd = images_of_batch(batch_of(rows_of(ODD, "float32")[0]), np.arange(5), "float32")
    expected = [vector if len(vector) == DIMENSION else [0] * DIMENSION for vector in vectors_in(odd)]
    assert odd.stacked(DIMENSION).tolist() == expected
    assert not images.stacked(7).any()


@pytest.mark.parametrize("lengths", [SOUND, ODD])
def test_some_of_the_images(lengths):
    images = images_of_frame(frame_of(rows_of(lengths, "int16")[0]), "int16")
    chosen = np.array([4, 0, 3])
    some = images.of(chosen)
    assert vectors_in(some) == [vectors_in(images)[number] for number in chosen]
    for name in ("owners", "hashes", "lengths", "norms"):
        assert getattr(some, name).tolist() == getattr(images, name)[chosen].tolist()
    if images.problems is not None:
        assert some.problems.tolist() == images.problems[chosen].tolist()


def test_rows_that_the_store_lacks_have_norms_of_the_usual_type():
    frame = pd.DataFrame({"key_hashes": [None], "features": [None], "norms": [None], "lengths": [None]})
    assert images_of_frame(frame, "int16").norms.dtype == np.float32
