"""Faces among which some are unrecognizable, and what the scoring functions make of them, without files."""

from typing import NamedTuple

import numpy as np

from fiqa_spark import RecognizabilitySettings, score_recognizability
from tests.labelling import features_frame, images_frame

DIMENSION = 128
SMALL = {"id_key_index": -2, "cluster_sample": 1000}


class Faces(NamedTuple):
    """Images with known recognizability."""

    vectors: dict
    """Path to vector."""
    unrecognizable: set
    """Paths of the images whose vectors gather in one place."""

    @property
    def paths(self):
        return list(self.vectors)


def planted_faces(*, large=(300, 120), small=60, unrecognizable=45, seed=0):
    """Two images of each of `small` identities, of the first `unrecognizable` of which one is unrecognizable.

    Identities of the sizes `large` have more images than all these together, and are as similar as the unrecognizable.
    """
    random = np.random.default_rng(seed)
    place, vectors, spoiled = random.standard_normal(DIMENSION), {}, set()

    def near(centre, share):
        return (share * centre + (1 - share) * random.standard_normal(DIMENSION)).astype(np.float32)

    for person in range(small):
        centre = random.standard_normal(DIMENSION)
        for number in range(2):
            is_spoiled = number == 1 and person < unrecognizable
            path = f"p{person}/{number}.jpg"
            vectors[path] = near(place, 0.75) if is_spoiled else near(centre, 0.6)
            spoiled |= {path} if is_spoiled else set()
    for person, size in enumerate(large):
        centre = random.standard_normal(DIMENSION)
        for number in range(size):
            vectors[f"large{person}/{number:03d}.jpg"] = near(centre, 0.8)
    return Faces(vectors, spoiled)


def score_rows(spark, paths, vectors, *, ui_centroid=None, **settings):
    """Path to row of the scores."""
    images = paths if hasattr(paths, "columns") else images_frame(spark, paths)
    features = vectors if hasattr(vectors, "columns") else features_frame(spark, vectors)
    settings = RecognizabilitySettings(**{**SMALL, **settings})
    rows = score_recognizability(images, features, settings, ui_centroid).collect()
    assert len({row.path for row in rows}) == len(rows)
    return {row.path: row for row in rows}
