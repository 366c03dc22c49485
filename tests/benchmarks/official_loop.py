"""A plain loop with the cost of the official code: two scans of all images an identity and round, one process."""

import time

import numpy as np
from scipy.stats import wasserstein_distance

_ROUNDS, _COMPARISONS = 12, 24


def label_by_loop(identities, embeddings, seed=0):
    """Mean of the min-max scaled W1 distances over 12 rounds, image by image.

    Parameters
    ----------
    identities : list of str, length n
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.

    Returns
    -------
    ndarray of float64, shape (n,)
        Labels from 0 to 100; NaN for an identity with one image.
    """
    random = np.random.default_rng(seed)
    labels = np.zeros(len(identities))
    for _ in range(_ROUNDS):
        distances = np.full(len(identities), np.nan)
        for person in dict.fromkeys(identities):
            mates = [place for place, identity in enumerate(identities) if identity == person]
            strangers = [place for place, identity in enumerate(identities) if identity != person]
            for image in mates if len(mates) > 1 else []:
                others = [place for place in mates if place != image]
                intra = random.choice(others, min(_COMPARISONS, len(others)), replace=False)
                inter = random.integers(0, len(strangers), _COMPARISONS)
                mated = [embeddings[image] @ embeddings[place] for place in intra]
                non_mated = [embeddings[image] @ embeddings[strangers[place]] for place in inter]
                distances[image] = wasserstein_distance(mated, non_mated)
        low, high = np.nanmin(distances), np.nanmax(distances)
        labels += 100 * (distances - low) / (high - low)
    return labels / _ROUNDS


def loop_seconds(sizes, dimension):
    """Wall and processor time of the loop on random embeddings of identities with these numbers of images."""
    random = np.random.default_rng(0)
    identities = [f"person_{person:07d}" for person in np.repeat(np.arange(len(sizes)), sizes).tolist()]
    vectors = random.standard_normal((len(identities), dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    begin, processor = time.perf_counter(), time.process_time()
    label_by_loop(identities, vectors)
    return time.perf_counter() - begin, time.process_time() - processor
