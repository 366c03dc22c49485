"""Features that are bytes of another type than float32: refused by every job, and read by the name of their type."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.jobs.inputs import PATHS, Inputs, key_of, refused, stored_vectors
from tests.labelling import embeddings_of
from tests.opened_features import opened, vectors_of
from tests.vectors_as_bytes import AS_BYTES

VECTORS = embeddings_of(PATHS)


class BinaryInputs(Inputs):
    """Features as bytes of a type."""

    def write_bytes(self, feature_type):
        content = pa.array([AS_BYTES[feature_type](vector) for vector in VECTORS.values()], pa.binary())
        pq.write_table(pa.table({"path": list(VECTORS), "feature": content}), self.features / "part-0.parquet")


@pytest.fixture
def binary(tmp_path, run_job):
    return BinaryInputs(tmp_path, run_job)


def test_a_job_refuses_bytes_of_another_type(binary):
    binary.write_bytes("float64")
    refused(binary, f"--feature-root {binary.features}: 'feature' is bytes", "--feature-type", "float64")


def test_jobs_take_them_by_the_name_of_their_type_which_does_a_store_no_harm(spark, binary, tmp_path):
    binary.write_bytes("float32")
    words = ["--source", binary.features, "--dst", tmp_path / "store", "--id-key-index", "-2"]
    assert binary.run_job("import_features", *words).returncode == 0
    binary.write_bytes("float64")
    for root in (binary.features, tmp_path / "store"):
        features = opened(spark, PATHS, root, tmp_path / "staging", feature_type="float64")
        assert vectors_of(features) == {key_of(path): vector.tobytes() for path, vector in VECTORS.items()}


@pytest.mark.parametrize("feature_type", ["float16", "npy"])
def test_an_import_refuses_them_too_and_keeps_what_they_hold_as_float32(binary, tmp_path, feature_type):
    binary.write_bytes(feature_type)
    words = ["--source", binary.features, "--dst", tmp_path / "store", "--id-key-index", "-2"]
    result = binary.run_job("import_features", *words)
    assert result.returncode == 2
    assert f"--source {binary.features}: 'feature' is bytes" in result.stderr
    assert feature_type in result.stderr
    assert not (tmp_path / "store").exists()
    result = binary.run_job("import_features", *words, "--feature-type", feature_type)
    assert result.returncode == 0, result.stderr
    assert f"{len(PATHS)} features of length {len(next(iter(VECTORS.values())))}" in result.stdout
    stored = stored_vectors(tmp_path / "store")
    kept = np.float16 if feature_type == "float16" else np.float32
    assert stored == {
        key_of(path): vector.astype(kept).astype(np.float32).tobytes() for path, vector in VECTORS.items()
    }
