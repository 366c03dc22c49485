"""The labels of a whole run against a plain loop that shares nothing with the kernels but the draws."""

import numpy as np
import pytest
from pyspark.sql import functions as F
from scipy.stats import chisquare, spearmanr, wasserstein_distance

from fiqa_spark.inputs import keys
from fiqa_spark.kernels.draws import block_start, inter_positions, intra_positions
from tests.labelling import embeddings_of, features_frame, images_frame, label_rows, paths_of

PATHS = paths_of([12, 2, 9, 5])
COMPARISONS, ROUNDS, POOL = 4, 3, 20


def hashes(spark, seeds, texts):
    """(seed, text) to hash, as the jobs compute it."""
    table = spark.createDataFrame([(text,) for text in texts], "text string")
    for seed in seeds:
        for row in table.select("text", keys.seeded_hash(seed, F.col("text")).alias("hash")).collect():
            yield (seed, row.text), row.hash


def unit(vectors):
    return {path: vector / np.linalg.norm(vector.astype(float)) for path, vector in vectors.items()}


def test_distances_are_those_of_a_plain_loop(spark):
    stems = {path: path.removesuffix(".jpg") for path in PATHS}
    order = dict(hashes(spark, [7], [*stems.values(), "p0", "p1", "p2", "p3"]))
    in_hash_order = sorted(PATHS, key=lambda path: order[7, stems[path]])
    pool = in_hash_order[:POOL]
    embeddings = unit(embeddings_of(PATHS))
    # A path that occurs twice is one image.
    listed, settings = [*PATHS, *PATHS[:7]], {"fix_num": COMPARISONS, "rounds": ROUNDS, "pool_size": POOL}
    rows = label_rows(spark, listed, embeddings_of(PATHS), seed=7, **settings)
    assert rows.keys() == set(PATHS)
    for person in ("p0", "p1", "p2", "p3"):
        mates = [path for path in in_hash_order if path.startswith(f"{person}/")]
        own = np.array([place for place, path in enumerate(pool) if path.startswith(f"{person}/")], np.intp)
        intra = intra_positions(len(mates), COMPARISONS, ROUNDS)
        start = block_start(order[7, person], POOL, COMPARISONS, ROUNDS)
        inter = inter_positions(start, own, POOL, COMPARISONS, ROUNDS)
        for image in mates:
            distances = []
            for number in range(ROUNDS):
                others = [mates[place] for place in intra[number % len(intra)] if mates[place] != image]
                strangers = [pool[place] for place in inter[number % len(inter)]]
                compared = others[: min(COMPARISONS, len(mates) - 1)]
                mated = [embeddings[image] @ embeddings[other] for other in compared]
                distances.append(wasserstein_distance(mated, [embeddings[image] @ embeddings[s] for s in strangers]))
            assert rows[image].distance == pytest.approx(np.mean(distances), abs=2e-6)
            assert rows[image].distance_std == pytest.approx(np.std(distances), abs=2e-6)


def test_the_hash_of_seed_and_key_puts_every_image_at_every_place_equally_often(spark):
    stems = [f"person_{number % 7}/img_{number:03d}" for number in range(21)]
    seeds = 400
    table = images_frame(spark, stems).crossJoin(spark.range(seeds).withColumnRenamed("id", "seed"))
    found = table.select("path", "seed", F.xxhash64(F.col("seed"), "path").alias("hash")).toPandas()
    assert dict(hashes(spark, [3], stems))[3, stems[0]] == int(
        found[(found.path == stems[0]) & (found.seed == 3)]["hash"].iloc[0]
    )
    places = found.sort_values("hash").assign(place=lambda frame: frame.groupby("seed").cumcount())
    for place in (0, 10, 20):
        counts = places[places.place == place].groupby("path").size().reindex(stems, fill_value=0)
        assert chisquare(counts).pvalue > 1e-4


# At least so many images have a label, and so high is Spearman's rank correlation of sampled and exact labels.
FOLLOWS = {"sample": (400, 0.9995), "whole": (4001, 0.9975)}


def test_sampled_labels_of_real_faces_follow_the_exact_ones(spark, real_faces):
    paths, features = real_faces.paths, real_faces.features
    vectors = features_frame(spark, dict(zip(paths, features, strict=True))).cache()
    settings = {"fix_num": 24, "rounds": 12, "pool_size": 10_000}
    persons = np.array([path.split("/")[-2] for path in paths])
    largest = int(np.unique(persons, return_counts=True)[1].max())
    # Its labels depend on no draw, not even of mates that are no more than count.
    exact = label_rows(spark, paths, vectors, estimator="exact", seed=9, intra_pool_size=largest, **settings)
    labelled = [path for path in paths if exact[path].label is not None]
    labelled_at_least, statistic_at_least = FOLLOWS[real_faces.name]
    assert len(labelled) >= labelled_at_least
    sampled = label_rows(spark, paths, vectors, seed=1, **settings)
    follows = spearmanr([sampled[path].label for path in labelled], [exact[path].label for path in labelled])
    assert follows.statistic >= statistic_at_least
    vectors.unpersist()
    embeddings = features.astype(float) / np.linalg.norm(features.astype(float), axis=1, keepdims=True)
    for place in range(0, len(paths), 40):
        if exact[paths[place]].label is None:
            continue
        similarities = embeddings @ embeddings[place]
        mates = persons == persons[place]
        strangers = ~mates
        mates[place] = False
        expected = wasserstein_distance(similarities[mates], similarities[strangers])
        row = exact[paths[place]]
        assert (row.distance, row.distance_std) == (pytest.approx(expected, abs=1e-5), 0)
        assert (row.intra_count, row.inter_count) == (mates.sum(), strangers.sum())
        assert len(row.round_labels) == 1
