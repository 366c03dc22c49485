from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels import pair_draws
from fiqa_spark.kernels.pair_draws import (
    matches_across,
    mated_matches,
    non_mated_matches,
    players_across,
    players_of_match,
)

pytestmark = pytest.mark.lowest_versions


def meetings(players):
    """Who meets in each match of a tournament, in order."""
    first, second = players_of_match(players, np.arange(players * (players - 1) // 2))
    return list(zip(first.tolist(), second.tolist(), strict=True))


@given(st.integers(2, 40))
def test_in_a_tournament_all_meet_once_and_each_about_as_often_as_any_other(players):
    met = meetings(players)
    assert {frozenset(match) for match in met} == {frozenset((a, b)) for a in range(players) for b in range(a)}
    assert len({frozenset(match) for match in met}) == len(met)
    for end in range(0, len(met) + 1, 7):
        played = Counter({player: 0 for player in range(players)})
        played.update(player for match in met[:end] for player in match)
        assert max(played.values()) - min(played.values()) <= 2


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 25))
def test_mated_pairs_are_of_one_identity_and_as_many_as_there_are(sizes, at_most):
    a, b = mated_matches(np.array(sizes, np.int64), at_most)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    np.testing.assert_array_equal(owner[a], owner[b])
    assert len({frozenset(pair) for pair in zip(a.tolist(), b.tolist(), strict=True)}) == len(a)
    assert not (a == b).any()
    expected = {number: min(at_most, size * (size - 1) // 2) for number, size in enumerate(sizes) if size > 1}
    assert Counter(owner[a].tolist()) == expected
    # Of an identity with two images a pair no image comes twice.
    large = [number for number, size in enumerate(sizes) if size >= 2 * at_most]
    twice = [image for image in np.concatenate([a, b]).tolist() if owner[image] in large]
    assert len(set(twice)) == len(twice)


def test_two_teams_meet_as_by_hand():
    first, second = players_across((2, 4), np.arange(8))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [
        *[(0, 0), (1, 1), (0, 2), (1, 3)],
        *[(0, 1), (1, 2), (0, 3), (1, 0)],
    ]


@given(st.integers(1, 25), st.integers(1, 25))
def test_of_two_teams_all_meet_once_and_each_as_often_as_any_other_or_once_more(first, second):
    met = [side.tolist() for side in players_across((first, second), np.arange(first * second))]
    assert set(zip(*met, strict=True)) == {(a, b) for a in range(first) for b in range(second)}
    for side, players in zip(met, (first, second), strict=True):
        played = [0] * players
        for player in side:
            played[player] += 1
            assert max(played) - min(played) <= 1


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=20), st.integers(1, 25))
def test_pairs_across_halves_are_of_two_halves_of_one_identity_and_as_many_as_there_are(sizes, at_most):
    a, b = matches_across(np.array(sizes, np.int64).reshape(-1, 2), at_most)
    halves = [
        (number, half) for number, of_halves in enumerate(sizes) for half in (0, 1) for _ in range(of_halves[half])
    ]
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    owners = [(halves[one], halves[other]) for one, other in pairs]
    assert all(one == (other[0], 0) and other[1] == 1 for one, other in owners)
    expected = {number: min(at_most, first * second) for number, (first, second) in enumerate(sizes)}
    assert Counter(one[0] for one, _ in owners) == Counter(expected)
    # As evenly as may be: of a half with so many images all come, and none twice.
    for side in (a, b):
        for image, often in Counter(side.tolist()).items():
            number, half = halves[image]
            assert often <= -(-expected[number] // min(sizes[number][half], at_most))


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30), st.integers(0, 200), st.integers(1, 60))
def test_non_mated_pairs_are_the_first_matches_of_two_identities(identities, matches, at_most):
    matches = min(matches, len(identities) * (len(identities) - 1) // 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_draws, "_MATCHES_AT_ONCE", 7)
        found = non_mated_matches(np.array(identities), matches, at_most)
    met = [match for match in meetings(len(identities))[:matches] if identities[match[0]] != identities[match[1]]]
    assert list(zip(*(side.tolist() for side in found), strict=True)) == met[:at_most]
