"""Distance of intra- and inter-identity similarities for whole identities (arXiv 2103.05977, eq. 5 and 6)."""

from functools import lru_cache

import numpy as np

from fiqa_spark.kernels.draws import inter_positions, intra_positions
from fiqa_spark.kernels.wasserstein import wasserstein_distance_sorted

# Similarities held at once: few enough for a processor's cache, enough to make the calls around them cheap.
_SIMILARITIES_AT_ONCE = 1 << 20


def sampled_distances(embeddings, sizes, starts, own, pool, *, comparisons, rounds):
    """W1 distances of all rounds for the images of several identities, from `comparisons` draws a side and round.

    Neighbouring identities that begin at the same place of the pool share one matrix product with it: their order
    decides about the speed, not about the result.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings of usable images, identity by identity, each in hash order.
    sizes : ndarray of int, shape (g,)
        Number of images of each identity, at least 2 and n in all.
    starts : ndarray of int, shape (g,)
        Position in the pool at which the inter draws of each identity begin.
    own : dict of int to ndarray of intp
        Positions in the pool of images of an identity, by its number from 0; only of those that have any.
    pool : ndarray of float32, shape (P, dimension)
        Unit embeddings of the pool in hash order.
    comparisons : int
        Number m of comparisons a side and round.
    rounds : int
        Number K of rounds.

    Returns
    -------
    distances : ndarray of float32, shape (n, K)
        `d_ik`, in [0, 2]; higher is better.
    counts : ndarray of int32, shape (n, 2)
        Intra and inter comparisons a round.
    """
    distances = np.empty((len(embeddings), rounds), np.float32)
    counts = np.empty((len(embeddings), 2), np.int32)
    edges = np.concatenate([[0], np.cumsum(sizes)])
    rows_at_once = max(1, _SIMILARITIES_AT_ONCE // (rounds * (2 * comparisons + 1)))
    alone = _alone(sizes, starts, own, len(pool), comparisons, rounds) | (np.asarray(sizes) > rows_at_once)
    for first, last in _pieces(edges, starts, alone, rows_at_once):
        rows = slice(edges[first], edges[last])
        taken = own.get(first, np.empty(0, np.intp)) if alone[first] else np.empty(0, np.intp)
        inter = inter_positions(starts[first], taken, len(pool), comparisons, rounds)
        counts[rows, 0] = np.repeat(np.minimum(comparisons, sizes[first:last] - 1), sizes[first:last])
        counts[rows, 1] = inter.shape[1]
        if alone[first]:
            mates = embeddings[rows][: rounds * (comparisons + 1)]
            intra = intra_positions(sizes[first], comparisons, rounds)
            ranks = np.minimum(np.arange(sizes[first]), len(mates))
            distances[rows] = drawn_distances(embeddings[rows], ranks, mates, pool, intra, inter)
        else:
            non_mated = (embeddings[rows] @ pool[inter.ravel()].T).reshape(-1, *inter.shape)
            non_mated.sort(axis=2)
            distances[rows] = _against(non_mated, embeddings[rows], sizes[first:last], comparisons)
    return distances, counts


def drawn_distances(embeddings, ranks, mates, pool, intra, inter):
    """W1 distances of images of one identity, whose comparisons are the same but for an image's own place.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings of images of the identity, in any order.
    ranks : ndarray of intp, shape (n,)
        Position of each image among the mates; `c` for one that is not among them.
    mates : ndarray of float32, shape (c, dimension)
        The first images of the identity in hash order.
    pool : ndarray of float32, shape (P, dimension)
        Unit embeddings of the pool in hash order.
    intra, inter : ndarray of intp, shapes (K or 1, a + 1) and (K or 1, b)
        Positions among the mates and in the pool, see `intra_positions` and `inter_positions`.

    Returns
    -------
    ndarray of float32, shape (n, K)
        `d_ik`, in [0, 2]; higher is better.
    """
    of_mates = _slots_to_drop(len(mates), intra)
    slots = np.append(of_mates, np.full((1, len(intra)), intra.shape[1] - 1), axis=0)[ranks]
    drawn, strangers = mates[intra.ravel()], pool[inter.ravel()]
    distances = np.empty((len(embeddings), max(len(intra), len(inter))), np.float32)
    for rows in _row_blocks(len(embeddings), len(drawn) + len(strangers)):
        mated = (embeddings[rows] @ drawn.T).reshape(-1, *intra.shape)
        np.put_along_axis(mated, slots[rows, :, None], np.float32(np.inf), axis=2)
        mated.sort(axis=2)
        non_mated = (embeddings[rows] @ strangers.T).reshape(-1, *inter.shape)
        non_mated.sort(axis=2)
        distances[rows] = wasserstein_distance_sorted(mated[:, :, :-1], non_mated)
    return distances


def exact_distances(embeddings, ranks, mates, pool, own):
    """W1 distance for images of one identity, each against all the mates but itself and the whole pool less its own.

    An image that is not among the mates is not compared with the last of them, so that all have as many comparisons.

    Parameters
    ----------
    embeddings, ranks, mates, pool
        As for `drawn_distances`, c >= 2.
    own : ndarray of intp, shape (o,)
        Positions in the pool of images of this identity, o < P.

    Returns
    -------
    ndarray of float32, shape (n, 1)
        `d_i`, in [0, 2]; higher is better. The limit that the mean of `sampled_distances` approaches.
    """
    distances = np.empty((len(embeddings), 1), np.float32)
    dropped = np.minimum(ranks, len(mates) - 1)
    for rows in _row_blocks(len(embeddings), len(mates) + len(pool)):
        mated = embeddings[rows] @ mates.T
        np.put_along_axis(mated, dropped[rows, None], np.float32(np.inf), axis=1)
        mated.sort(axis=1)
        non_mated = embeddings[rows] @ pool.T
        # What is not compared sorts to the end and is cut off there.
        non_mated[:, own] = np.inf
        non_mated.sort(axis=1)
        distances[rows, 0] = wasserstein_distance_sorted(mated[:, :-1], non_mated[:, : len(pool) - len(own)])
    return distances


def _alone(sizes, starts, own, pool_size, comparisons, rounds):
    """True for identities whose strangers are not simply the next ones of the pool."""
    window = rounds * comparisons
    alone = np.full(len(sizes), pool_size <= window)
    for number, positions in own.items():
        alone[number] |= ((positions - starts[number]) % pool_size < window).any()
    return alone


def _pieces(edges, starts, alone, rows_at_once):
    """Pairs (first, last) of identities to compute together: of one start, or a single one that stands alone."""
    first = 0
    for number in range(1, len(starts) + 1):
        if (
            number == len(starts)
            or alone[first]
            or alone[number]
            or starts[number] != starts[first]
            or edges[number + 1] - edges[first] > rows_at_once
        ):
            yield first, number
            first = number


def _against(non_mated, embeddings, sizes, comparisons):
    """Distances of the rows of whole identities to sorted non-mated similarities, shape (n, rounds, m)."""
    distances = np.empty(non_mated.shape[:2], np.float32)
    firsts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes).tolist():
        of_size = firsts[sizes == size]
        if size <= comparisons + 1:
            rows = (of_size[:, None] + np.arange(size)).ravel()
            mated = _all_mated(embeddings[rows].reshape(-1, size, embeddings.shape[1]))
            distances[rows] = wasserstein_distance_sorted(mated, non_mated[rows])
            continue
        for first in of_size.tolist():
            rows = slice(first, first + size)
            mated = _drawn_mated(embeddings[rows], comparisons, non_mated.shape[1])
            distances[rows] = wasserstein_distance_sorted(mated, non_mated[rows])
    return distances


def _all_mated(embeddings):
    """Sorted similarities of every image with all others of its identity; (g, n, dimension) to (g n, 1, n - 1)."""
    count, size, _ = embeddings.shape
    mated = embeddings @ embeddings.transpose(0, 2, 1)
    # An image's own place sorts to the end and is cut off there.
    mated[:, np.arange(size), np.arange(size)] = np.inf
    mated.sort(axis=2)
    return mated.reshape(count * size, 1, size)[:, :, :-1]


def _drawn_mated(embeddings, comparisons, rounds):
    """Sorted similarities of the images of an identity with those drawn for each round, shape (n, rounds, m)."""
    intra, dropped = _draw_of_size(len(embeddings), comparisons, rounds)
    columns = min(len(embeddings), intra.size)
    mated = np.take(embeddings @ embeddings[:columns].T, intra, axis=1)
    mated.reshape(-1)[dropped] = np.inf
    mated.sort(axis=2)
    return mated[:, :, :-1]


@lru_cache(maxsize=256)
def _draw_of_size(images, comparisons, rounds):
    """Intra positions of an identity of this size, and what to drop of the flattened similarities at these."""
    intra = intra_positions(images, comparisons, rounds)
    slots = _slots_to_drop(images, intra)
    return intra, (np.arange(slots.size) * intra.shape[1] + slots.ravel()).astype(np.int32)


def _row_blocks(rows, columns):
    """Slices of so many rows that their similarities fit."""
    at_once = max(1, _SIMILARITIES_AT_ONCE // columns)
    return [slice(first, first + at_once) for first in range(0, rows, at_once)]


def _slots_to_drop(images, intra):
    """For image i and round k the slot of `intra[k]` that is not compared, shape (images, rounds)."""
    rounds, size = intra.shape
    slots = np.full((rounds, images), size - 1)
    np.put_along_axis(slots, intra, np.arange(size)[None], axis=1)
    return slots.T
