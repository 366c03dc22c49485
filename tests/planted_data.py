"""A small data set whose image quality is known, because it was planted."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write_planted_data(folder, *, identities=300, dimension=128, seed=0):
    """Write an image list, features and the planted quality.

    An image of quality q lies between its identity's centre (q = 1) and pure noise (q = 0). Numbers of images are
    unequal; one identity in ten has one image; three features in a thousand are broken and as many are missing.

    Parameters
    ----------
    folder : path
        Where to write ``images.txt``, ``features/part-0.parquet`` and ``quality.csv``.
    identities, dimension, seed : int

    Returns
    -------
    dict of str to int
        Number of images with a label to come (``ok``) and of each fate that hinders one.
    """
    random = np.random.default_rng(seed)
    folder = pathlib.Path(folder)
    (folder / "features").mkdir(parents=True, exist_ok=True)
    sizes = np.minimum(2 + random.lognormal(2.0, 0.9, identities).astype(int), 200)
    sizes[::10] = 1
    owner = np.repeat(np.arange(identities), sizes)
    quality = random.uniform(0.15, 0.95, len(owner))
    centres = _unit(random.standard_normal((identities, dimension)))
    noise = _unit(random.standard_normal((len(owner), dimension)))
    features = (quality[:, None] * centres[owner] + (1 - quality)[:, None] * noise).astype(np.float32)
    place = np.concatenate([np.arange(size) for size in sizes])
    paths = [f"person_{person:04d}/{number:03d}.jpg" for person, number in zip(owner, place, strict=True)]
    fate = _broken(random, features, place)
    _write(folder, paths, features, quality, fate, random.permutation(len(owner)))
    return {name: int((fate == name).sum()) for name in ("ok", "invalid_feature", "missing_feature", "too_few_images")}


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _broken(random, features, place):
    """Break some features in place; what becomes of each image. Only large identities lose any."""
    fate = np.full(len(place), "ok", dtype=object)
    later = np.flatnonzero(place >= 4)
    invalid, missing = np.split(random.choice(later, 2 * max(3, len(place) * 3 // 1000), replace=False), 2)
    features[invalid] = 0
    features[invalid[::2], 0] = np.nan
    fate[invalid], fate[missing] = "invalid_feature", "missing_feature"
    alone = (place == 0) & np.append(place[1:] == 0, True)
    fate[alone] = "too_few_images"
    return fate


def _write(folder, paths, features, quality, fate, order):
    (folder / "images.txt").write_text("".join(f"{paths[i]}\n" for i in order), encoding="utf-8")
    kept = [i for i in order[::-1] if fate[i] != "missing_feature"]
    ends = np.arange(len(kept) + 1, dtype=np.int32) * features.shape[1]
    vectors = pa.ListArray.from_arrays(ends, features[kept].ravel())
    names = [paths[i].removesuffix(".jpg") for i in kept]
    pq.write_table(pa.table({"path": names, "feature": vectors}), folder / "features" / "part-0.parquet")
    rows = [f"{path},{value:.6f}\n" for path, value in zip(paths, quality, strict=True)]
    (folder / "quality.csv").write_text("path,quality\n" + "".join(rows), encoding="utf-8")
