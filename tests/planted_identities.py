"""Small lists in which it is known who stands under a wrong name, and who has two."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DIMENSION = 64


class Planted(NamedTuple):
    """Images of persons, some of which stand under the name of another."""

    identities: dict
    """Path to the identity that it stands under."""
    vectors: dict
    """Path to feature."""
    moved: dict
    """Path of an image that stands under a wrong name to the right one."""


def planted(sizes, moved=(), split=(), seed=0, dimension=DIMENSION):
    """Persons p0, p1, ... with so many images each, path ``p3/2.jpg``.

    Parameters
    ----------
    moved : sequence of (str, str)
        Paths, and the names that these images stand under.
    split : sequence of (str, str, int)
        A person, another name, and from which image on it stands under that.
    """
    random = np.random.default_rng(seed)
    identities, vectors = {}, {}
    for person, size in enumerate(sizes):
        centre = random.standard_normal(dimension)
        for image in range(size):
            path, quality = f"p{person}/{image}.jpg", random.uniform(0.45, 0.9)
            noise = random.standard_normal(dimension)
            # The norm tells of the quality, as in some models.
            vectors[path] = (quality * (quality * centre + (1 - quality) * noise)).astype(np.float32)
            identities[path] = f"p{person}"
    for person, name, first in split:
        identities |= {path: name for path, own in identities.items() if own == person and _number(path) >= first}
    right = {path: identities[path] for path, _ in moved}
    identities |= dict(moved)
    return Planted(identities, vectors, right)


def _number(path):
    return int(path.split("/")[1].split(".")[0])


def images_frame(spark, identities):
    return spark.createDataFrame(list(identities.items()), "path string, identity string")


def features_frame(spark, vectors):
    rows = [(path, bytearray(vector.tobytes())) for path, vector in vectors.items()]
    return spark.createDataFrame(rows, "path string, feature binary")


def write_list(path, identities):
    """A Parquet list with identities."""
    pq.write_table(pa.table({"path": list(identities), "identity": list(identities.values())}), path)


def write_features(folder, vectors):
    """Features as a Parquet data set."""
    folder.mkdir()
    rows = {"path": list(vectors), "feature": pa.array([vector.tobytes() for vector in vectors.values()], pa.binary())}
    pq.write_table(pa.table(rows), folder / "part.parquet")
