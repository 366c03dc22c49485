"""Synthetic embeddings at any size: long-tailed identities, rows scattered over files."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_ROWS_A_FILE = 50_000
_MEAN_SIZE, _SIGMA, _SIZE_AT_MOST = 20, 1.0, 800


def long_tailed_sizes(images, seed=0):
    """Numbers of images of identities, log-normal with mean 20 and at most 800, that sum up to `images`."""
    random = np.random.default_rng(seed)
    mu = np.log(_MEAN_SIZE) - _SIGMA**2 / 2
    drawn = 1 + random.lognormal(mu, _SIGMA, 2 * images // _MEAN_SIZE + 100).astype(np.int64)
    sizes = np.minimum(drawn, _SIZE_AT_MOST)
    ends = np.cumsum(sizes)
    count = int(np.searchsorted(ends, images)) + 1
    sizes = sizes[:count]
    sizes[-1] -= ends[count - 1] - images
    return sizes


def write_scattered_parquet(folder, sizes, *, dimension, seed=0):
    """Write ``images.txt`` and ``features/*.parquet`` with `path` and `feature` (array<float>), rows in random order.

    Parameters
    ----------
    folder : path
        Left as it is if an earlier call has completed it.
    sizes : ndarray of int64, shape (identities,)
        Number of images of each identity.
    dimension, seed : int

    Returns
    -------
    Path
        The folder.
    """
    folder = pathlib.Path(folder)
    done = folder / "images.txt"
    if done.exists():
        return folder
    (folder / "features").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    order = random.permutation(len(owner))
    centres = random.standard_normal((len(sizes), dimension), dtype=np.float32)
    for first in range(0, len(order), _ROWS_A_FILE):
        rows = order[first : first + _ROWS_A_FILE]
        quality = random.uniform(0.2, 0.9, len(rows)).astype(np.float32)[:, None]
        noise = random.standard_normal((len(rows), dimension), dtype=np.float32)
        vectors = quality * centres[owner[rows]] + (1 - quality) * noise
        column = pa.FixedSizeListArray.from_arrays(vectors.ravel(), dimension).cast(pa.list_(pa.float32()))
        table = pa.table({"path": _stems(owner[rows], number[rows]), "feature": column})
        file = folder / "features" / f"part-{first // _ROWS_A_FILE:05d}.parquet"
        pq.write_table(table, file, compression="none", use_dictionary=False)
    unfinished = folder / "images.txt.unfinished"
    with open(unfinished, "w", encoding="utf-8") as file:
        for first in range(0, len(order), _ROWS_A_FILE):
            rows = order[::-1][first : first + _ROWS_A_FILE]
            file.writelines(f"{stem}.jpg\n" for stem in _stems(owner[rows], number[rows]))
    unfinished.rename(done)
    return folder


def _stems(owner, number):
    return [f"person_{person:07d}/{image:06d}" for person, image in zip(owner.tolist(), number.tolist(), strict=True)]
