"""Trees of .npy files that Spark reads, as it does on HDFS; the same files on a local disk stand in for them here."""

import numpy as np
import pytest

from fiqa_spark.inputs.npy_features import stored_files, stored_tree_features
from fiqa_spark.runtime.sql_conf import planned_for_small_files
from fiqa_spark.runtime.storage import Storage
from tests.vectors_as_bytes import saved

pytestmark = pytest.mark.lowest_versions

VECTOR = np.arange(24, dtype=np.float32)


@pytest.fixture
def tree(tmp_path):
    """Save arrays or bytes as files of a tree."""

    def save(contents):
        for name, content in contents.items():
            file = tmp_path / "tree [1]" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                file.write_bytes(content)
            else:
                np.save(file, content)
        return str(tmp_path / "tree [1]")

    return save


def features_in(spark, root):
    files = stored_files(spark, Storage(spark), root)
    return {row.path: row for row in stored_tree_features(files).collect()}


def test_every_vector_has_its_path_below_the_root(spark, tree):
    vectors = {"anna/1.npy": VECTOR, "bo/x y.v2.npy": VECTOR[None].astype("f8"), "0042/é.npy": VECTOR.astype("f2")}
    found = features_in(spark, tree({**vectors, "anna/readme.txt": b"no feature"}))
    assert found.keys() == vectors.keys()
    for row in found.values():
        assert row.problem is None
        np.testing.assert_array_equal(np.frombuffer(row.feature, "<f4"), VECTOR)


# Contents that are no vector, and what is told of them.
BROKEN = {
    "pickled.npy": (np.array([{"a": 1}], dtype=object), "pickled objects, which are never loaded"),
    "matrix.npy": (np.ones((3, 4)), "shape (3, 4); expected (dimension,)"),
    "integers.npy": (np.ones(4, int), "dtype int64; expected float16"),
    "cut.npy": (b"\x93NUMPY", "not a .npy file, or truncated"),
    "large.npy": (np.ones(70_000, np.float32), "280128 bytes; a file of one vector has 262144 at most"),
    "short.npy": (saved(VECTOR)[:-10], "truncated, 86 of 96 bytes of data; write it again"),
}


def test_what_is_no_vector_has_a_problem_in_its_place_and_hidden_and_empty_files_do_not_count(spark, tree):
    vectors = {"a/1.npy": VECTOR, "b/2.npy": VECTOR}
    uncounted = {"a/empty.npy": b"", "_b/1.npy": VECTOR, "a/.3.npy": VECTOR}
    broken = {f"a/{name}": content for name, (content, _) in BROKEN.items()}
    found = features_in(spark, tree({**vectors, **uncounted, **broken}))
    assert found.keys() == vectors.keys() | broken.keys()
    assert [found[path].problem for path in vectors] == [None, None]
    for name, (_, said) in BROKEN.items():
        row = found[f"a/{name}"]
        assert row.feature is None
        assert row.problem.startswith(f"a/{name}: ")
        assert said in row.problem


def test_small_files_are_read_many_at_a_time(spark, tree):
    root = tree({f"{number % 7}/{number}.npy": VECTOR for number in range(200)})
    with planned_for_small_files(spark):
        files = stored_files(spark, Storage(spark), root)
        assert files.rdd.getNumPartitions() <= 4
        assert files.count() == 200
