"""The UI centroid: the direction in which unrecognizable images gather, found by clustering, of a list, or read."""

import io
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.npy_files import vector_in
from fiqa_spark.inputs.vectors import stack_vectors, vector_lengths
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.ers import mean_direction
from fiqa_spark.matching.sample import UsableImages
from fiqa_spark.methods.ers.clustering import Cluster, clusters_at
from fiqa_spark.methods.ers.settings import RecognizabilitySettings
from fiqa_spark.runtime.storage import Storage
from fiqa_spark.runtime.workers import in_worker

CENTROID_FILE = "ui_centroid.npy"

# A smaller group is no sign of a place where unrecognizable images gather.
_IMAGES_AT_LEAST, _SHARE_AT_LEAST, _IDENTITIES_AT_LEAST = 30, 0.001, 10
# A centroid to which images in general are that similar, compared with its own, says nothing of recognizability.
_TOO_COMMON = 0.8
_CENTROID_BYTES_AT_MOST = 1 << 20
_UNIT = 1e-6
_SUMS = "length int, images long, usable long, total binary"

_log = logging.getLogger("fiqa_spark")


class UiCentroid(NamedTuple):
    """A UI centroid and where it comes from."""

    vector: np.ndarray
    """Unit vector, float32, shape (dimension,)."""
    provenance: dict[str, Any]
    """JSON-ready."""


def found_centroid(sample: UsableImages, settings: RecognizabilitySettings) -> UiCentroid:
    """The centroid of the cluster with the most distinct identities in a sample.

    Images of one person are similar as well, so that neither the largest cluster nor an uncapped sample would do
    (arXiv 2106.04112, section 3, takes the largest).

    Parameters
    ----------
    sample : UsableImages
        With few images of an identity.

    Raises
    ------
    InputError
        If no cluster has enough images and identities.
    """
    embeddings = sample.embeddings
    identities = sample.frame[schemas.IDENTITY_HASH].to_numpy(np.int64)
    clusters = clusters_at(embeddings, identities, settings.linkage, settings.cluster_threshold)
    images_at_least = max(_IMAGES_AT_LEAST, int(np.ceil(_SHARE_AT_LEAST * len(embeddings))))
    large = [one for one in clusters if one.images >= images_at_least and one.identities >= _IDENTITIES_AT_LEAST]
    drawn = {"images": len(embeddings), "identities": len(np.unique(identities))}
    if not large:
        raise _no_cluster(clusters, drawn, images_at_least, settings)
    chosen = large[0]
    vector = mean_direction(embeddings[chosen.members].mean(axis=0, dtype=np.float64))
    similarity_of_all = float(embeddings.mean(axis=0, dtype=np.float64) @ vector)
    warn_if_common(chosen.cohesion, similarity_of_all, "raise --cluster-threshold")
    others = [one for one in clusters if one is not chosen]
    return UiCentroid(
        vector,
        {
            "source": "clustering",
            "sample": {**drawn, "mean_similarity": similarity_of_all},
            "clusters": len(clusters),
            "cluster": _figures(chosen),
            "next_largest": _figures(others[0]) if others else None,
        },
    )


def warn_if_common(cohesion: float, similarity_of_all: float, way_out: str) -> None:
    """Warn where images in general are hardly less similar to a centroid than its own images are.

    Parameters
    ----------
    cohesion : float
        Mean similarity of its own images to the centroid.
    similarity_of_all : float
        Mean similarity of all images, or of a sample of them.
    way_out : str
        What to do then.
    """
    if similarity_of_all >= _TOO_COMMON * cohesion:
        _log.warning(
            "the UI centroid lies close to the mean of all embeddings: the mean similarity of all images to it is "
            "%.3f, that of its own images %.3f; scores may say little, %s",
            *(similarity_of_all, cohesion, way_out),
        )


def _figures(cluster: Cluster) -> dict[str, Any]:
    return {"images": cluster.images, "identities": cluster.identities, "cohesion": cluster.cohesion}


def _no_cluster(
    clusters: list[Cluster], drawn: dict[str, int], images_at_least: int, settings: RecognizabilitySettings
) -> InputError:
    largest = clusters[0]
    could_be = drawn["images"] >= images_at_least and drawn["identities"] >= _IDENTITIES_AT_LEAST
    other = f"lower it, raise `cluster_sample` {settings.cluster_sample}, or " if could_be else "as these are too few, "
    return InputError(
        f"no cluster of unrecognizable images: the one with the most identities among {drawn['images']} images of "
        f"{drawn['identities']} identities has {largest.images} images of {largest.identities} identities "
        f"(cohesion {largest.cohesion:.3f}), and {images_at_least} images of "
        f"{_IDENTITIES_AT_LEAST} identities are needed",
        setting="cluster_threshold",
        value=settings.cluster_threshold,
        remedy=f"{other}give `ui_list_file` or `ui_centroid`",
    )


def read_centroid(storage: Storage, path: str) -> UiCentroid:
    """The centroid that an earlier run wrote, or any other vector in a .npy file.

    Raises
    ------
    InputError
        If there is no such file, or it holds anything but one vector with a direction.
    """
    if storage.is_folder(path):
        raise InputError("is a folder", path=path, remedy=f"give the file, such as {CENTROID_FILE} in it")
    if not storage.exists(path):
        raise InputError("no such file", path=path, remedy=f"give the {CENTROID_FILE} of an earlier run")
    content = storage.head(path, _CENTROID_BYTES_AT_MOST)
    return given_centroid(vector_in(content, path), {"source": "file", "path": storage.qualified(path)}, path=path)


def given_centroid(vector: ArrayLike, provenance: dict[str, Any], **blame: str) -> UiCentroid:
    """A vector as a centroid; one of unit length stays as it is, so that the scores are those of the earlier run.

    Parameters
    ----------
    **blame
        Facts for an error: the `setting` or `path` that it comes from.

    Raises
    ------
    InputError
        If it is not one vector with a direction.
    """
    try:
        direction = np.asarray(vector, np.float32)
    except (TypeError, ValueError):
        remedy = f"give an array, such as numpy.load({CENTROID_FILE!r})"
        raise InputError("is no vector of numbers", remedy=remedy, **blame) from None
    if direction.ndim != 1:
        raise InputError(f"shape {direction.shape}; expected (dimension,)", **blame)
    vectors, usable = unit_embeddings(direction[None])
    if not usable[0]:
        raise InputError("is zero or not finite", remedy="give a vector that has a direction", **blame)
    is_unit = abs(np.linalg.norm(direction.astype(np.float64)) - 1) <= _UNIT
    return UiCentroid(direction if is_unit else vectors[0], provenance)


def centroid_bytes(centroid: UiCentroid) -> bytes:
    """Content of a .npy file, float32, shape (dimension,)."""
    content = io.BytesIO()
    np.save(content, centroid.vector)
    return content.getvalue()


def centroid_of_images(images: DataFrame, features: Features, path: str) -> UiCentroid:
    """The centroid of the images of a list.

    Parameters
    ----------
    images : DataFrame
        `key`, `key_hash` and `identity`.
    features : Features
    path : str
        Where the list is.

    Raises
    ------
    InputError
        If none of them has a feature that can be used, or one has several.
    """
    # In one task, which is done before many would have been started.
    distinct = F.countDistinct(schemas.KEY).alias("images"), F.countDistinct(schemas.IDENTITY).alias("identities")
    [listed] = images.coalesce(1).agg(*distinct).collect()
    wanted = features.of_keys(images.select(schemas.KEY))
    keys = F.broadcast(images.select(schemas.KEY_HASH, schemas.KEY))
    present = wanted.join(keys, [schemas.KEY_HASH, schemas.KEY], "semi").select(schemas.FEATURE)
    rows = present.mapInPandas(_sums_by_length, _SUMS).collect()
    features_present, usable = sum(row.images for row in rows), Counter[int]()
    for row in rows:
        usable[row.length] += row.usable
    dimension, used = usable.most_common(1)[0] if usable else (0, 0)
    if features_present > listed.images:
        raise InputError(
            f"{features_present} features for {listed.images} images",
            setting="ui_list_file",
            remedy="keep one feature a key",
        )
    if not used:
        raise InputError(
            f"none of {listed.images} images has a feature that can be used, {features_present} have one at all",
            setting="ui_list_file",
            remedy="set `image_root` and `feature_root` so that the keys below them agree",
        )
    if used < listed.images:
        _log.warning(
            "%d of %d images in %s have no feature that can be used", listed.images - used, listed.images, path
        )
    totals = [np.frombuffer(row.total, np.float64) for row in rows if row.length == dimension]
    mean = np.sum(totals, axis=0) / used
    figures = {"images": used, "identities": listed.identities, "cohesion": float(np.linalg.norm(mean))}
    provenance = {"source": "list", "path": path, "listed": listed.images, "cluster": figures}
    return given_centroid(mean_direction(mean), provenance, setting="ui_list_file")


@in_worker
def _sums_by_length(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """One row a length of vectors: how many there are, how many of them usable, and the sum of their directions."""
    sums: dict[int, tuple[int, int, np.ndarray]] = {}
    for frame in frames:
        features = frame[schemas.FEATURE]
        lengths = vector_lengths(features)
        for length in np.unique(lengths).tolist():
            embeddings, usable = unit_embeddings(stack_vectors(features[lengths == length], max(length, 1)))
            images, fit, total = sums.get(length, (0, 0, np.zeros(embeddings.shape[1])))
            total = total + embeddings.sum(axis=0, dtype=np.float64)
            sums[length] = images + len(usable), fit + int(usable.sum()), total
    rows = [(length, images, fit, total.tobytes()) for length, (images, fit, total) in sums.items()]
    yield pd.DataFrame(rows, columns=["length", "images", "usable", "total"])
