"""Matches of round-robin tournaments: which images make a pair.

Images in a random order meet like the players of a tournament: in a round every one meets one other, and no two meet
twice. The first so many matches are a draw in which images occur about equally often.
"""

import numpy as np

# Matches that are looked at at once.
_MATCHES_AT_ONCE = 1 << 20


def players_of_match(players: int | np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who meets in a match.

    Parameters
    ----------
    players : int, or ndarray of int64, shape (n,)
        Number of players, at least 2, of the tournament of each match.
    numbers : ndarray of int64, shape (n,)
        Number of the match, from 0 to players (players - 1) / 2 - 1; ``players // 2`` matches make a round.

    Returns
    -------
    first, second : ndarray of int64, shape (n,)
        Two different players, from 0 to players - 1.
    """
    is_odd = players % 2
    rounds, matches = players - 1 + is_odd, players // 2
    played, place = np.divmod(numbers, matches)
    # All but one stand in a circle that turns by one place a round; of an odd number the one in the middle is missing.
    step = place + is_odd
    opposite = np.where(step == 0, players - 1, (played - step + rounds) % rounds)
    return (played + step) % rounds, opposite


def mated_matches(sizes: np.ndarray, at_most: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of images of one identity, for every identity the first matches of a tournament of its images.

    Parameters
    ----------
    sizes : ndarray of int64, shape (identities,)
        Number of images of each identity; those of an identity are neighbours, in random order.
    at_most : int
        Pairs of an identity at most.

    Returns
    -------
    a, b : ndarray of int64, shape (pairs,)
        Numbers of two images, from 0 to the sum of the sizes - 1.
    """
    begins = np.cumsum(sizes) - sizes
    # More images than two a pair are not needed.
    players = np.minimum(sizes, 2 * at_most)
    matches = np.minimum(players * (players - 1) // 2, at_most)
    identities = np.repeat(np.arange(len(sizes)), matches)
    numbers = np.arange(len(identities)) - np.repeat(np.cumsum(matches) - matches, matches)
    first, second = players_of_match(players[identities], numbers)
    return begins[identities] + first, begins[identities] + second


def non_mated_matches(identities: np.ndarray, matches: int, at_most: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of images of two identities, those among the first matches of a tournament of all images.

    Parameters
    ----------
    identities : ndarray of int64, shape (images,)
        Number of the identity of each image, in random order.
    matches : int
        Number of matches to look at.
    at_most : int
        Pairs at most; those of the first matches.

    Returns
    -------
    a, b : ndarray of int32, shape (pairs,)
        Numbers of two images.
    """
    found, count = [np.empty((2, 0), np.int32)], 0
    for begin in range(0, matches, _MATCHES_AT_ONCE):
        if count >= at_most:
            break
        numbers = np.arange(begin, min(begin + _MATCHES_AT_ONCE, matches))
        met = np.stack(players_of_match(len(identities), numbers)).astype(np.int32)
        found.append(met[:, identities[met[0]] != identities[met[1]]])
        count += found[-1].shape[1]
    a, b = np.concatenate(found, axis=1)[:, :at_most]
    return a, b
