"""Distance of intra- and inter-identity similarities for the images of one identity (arXiv 2103.05977, eq. 5 and 6)."""

import numpy as np

from fiqa_spark.kernels.draws import inter_positions, intra_positions
from fiqa_spark.kernels.wasserstein import wasserstein_distance_sorted

# Similarities held at once; keeps a block of rows below 64 MiB whatever the size of identity and pool.
_SIMILARITIES_AT_ONCE = 1 << 24


def sampled_distances(embeddings, pool, own, *, start, comparisons, rounds):
    """W1 distances of all rounds for the images of one identity, from `comparisons` draws a side and round.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings of the identity's usable images in hash order, n >= 2.
    pool : ndarray of float32, shape (P, dimension)
        Unit embeddings of the pool in hash order.
    own : ndarray of intp, shape (o,)
        Positions in the pool of images of this identity, o < P.
    start : int
        Position in the pool at which the inter draws begin.
    comparisons : int
        Number m of comparisons a side and round.
    rounds : int
        Number K of rounds.

    Returns
    -------
    distances : ndarray of float32, shape (n, K)
        `d_ik`, in [0, 2]; higher is better.
    intra_count, inter_count : int
        Comparisons a round on either side.
    """
    intra = intra_positions(len(embeddings), comparisons, rounds)
    inter = inter_positions(start, own, len(pool), comparisons, rounds)
    distances = _distances_in_row_blocks(embeddings, embeddings[intra.ravel()], pool[inter.ravel()], intra, inter)
    return np.broadcast_to(distances, (len(embeddings), rounds)), intra.shape[1] - 1, inter.shape[1]


def exact_distances(embeddings, pool, own):
    """W1 distance for the images of one identity, each against all the others and the whole pool less its own.

    Parameters
    ----------
    embeddings, pool, own
        As for `sampled_distances`.

    Returns
    -------
    distances : ndarray of float32, shape (n, 1)
        `d_i`, in [0, 2]; higher is better. The limit that the mean of `sampled_distances` approaches.
    intra_count, inter_count : int
        Comparisons on either side.
    """
    intra = np.arange(len(embeddings))[None]
    inter = np.setdiff1d(np.arange(len(pool)), own)[None]
    strangers = pool if len(own) == 0 else pool[inter[0]]
    distances = _distances_in_row_blocks(embeddings, embeddings, strangers, intra, inter)
    return distances, intra.shape[1] - 1, inter.shape[1]


def _distances_in_row_blocks(embeddings, mates, strangers, intra, inter):
    """Distances of all rows, so many at a time that their similarities fit; `mates` are the rows at `intra`."""
    slots = _slots_to_drop(len(embeddings), intra)
    rows = max(1, _SIMILARITIES_AT_ONCE // (len(mates) + len(strangers)))
    blocks = [slice(first, first + rows) for first in range(0, len(embeddings), rows)]
    return np.concatenate([_distances(embeddings[b], mates, strangers, slots[b], intra, inter) for b in blocks])


def _distances(embeddings, mates, strangers, slots, intra, inter):
    """Distances of a block of rows, shape (rows, rounds)."""
    mated = (embeddings @ mates.T).reshape(len(embeddings), *intra.shape)
    # An image's own place sorts to the end and is cut off there.
    np.put_along_axis(mated, slots[:, :, None], np.float32(np.inf), axis=2)
    mated.sort(axis=2)
    non_mated = (embeddings @ strangers.T).reshape(len(embeddings), *inter.shape)
    non_mated.sort(axis=2)
    return wasserstein_distance_sorted(mated[:, :, :-1], non_mated)


def _slots_to_drop(images, intra):
    """For image i and round k the slot of `intra[k]` that is not compared, shape (images, rounds)."""
    rounds, size = intra.shape
    slots = np.full((rounds, images), size - 1)
    np.put_along_axis(slots, intra, np.arange(size)[None], axis=1)
    return slots.T
