from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.kernels import pair_draws
from fiqa_spark.kernels.pair_draws import mated_matches, non_mated_matches, players_of_match

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


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30), st.integers(0, 200), st.integers(1, 60))
def test_non_mated_pairs_are_the_first_matches_of_two_identities(identities, matches, at_most):
    matches = min(matches, len(identities) * (len(identities) - 1) // 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_draws, "_MATCHES_AT_ONCE", 7)
        found = non_mated_matches(np.array(identities), matches, at_most)
    met = [match for match in meetings(len(identities))[:matches] if identities[match[0]] != identities[match[1]]]
    assert list(zip(*(side.tolist() for side in found), strict=True)) == met[:at_most]
