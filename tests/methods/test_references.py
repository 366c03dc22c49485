"""Which features a reference is for: how much of its pool's spread they must share."""

import numpy as np
import pandas as pd
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.features import Features
from fiqa_spark.kernels.model_fit import shared_spread
from fiqa_spark.methods.pool import Pool
from fiqa_spark.methods.references import Reference, check_model
from fiqa_spark.runtime.frames_by_arrow import distributed
from tests.conftest import DATA

SHARE = 0.08


def reference_of(embeddings, people):
    embeddings = np.float32(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True))
    pool = Pool(embeddings, tuple(map(str, people)), np.asarray(people, np.int64))
    return Reference("margin", {}, {}, pool, np.empty((0, 0)))


def check(spark, vectors, reference):
    frame = pd.DataFrame({"feature": [np.float32(vector).tobytes() for vector in vectors]})
    check_model(Features(distributed(spark, frame, "feature binary"), -2), reference)


def test_other_people_of_the_model_are_taken_and_those_of_another_are_refused(spark):
    paths = pd.read_csv(DATA / "lfw_sample.csv")["path"]
    features = np.load(DATA / "lfw_sample.npy", allow_pickle=False).astype(np.float32)
    people = np.unique(paths.str.split("/").str[-2], return_inverse=True)[1]
    reference, others = reference_of(features[people % 2 == 0], people[people % 2 == 0]), features[people % 2 == 1]
    check(spark, others, reference)
    with pytest.raises(InputError, match=r"of another model than the reference: .* share 20% or more"):
        # Another model uses other directions.
        check(spark, others[:, np.random.default_rng(0).permutation(128)], reference)


def test_a_large_pool_asks_for_more_of_its_spread_than_a_small_one(spark):
    random = np.random.default_rng(0)
    scale = np.linspace(2, 0.2, 32)
    pool = random.standard_normal((1000, 32)) * scale
    # Partly of the model, so that they share between a fifth and three tenths.
    vectors = random.standard_normal((500, 32)) * np.sqrt(SHARE * scale**2 + (1 - SHARE) * np.mean(scale**2))
    embeddings = np.float32(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    large, small = reference_of(pool, range(1000)), reference_of(pool[:999], range(999))
    for reference in (large, small):
        assert 0.2 < shared_spread(embeddings, reference.pool.embeddings, reference.pool.identity_hashes) < 0.3
    check(spark, vectors, small)
    with pytest.raises(InputError, match="share 30% or more"):
        check(spark, vectors, large)
