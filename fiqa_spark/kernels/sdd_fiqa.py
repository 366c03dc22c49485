"""Distance of intra- and inter-identity similarities (arXiv 2103.05977, eq. 5 and 6), sampled or exact."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fiqa_spark.kernels.draws import inter_positions, intra_positions, slots_to_drop
from fiqa_spark.kernels.shared_products import sharing_neighbours, stand_alone
from fiqa_spark.kernels.similarities import (
    mated_of_identity,
    mated_of_small_identities,
    mated_with,
    non_mated_with,
    row_blocks,
    rows_at_once,
    similarities_but,
    sorted_but,
)
from fiqa_spark.kernels.wasserstein import wasserstein_distance_sorted

_NONE = np.empty(0, np.intp)


def sampled_distances(
    embeddings: np.ndarray,
    sizes: np.ndarray,
    starts: np.ndarray,
    own_pool_positions: Mapping[int, np.ndarray],
    pool: np.ndarray,
    *,
    comparisons: int,
    rounds: int,
) -> tuple[np.ndarray, np.ndarray]:
    """W1 distances of all rounds for the images of whole identities, from `comparisons` draws a side and round.

    Neighbouring identities that begin at the same place of the pool share one matrix product with it; those of one size
    are neighbours best.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings of usable images, identity by identity, each in hash order.
    sizes : ndarray of int, shape (g,)
        Number of images of each identity, at least 2 and n in all.
    starts : ndarray of int, shape (g,)
        Position in the pool at which the inter draws of each identity begin.
    own_pool_positions : dict of int to ndarray of intp
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
    options = {"comparisons": comparisons, "rounds": rounds}
    distances = np.empty((len(embeddings), rounds), np.float32)
    counts = np.empty((len(embeddings), 2), np.int32)
    edges = np.concatenate([[0], np.cumsum(sizes)])
    most_rows, window = rows_at_once(rounds * (2 * comparisons + 1)), rounds * comparisons
    alone = stand_alone(starts, own_pool_positions, len(pool), window) | (np.asarray(sizes) > most_rows)
    for first, last in sharing_neighbours(sizes, starts, alone, most_rows):
        rows = slice(edges[first], edges[last])
        if alone[first]:
            own = own_pool_positions.get(first, _NONE)
            mates = embeddings[rows][: rounds * (comparisons + 1)]
            ranks = np.minimum(np.arange(sizes[first]), len(mates))
            distances[rows], counts[rows] = sampled_distances_of_some(
                embeddings[rows], ranks, mates, starts[first], own, pool, **options
            )
            continue
        # What is compared with neighbours in the pool needs no copy of them.
        drawn = pool[starts[first] : starts[first] + window].reshape(rounds, comparisons, -1)
        non_mated = non_mated_with(embeddings[rows], drawn)
        distances[rows] = _against(non_mated, embeddings[rows], sizes[first:last], comparisons)
        counts[rows, 0] = np.repeat(np.minimum(comparisons, sizes[first:last] - 1), sizes[first:last])
        counts[rows, 1] = comparisons
    return distances, counts


def _against(non_mated: np.ndarray, embeddings: np.ndarray, sizes: np.ndarray, comparisons: int) -> np.ndarray:
    """Distances of the rows of whole identities to sorted non-mated similarities, shape (n, rounds, m)."""
    distances = np.empty(non_mated.shape[:2], np.float32)
    begin = 0
    for size, identities in _neighbours_of_a_size(sizes, comparisons + 1):
        rows = slice(begin, begin + identities * size)
        if size <= comparisons + 1:
            mated = mated_of_small_identities(embeddings[rows].reshape(identities, size, -1))
        else:
            mated = mated_of_identity(embeddings[rows], comparisons=comparisons, rounds=non_mated.shape[1])
        distances[rows] = wasserstein_distance_sorted(mated, non_mated[rows])
        begin = rows.stop
    return distances


def _neighbours_of_a_size(sizes: np.ndarray, together: int) -> Iterator[tuple[int, int]]:
    """Sizes of identities, and how many neighbours have each; one above `together` comes alone."""
    for size, those in itertools.groupby(sizes.tolist()):
        count = len(list(those))
        yield from [(size, count)] if size <= together else [(size, 1)] * count


def sampled_distances_of_some(
    embeddings: np.ndarray,
    ranks: np.ndarray,
    mates: np.ndarray,
    start: int,
    own_pool_positions: np.ndarray,
    pool: np.ndarray,
    *,
    comparisons: int,
    rounds: int,
) -> tuple[np.ndarray, tuple[int, int]]:
    """W1 distances of all rounds for some images of one identity, wherever the others are.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings of images of the identity, in any order.
    ranks : ndarray of intp, shape (n,)
        Position of each image among the mates; `c` for one that is not among them.
    mates : ndarray of float32, shape (c, dimension)
        The first images of the identity in hash order: all of them, or ``rounds * (comparisons + 1)``, c >= 2.
    start : int
        Position in the pool at which the inter draws begin.
    own_pool_positions : ndarray of intp, shape (o,)
        Positions in the pool of images of this identity, o < P.
    pool : ndarray of float32, shape (P, dimension)
        Unit embeddings of the pool in hash order.
    comparisons, rounds : int
        As for `sampled_distances`.

    Returns
    -------
    distances : ndarray of float32, shape (n, K)
        `d_ik`, in [0, 2]; higher is better.
    counts : tuple of int
        Intra and inter comparisons a round.
    """
    intra = intra_positions(len(mates), comparisons, rounds)
    inter = inter_positions(start, own_pool_positions, len(pool), comparisons, rounds)
    # An image that is no mate drops the last of every round, so that all have as many comparisons.
    last_slot = np.full((1, len(intra)), intra.shape[1] - 1)
    slots = np.append(slots_to_drop(len(mates), intra), last_slot, axis=0)[ranks]
    drawn_mates, drawn_others = mates[intra], pool[inter]
    distances = np.empty((len(embeddings), rounds), np.float32)
    for rows in row_blocks(len(embeddings), intra.size + inter.size):
        mated = mated_with(embeddings[rows], drawn_mates, slots[rows])
        distances[rows] = wasserstein_distance_sorted(mated, non_mated_with(embeddings[rows], drawn_others))
    return distances, (intra.shape[1] - 1, inter.shape[1])


def exact_distances(
    embeddings: np.ndarray,
    sizes: np.ndarray,
    mates: Sequence[tuple[np.ndarray, np.ndarray]],
    own_pool_positions: Mapping[int, np.ndarray],
    pool: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """W1 distance for images, each against all the mates but itself and the whole pool less those of its identity.

    An image that is not among the mates is not compared with the last of them, so that all have as many comparisons.
    Neighbouring identities share one matrix product with the pool.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings, identity by identity.
    sizes : ndarray of int, shape (g,)
        Number of images of each identity, n in all.
    mates : sequence of (ndarray, ndarray), g of them
        Of each identity the embeddings of its first images in hash order, float32, shape (c, dimension), c >= 2, and
        the position of each of its n images here among them, intp; `c` for one that is not among them.
    own_pool_positions, pool
        As for `sampled_distances`; of no identity is the whole pool.

    Returns
    -------
    distances : ndarray of float32, shape (n, 1)
        `d_i`, in [0, 2]; higher is better. The limit that the mean of `sampled_distances` approaches.
    counts : ndarray of int32, shape (n, 2)
        Intra and inter comparisons.
    """
    distances, counts = np.empty((len(embeddings), 1), np.float32), np.empty((len(embeddings), 2), np.int32)
    most_mates = max((len(met) for met, _ in mates), default=0)
    for rows in row_blocks(len(embeddings), len(pool) + most_mates):
        with_pool = embeddings[rows] @ pool.T
        for number, of_identity, of_block in _identities_in(rows.start, len(with_pool), sizes):
            here = slice(rows.start + of_block.start, rows.start + of_block.stop)
            met, ranks = mates[number]
            mated = similarities_but(embeddings[here], met, np.minimum(ranks[of_identity], len(met) - 1)[:, None])
            non_mated = sorted_but(with_pool[of_block], own_pool_positions.get(number, _NONE)[None])
            distances[here, 0] = wasserstein_distance_sorted(mated, non_mated)
            counts[here] = mated.shape[1], non_mated.shape[1]
    return distances, counts


def _identities_in(begin: int, count: int, sizes: np.ndarray) -> Iterator[tuple[int, slice, slice]]:
    """Identities of some neighbouring rows: number, which of the identity's rows these are, which of those given."""
    firsts = np.cumsum(sizes) - sizes - begin
    ends = firsts + sizes
    for number in range(np.searchsorted(ends, 0, "right"), np.searchsorted(firsts, count)):
        first, end = max(int(firsts[number]), 0), min(int(ends[number]), count)
        yield number, slice(first - firsts[number], end - firsts[number]), slice(first, end)
