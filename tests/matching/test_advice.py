"""Whom the job advises to import features anew: those who gave a feature store, which lasts longer than the run."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark.inputs.image_list import check_images, identified_images, read_paths
from fiqa_spark.inputs.open_features import open_features
from fiqa_spark.matching.join import Matching
from fiqa_spark.pipelines.jobs import GenerateLabelsSettings
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.storage import Storage
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


@pytest.mark.parametrize("form", ["store", "matrix.npy"])
def test_advice_to_import_anew_is_for_a_store_and_not_for_that_of_the_run_itself(spark, folder, caplog, form):
    if form == "store":
        imported = run_in(spark, "import_features", *options(source=folder / "tree", dst=folder / "store"))
        assert imported.returncode == 0, imported.stderr
    settings = GenerateLabelsSettings(feature_root=str(folder / form))
    storage, steps = Storage(spark), Steps(spark)
    paths = read_paths(spark, storage, str(folder / "list.parquet"))
    features = open_features(spark, storage, paths, settings, str(folder / "staging"), steps)
    images = identified_images(paths, settings, features.id_key_index)
    with planned_by_identity(spark):
        listed = check_images(images, settings, 10)
        assert not listed.identities_in_keys
        assert Matching(images, features, listed, settings.id_key_index).joined(24).table.count() == len(PATHS)
    assert (ADVICE in caplog.text) == (form == "store")
