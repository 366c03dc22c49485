"""A number for every partition that Spark puts there, so that each gets what is meant for it and nothing else."""

import numpy as np

_SEED = 42
_CANDIDATES = 16


def places(partitions: int) -> np.ndarray:
    """For each of so many partitions a number that a shuffle by it, a bigint, brings there.

    Returns
    -------
    ndarray of int64, shape (partitions,)
    """
    candidates = _CANDIDATES * partitions
    while True:
        numbers = np.arange(candidates, dtype=np.int64)
        found, firsts = np.unique(spark_hashes(numbers).astype(np.int64) % partitions, return_index=True)
        if len(found) == partitions:
            return numbers[firsts]
        candidates *= 4


def spark_hashes(numbers: np.ndarray) -> np.ndarray:
    """What Spark's function ``hash`` gives for numbers: Murmur3 of 64 bits in 32, by which it shuffles.

    Parameters
    ----------
    numbers : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of int32, shape (n,)
    """
    bits = numbers.view(np.uint64)
    hashes = np.full(len(bits), _SEED, np.uint32)
    for part in (bits.astype(np.uint32), (bits >> np.uint64(32)).astype(np.uint32)):
        mixed = _rotated(part * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
        hashes = _rotated(hashes ^ mixed, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    hashes ^= np.uint32(8)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        hashes = (hashes ^ (hashes >> np.uint32(shift))) * np.uint32(factor)
    return hashes.view(np.int32)


def _rotated(bits: np.ndarray, count: int) -> np.ndarray:
    return (bits << np.uint32(count)) | (bits >> np.uint32(32 - count))
