"""What the processor has to do for a label at the least, and what the kernels of the job make of it."""

import os

import numpy as np

from fiqa_spark.kernels.draws import block_start
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.sdd_fiqa import sampled_distances
from tests.benchmarks.at_once import best_seconds
from tests.benchmarks.synthetic_data import long_tailed_sizes

_IMAGES, _BATCHES, _POOL = 32_768, 2, 10_000
_ROUNDS, _COMPARISONS, _SPARE = 12, 24, 2


def floor_microseconds(cores, dimension):
    """Core-microseconds an image of the bare product (images, dimension) @ (dimension, 312)."""
    return 1e6 * best_seconds(cores, _matrix_product, dimension) / (_IMAGES * _BATCHES)


def kernel_microseconds(cores, dimension):
    """Core-microseconds an image of all NumPy work of the job, from raw vectors to means and deviations."""
    return 1e6 * best_seconds(cores, _kernels, dimension) / (_IMAGES * _BATCHES)


def _matrix_product(dimension):
    random = np.random.default_rng(os.getpid())
    images = random.standard_normal((_IMAGES * _BATCHES, dimension), dtype=np.float32)
    others = random.standard_normal((dimension, _ROUNDS * (_COMPARISONS + _SPARE)), dtype=np.float32)
    similarities = np.empty((len(images), others.shape[1]), np.float32)
    return lambda: np.matmul(images, others, out=similarities)


def _kernels(dimension):
    random = np.random.default_rng(os.getpid())
    pool = unit_embeddings(random.standard_normal((_POOL, dimension), dtype=np.float32))[0]
    batches = []
    for number in range(_BATCHES):
        sizes = long_tailed_sizes(_IMAGES, seed=number)
        sizes = sizes[sizes > 1]
        starts = np.sort(block_start(random.integers(-(2**63), 2**63, len(sizes)), _POOL, _COMPARISONS, _ROUNDS))
        batches.append((random.standard_normal((sizes.sum(), dimension), dtype=np.float32), sizes, starts))

    def work():
        for vectors, sizes, starts in batches:
            embeddings, _ = unit_embeddings(vectors)
            options = {"comparisons": _COMPARISONS, "rounds": _ROUNDS}
            distances, _ = sampled_distances(embeddings, sizes, starts, {}, pool, **options)
            distances.mean(axis=1, dtype=np.float64)
            distances.std(axis=1, dtype=np.float64)

    return work
