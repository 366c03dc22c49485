"""Whom the job advises to import features anew: those who gave a feature store, which lasts longer than the run."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_labels
from tests.jobs.running import options, run_in
from tests.labelling import embeddings_of, paths_of

ADVICE = "the feature store is put together by part"
PATHS = paths_of([4, 3, 5])
NAMES = {path: f"{number:03d}" for number, path in enumerate(PATHS)}


@pytest.fixture
def folder(tmp_path):
    """A flat tree and a matrix, whose names tell no identity, and a list whose column does."""
    vectors = embeddings_of(PATHS)
    (tmp_path / "tree").mkdir()
    for path, vector in vectors.items():
        np.save(tmp_path / "tree" / f"{NAMES[path]}.npy", vector)
    np.save(tmp_path / "matrix.npy", np.array(list(vectors.values())))
    listed = {"path": [f"{NAMES[path]}.jpg" for path in PATHS], "identity": [path.split("/")[0] for path in PATHS]}
    pq.write_table(pa.table(listed), tmp_path / "list.parquet")
    return tmp_path


@pytest.mark.parametrize(("form", "advised"), [("tree", False), ("matrix.npy", False), ("store", True)])
def test_advice_to_import_anew_is_for_stores_alone(spark, folder, form, advised):
    if form == "store":
        imported = run_in(spark, "import_features", *options(source=folder / "tree", dst=folder / "store"))
        assert imported.returncode == 0, imported.stderr
    places = {"image_list_file": folder / "list.parquet", "feature_root": folder / form, "score_dst": folder / "out"}
    result = run_in(spark, "generate_labels", *options(**places, pool_size=50, rounds=2))
    assert result.returncode == 0, result.stderr
    assert (ADVICE in result.stderr) is advised
    assert {row.status for row in read_labels(spark, folder / "out").collect()} == {"ok"}
