"""Hierarchical agglomerative clustering of unit embeddings, cut at a similarity, in memory that is known beforehand."""

import importlib.util
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fiqa_spark.errors import MachineError, SettingsError

# Similarities looked at in one go, and what each may become on its way to an edge of a graph, at most.
_PAIRS_AT_ONCE = 1 << 21
_BYTES_A_PAIR = 96
# Edges that are gathered before they are merged into components, for every image.
_EDGES_AN_IMAGE = 4
# A sample on its way out of Spark: rows, their bytes joined, the matrix and its scaled copy.
_COPIES_OF_VECTORS = 4


class Cluster(NamedTuple):
    """Images whose embeddings hang together."""

    members: np.ndarray
    """Numbers of the images, ascending, int64."""
    identities: int
    """Number of distinct identities among them."""
    cohesion: float
    """Mean similarity of the members to the cluster's centroid, in [0, 1]."""

    @property
    def images(self) -> int:
        """Number of members."""
        return len(self.members)


def check_scipy() -> None:
    """Raise MachineError unless SciPy, which does the clustering, is installed."""
    if importlib.util.find_spec("scipy") is None:
        raise MachineError(
            "SciPy is missing, which finds the unrecognizable images",
            remedy="pip install scipy, or give `ui_centroid` or `ui_list_file`",
        )


def check_memory(images: int, dimension: int, linkage: str, available: int) -> None:
    """Refuse a clustering for which there is not enough memory.

    Parameters
    ----------
    images, dimension : int
        Shape of the embeddings.
    linkage : {'single', 'average', 'complete'}
    available : int
        Bytes that may be used.

    Raises
    ------
    SettingsError
        If it needs more; the message gives both figures and a sample that would do.
    """
    needed = bytes_needed(images, dimension, linkage)
    if needed <= available:
        return
    fitting = images
    while fitting > 1 and bytes_needed(fitting, dimension, linkage) > available:
        fitting = fitting * 9 // 10
    other = "" if linkage == "single" else "`linkage` single, which needs less, "
    raise SettingsError(
        f"{linkage} linkage of {images} images of {dimension} values needs {needed / 1e9:.2f} GB of memory, and "
        f"{available / 1e9:.2f} GB are free",
        setting="cluster_sample",
        remedy=f"use {fitting} images, {other}or a driver with more memory",
    )


def bytes_needed(images: int, dimension: int, linkage: str) -> int:
    """Most bytes that `clusters_at` holds at once, the embeddings and what they were made of included."""
    vectors = _COPIES_OF_VECTORS * images * dimension * 4
    pairs_at_once = max(min(_PAIRS_AT_ONCE, images * images), images)
    blocks = pairs_at_once * _BYTES_A_PAIR
    if linkage == "single":
        edges = images * (_EDGES_AN_IMAGE + 2)
        return vectors + blocks + edges * 48
    # The distances of all pairs, and the copy of them that the clustering works in.
    return vectors + blocks + 2 * 8 * (images * (images - 1) // 2) + images * 64


def clusters_at(embeddings: np.ndarray, identities: np.ndarray, linkage: str, threshold: float) -> list[Cluster]:
    """Clusters of images, those of the most identities first.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings.
    identities : ndarray of int64, shape (n,)
        A number for the identity of each image.
    linkage : {'single', 'average', 'complete'}
        Similarity of two clusters: that of their nearest images, the mean of all pairs, or that of the farthest ones.
    threshold : float
        Clusters are joined as long as their similarity is at least so much.

    Returns
    -------
    list of Cluster
        Every image is in one of them. Of clusters with equally many identities that with more images comes first, then
        that with the earlier first image.
    """
    labels = (
        _components(embeddings, threshold) if linkage == "single" else _agglomerated(embeddings, linkage, threshold)
    )
    order = np.argsort(labels, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    clusters = [_cluster(embeddings, identities, own) for own in members]
    return sorted(clusters, key=lambda cluster: (-cluster.identities, -cluster.images, cluster.members[0]))


def _cluster(embeddings: np.ndarray, identities: np.ndarray, members: np.ndarray) -> Cluster:
    # The mean of the similarities to the direction of a mean is the length of that mean.
    mean = embeddings[members].mean(axis=0, dtype=np.float64)
    return Cluster(members, len(np.unique(identities[members])), min(1.0, float(np.linalg.norm(mean))))


def _similarities(embeddings: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Block by block, the number of the first row, and similarities of the rows to those from that number on."""
    rows = max(1, min(_PAIRS_AT_ONCE, embeddings.shape[0] ** 2) // embeddings.shape[0])
    for first in range(0, len(embeddings), rows):
        yield first, embeddings[first : first + rows] @ embeddings[first:].T


def _components(embeddings: np.ndarray, threshold: float) -> np.ndarray:
    """Label of each image under single linkage: the connected components of the graph of similar pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(embeddings)
    labels, gathered = np.arange(count), 0
    edges: list[tuple[np.ndarray, np.ndarray]] = []

    def merged() -> np.ndarray:
        """Labels once the gathered edges count, beside one edge from every image to the first of its component."""
        _, firsts = np.unique(labels, return_index=True)
        forest = np.arange(count), firsts[labels]
        rows, columns = (np.concatenate(ends) for ends in zip(forest, *edges, strict=True))
        graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
        return connected_components(graph, directed=False)[1]

    for first, similarities in _similarities(embeddings):
        rows, columns = (ends + first for ends in np.nonzero(similarities >= threshold))
        joining = labels[rows] != labels[columns]
        # Numbers that SciPy need not convert.
        edges.append((rows[joining].astype(np.int32), columns[joining].astype(np.int32)))
        gathered += len(edges[-1][0])
        if gathered > _EDGES_AN_IMAGE * count:
            labels, edges, gathered = merged(), [], 0
    return merged()


def _agglomerated(embeddings: np.ndarray, linkage: str, threshold: float) -> np.ndarray:
    """Label of each image under a linkage that needs the distances of all pairs."""
    from scipy.cluster import hierarchy

    count = len(embeddings)
    if count == 1:
        return np.zeros(1, int)
    distances, place = np.empty(count * (count - 1) // 2), 0
    for _, similarities in _similarities(embeddings):
        for row, of_row in enumerate(similarities):
            others = of_row[row + 1 :]
            np.subtract(1, others, out=distances[place : place + len(others)])
            place += len(others)
    np.clip(distances, 0, None, out=distances)
    return hierarchy.fcluster(hierarchy.linkage(distances, linkage), 1 - threshold, "distance")
