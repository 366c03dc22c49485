"""Labels whose mates are those of an image's half of its identity, against a plain loop over all pairs of a half."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from pyspark.sql import functions as F
from scipy.stats import wasserstein_distance

from fiqa_spark.inputs import keys
from fiqa_spark.kernels.draws import block_start, inter_positions, intra_positions
from tests.labelling import embeddings_of, images_frame, label_rows, margin_rows, paths_of
from tests.session_settings import session_with

PATHS = paths_of([14, 5, 11, 2, 8, 7])
SEED, COMPARISONS, ROUNDS, POOL = 7, 3, 3, 25
VECTORS = embeddings_of(PATHS)
# Images that a half needs.
LEAST = {"exact": 3, "sampled": 2}


@pytest.fixture(scope="module")
def hashed(spark):
    """Path to the hashes of its key and its identity, and the half of the identity that it falls into."""
    stem, person = F.regexp_replace("path", r"\.jpg$", ""), F.split("path", "/")[0]
    half = F.pmod(keys.seeded_hash(SEED, F.lit("half"), stem), F.lit(2))
    columns = (keys.seeded_hash(SEED, stem), keys.seeded_hash(SEED, person), half)
    return {row[0]: tuple(row)[1:] for row in images_frame(spark, PATHS).select("path", *columns).collect()}


def rows_of(spark, monkeypatch, estimator):
    """Rows of identities of which those with more than 8 images wait on disk."""
    monkeypatch.setattr("fiqa_spark.methods.sdd_fiqa.distances._BYTES_AT_ONCE", 4 * 24 * 8)
    settings = {"seed": SEED, "fix_num": COMPARISONS, "rounds": ROUNDS, "pool_size": POOL, "estimator": estimator}
    with session_with(spark, {"spark.sql.execution.arrow.maxRecordsPerBatch": "3"}):
        return label_rows(spark, PATHS, VECTORS, half_mates=True, min_images=LEAST[estimator], **settings)


def compared(image, mates, own, first, estimator):
    """Of each round the mates and the places of the strangers that an image meets."""
    if estimator == "exact":
        yield [mate for mate in mates if mate != image], np.setdiff1d(np.arange(POOL), own)
        return
    intra = intra_positions(len(mates), COMPARISONS, ROUNDS)
    inter = inter_positions(block_start(first, POOL, COMPARISONS, ROUNDS), own, POOL, COMPARISONS, ROUNDS)
    for number in range(ROUNDS):
        drawn = [mates[place] for place in intra[number % len(intra)] if mates[place] != image]
        yield drawn[: min(COMPARISONS, len(mates) - 1)], inter[number % len(inter)]


@pytest.mark.parametrize("estimator", ["exact", "sampled"])
def test_mates_are_those_of_the_half_and_strangers_those_of_other_identities(spark, monkeypatch, hashed, estimator):
    rows = rows_of(spark, monkeypatch, estimator)
    embeddings = {path: vector / np.linalg.norm(vector.astype(float)) for path, vector in VECTORS.items()}
    in_order = sorted(PATHS, key=lambda path: hashed[path][0])
    pool = in_order[:POOL]
    halves = defaultdict(list)
    for path in in_order:
        halves[path.split("/")[0], hashed[path][2]].append(path)
    assert {1, 2} < {len(mates) for mates in halves.values()}
    for (person, _), mates in halves.items():
        own = np.array([place for place, path in enumerate(pool) if path.startswith(f"{person}/")], np.intp)
        for image in mates:
            if len(mates) < LEAST[estimator]:
                assert (rows[image].status, rows[image].label) == ("too_few_images", None)
                continue
            distances = []
            for others, strangers in compared(image, mates, own, hashed[image][1], estimator):
                mated = [embeddings[image] @ embeddings[other] for other in others]
                non_mated = [embeddings[image] @ embeddings[pool[place]] for place in strangers]
                distances.append(wasserstein_distance(mated, non_mated))
                assert (rows[image].intra_count, rows[image].inter_count) == (len(mated), len(non_mated))
            assert rows[image].distance == pytest.approx(np.mean(distances), abs=2e-6)


def test_margins_have_the_same_halves(spark, hashed):
    sizes = Counter((path.split("/")[0], hashed[path][2]) for path in PATHS)
    rows = margin_rows(spark, PATHS, VECTORS, half_mates=True, seed=SEED)
    assert {path: row.mates for path, row in rows.items()} == {
        path: sizes[path.split("/")[0], hashed[path][2]] - 1 for path in PATHS
    }
