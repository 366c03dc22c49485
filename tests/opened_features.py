"""Features as every job opens them, and the vectors that they turn out to be."""

import numpy as np

from fiqa_spark.inputs.open_features import open_features
from fiqa_spark.pipelines.jobs import GenerateLabelsSettings
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.spark_failures import told_to_users
from fiqa_spark.runtime.storage import Storage
from tests.labelling import images_frame


def opened(spark, paths, root, staging, **settings):
    """Features for the images of some paths, or of a list that was read; a store of theirs lies in a folder."""
    images = paths if hasattr(paths, "columns") else images_frame(spark, paths)
    settings = GenerateLabelsSettings(**{"feature_root": str(root), "id_key_index": -2, **settings})
    with told_to_users():
        return open_features(spark, Storage(spark), images, settings, str(staging), Steps(spark))


def vectors_of(features):
    """Key to the bytes of its vector."""
    vectors = {}
    for row in features.table.select("key", "feature").collect():
        assert row.key not in vectors
        is_binary = isinstance(row.feature, (bytes, bytearray))
        vectors[row.key] = bytes(row.feature) if is_binary else np.float32(row.feature).tobytes()
    return vectors
