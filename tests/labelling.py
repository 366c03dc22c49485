"""Small inputs for the labelling functions, and what comes out of them, without files."""

import numpy as np

from fiqa_spark import LabelSettings, MarginSettings, generate_labels

DIMENSION = 24
SMALL = {"id_key_index": -2, "fix_num": 4, "rounds": 3, "pool_size": 40}


def embeddings_of(paths, seed=0):
    """Path to vector: close to a centre of its folder, by a random amount."""
    random = np.random.default_rng(seed)
    centres = {}
    vectors = {}
    for path in paths:
        centre = centres.setdefault(path.split("/")[0], random.standard_normal(DIMENSION))
        share = random.uniform(0.2, 0.9)
        vectors[path] = (share * centre + (1 - share) * random.standard_normal(DIMENSION)).astype(np.float32)
    return vectors


def paths_of(sizes):
    """Paths of identities p0, p1, ... with these numbers of images."""
    return [f"p{person}/{number}.jpg" for person, size in enumerate(sizes) for number in range(size)]


def images_frame(spark, paths):
    return spark.createDataFrame([(path,) for path in paths], "path string")


def features_frame(spark, vectors):
    """Features as array<float>; a value that is no vector becomes null."""
    rows = [(path, None if vector is None else [float(value) for value in vector]) for path, vector in vectors.items()]
    return spark.createDataFrame(rows, "path string, feature array<float>")


def label_rows(spark, paths, vectors, **settings):
    """Path to row of the SDD-FIQA labels."""
    return _rows(spark, paths, vectors, LabelSettings(**{**SMALL, **settings}))


def margin_rows(spark, paths, vectors, **settings):
    """Path to row of the margin labels."""
    return _rows(spark, paths, vectors, MarginSettings(**{"id_key_index": -2, **settings}))


def _rows(spark, paths, vectors, settings):
    images = paths if hasattr(paths, "columns") else images_frame(spark, paths)
    features = vectors if hasattr(vectors, "columns") else features_frame(spark, vectors)
    rows = generate_labels(images, features, settings).collect()
    assert len({row.path for row in rows}) == len(rows)
    return {row.path: row for row in rows}
