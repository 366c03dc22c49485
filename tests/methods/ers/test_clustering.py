import subprocess
import sys

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from fiqa_spark.errors import SettingsError
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.methods.ers import clustering
from fiqa_spark.methods.ers.clustering import bytes_needed, check_memory, clusters_at


def embeddings_of(count, dimension=6, seed=0):
    """Some close together, some apart."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, count // 8), dimension))
    spread = random.uniform(0.2, 1.5, count)[:, None]
    vectors = centres[random.integers(0, len(centres), count)] + spread * random.standard_normal((count, dimension))
    return unit_embeddings(vectors.astype(np.float32))[0]


def as_sets(clusters):
    return {frozenset(cluster.members.tolist()) for cluster in clusters}


def by_scipy_alone(embeddings, method, threshold):
    labels = fcluster(linkage(pdist(embeddings.astype(np.float64), "cosine"), method), 1 - threshold, "distance")
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


@pytest.mark.lowest_versions
@pytest.mark.parametrize("pairs_at_once", [1, 700, 1 << 21])
@pytest.mark.parametrize("method", ["single", "average", "complete"])
@pytest.mark.parametrize("threshold", [-0.5, 0.3, 0.6, 0.9])
def test_clusters_are_those_of_scipy_whatever_the_size_of_blocks(monkeypatch, method, threshold, pairs_at_once):
    monkeypatch.setattr(clustering, "_PAIRS_AT_ONCE", pairs_at_once)
    embeddings = embeddings_of(150)
    found = clusters_at(embeddings, np.arange(150), method, threshold)
    assert as_sets(found) == by_scipy_alone(embeddings, method, threshold)


@pytest.mark.lowest_versions
def test_the_threshold_itself_joins():
    embeddings = np.array([[1, 0], [0.5, 0.75**0.5], [-1, 0]], np.float32)
    similarity = float(embeddings[0] @ embeddings[1])
    assert as_sets(clusters_at(embeddings, np.arange(3), "single", similarity)) == {frozenset({0, 1}), frozenset({2})}
    above = np.nextafter(np.float32(similarity), np.float32(1))
    assert len(clusters_at(embeddings, np.arange(3), "single", float(above))) == 3


@pytest.mark.lowest_versions
def test_clusters_with_more_identities_come_first_and_tell_their_figures():
    embeddings = np.repeat(np.eye(3, dtype=np.float32), [5, 3, 3], axis=0)
    embeddings[9] = [0, 0.6, 0.8]
    clusters = clusters_at(embeddings, np.array([1, 1, 1, 1, 1, 2, 3, 3, 4, 5, 6]), "single", 0.7)
    assert [(each.images, each.identities) for each in clusters] == [(3, 3), (3, 2), (5, 1)]
    assert clusters[0].members.tolist() == [8, 9, 10]
    # The mean of (0, 0, 1), (0, 0.6, 0.8) and (0, 0, 1) is (0, 0.2, 2.8 / 3).
    assert clusters[0].cohesion == pytest.approx((0.2**2 + (2.8 / 3) ** 2) ** 0.5)
    assert clusters[2].cohesion == pytest.approx(1)


@pytest.mark.lowest_versions
@pytest.mark.parametrize("method", ["single", "average", "complete"])
def test_one_image_is_one_cluster(method):
    assert as_sets(clusters_at(embeddings_of(1), np.zeros(1), method, 0.5)) == {frozenset({0})}


@pytest.mark.lowest_versions
@pytest.mark.parametrize("method", ["single", "average", "complete"])
def test_the_bound_on_memory_is_checked_and_its_way_out_holds(method):
    needed = bytes_needed(20_000, 512, method)
    check_memory(20_000, 512, method, needed)
    with pytest.raises(SettingsError, match=f"cluster_sample: {method} linkage of 20000 images of 512 values") as error:
        check_memory(20_000, 512, method, needed - 1)
    fitting = int(str(error.value).split("; use ")[1].split()[0])
    assert 1 < fitting < 20_000
    check_memory(fitting, 512, method, needed - 1)
    assert ("`linkage` single" in str(error.value)) == (method != "single")


# Each case in a process of its own, forked from one that has loaded what all need.
PEAKS = """
import os, resource, sys
import numpy as np
import scipy.cluster.hierarchy, scipy.sparse.csgraph
from fiqa_spark.methods.ers.clustering import bytes_needed, clusters_at

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

for case in sys.argv[1:]:
    method, count, images = case.split()
    count = int(count)
    if os.fork() == 0:
        random = np.random.default_rng(0)
        vectors = np.ones((count, 64)) if images == "alike" else random.standard_normal((count, 64))
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        before = peak()
        clusters_at(vectors, np.arange(count), method, 0.5)
        print(1024 * (peak() - before) / bytes_needed(count, 64, method), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.lowest_versions
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in the unit of Linux")
def test_memory_stays_below_the_bound():
    # Single linkage holds pairs that are alike, of which there may be none; the others hold all pairs.
    cases = ["single 4000 alike", "average 3000 apart", "complete 3000 apart"]
    line = [sys.executable, "-c", PEAKS, *cases]
    shares = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()
    assert len(shares) == len(cases)
    for case, share in zip(cases, shares, strict=True):
        assert float(share) < 1, case
