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


def match_counts(sizes: np.ndarray, at_most: int) -> np.ndarray:
    """Number of pairs that `mated_matches` or, of sizes by half, `matches_across` gives of each identity."""
    players = np.minimum(sizes, 2 * at_most)
    return np.minimum(players.prod(axis=1) if sizes.ndim > 1 else players * (players - 1) // 2, at_most)


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
    identities, numbers = _numbered(match_counts(sizes, at_most))
    first, second = players_of_match(players[identities], numbers)
    return begins[identities] + first, begins[identities] + second


def _numbered(matches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For tournaments of so many matches the tournament of each match, and its number there."""
    tournaments = np.repeat(np.arange(len(matches)), matches)
    return tournaments, np.arange(len(tournaments)) - np.repeat(np.cumsum(matches) - matches, matches)


def players_across(
    players: tuple[int, int] | tuple[np.ndarray, np.ndarray], numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Who meets in a match between two teams.

    Parameters
    ----------
    players : tuple of int, or of ndarray of int64, shape (n,)
        Number of players of either team, at least 1, in the tournament of each match.
    numbers : ndarray of int64, shape (n,)
        Number of the match, from 0 to the product of the two - 1.

    Returns
    -------
    first, second : ndarray of int64, shape (n,)
        Player of the first team, and of the second, each from 0. All meet once, and in any first so many matches each
        plays as often as any other of the team, or once more.
    """
    first, second = players
    # Both teams take their turns until the same two would meet again; then the second moves on by one.
    return numbers % first, (numbers + numbers // np.lcm(first, second)) % second


def matches_across(sizes: np.ndarray, at_most: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of images of two halves of an identity, for every identity the first matches between its halves.

    Parameters
    ----------
    sizes : ndarray of int64, shape (identities, 2)
        Number of images of the halves of each identity; those of a half are neighbours, in random order, and follow
        those of the half before.
    at_most : int
        Pairs of an identity at most.

    Returns
    -------
    a, b : ndarray of int64, shape (pairs,)
        Numbers of an image of the first half and of one of the second, from 0 to the sum of the sizes - 1.
    """
    begins = (np.cumsum(sizes) - sizes.ravel()).reshape(sizes.shape)
    # More images than one a pair are not needed.
    players = np.minimum(sizes, at_most)
    identities, numbers = _numbered(match_counts(sizes, at_most))
    first, second = players_across((players[identities, 0], players[identities, 1]), numbers)
    return begins[identities, 0] + first, begins[identities, 1] + second


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
