"""Pairs drawn from images: which, how many, and the same ones every time."""

from collections import Counter

import numpy as np
import pytest
from pyspark.sql import functions as F

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation import drawn_pairs
from fiqa_spark.evaluation.drawn_pairs import (
    candidates_for,
    draw_mated,
    draw_non_mated,
    players_across,
    players_of_match,
)
from fiqa_spark.evaluation.numbered_pairs import draw_numbers
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.keys import seeded_hash
from fiqa_spark.kernels import pair_draws
from tests.labelling import paths_of

SIZES = [1, 2, 3, 5, 8, 9, 40, 60]
COLUMNS = ("key", "identity")
PLAYERS = (2, 3, 4, 7, 8, 15)


def images_of(spark, paths, seed=0, partitions=2):
    rows = [(path, path.split("/")[0]) for path in paths]
    images = spark.createDataFrame(rows, "key string, identity string").repartition(partitions)
    hashes = {"identity_hash": seeded_hash(seed, "identity"), "image_hash": seeded_hash(seed, "key")}
    return images.withColumns(hashes)


@pytest.fixture(scope="module")
def images(spark):
    return images_of(spark, paths_of(SIZES)).persist()


@pytest.fixture(scope="module")
def mated(images):
    """Rows of the mated pairs, 20 of an identity at most, and the account of the identities."""
    pairs, identities = draw_mated(images, COLUMNS, 20)
    return pairs.collect(), identities


@pytest.fixture(scope="module")
def non_mated(images):
    """Rows of as few non-mated pairs as there are images for."""
    return draw_non_mated(images, COLUMNS, 37).collect()


def keys_of(rows):
    """Pairs as sets of two keys."""
    return [frozenset((row.a.key, row.b.key)) for row in rows]


@pytest.fixture(scope="module")
def tournaments(spark):
    """Number of players to who meets in each match, in order."""
    numbers = [(players, number) for players in PLAYERS for number in range(players * (players - 1) // 2)]
    first, second = players_of_match(F.col("players"), F.col("number"))
    table = spark.createDataFrame(numbers, "players long, number long")
    rows = sorted(table.select("players", "number", first.alias("a"), second.alias("b")).collect())
    return {players: [frozenset((row.a, row.b)) for row in rows if row.players == players] for players in PLAYERS}


@pytest.mark.parametrize("players", PLAYERS)
def test_in_a_tournament_all_meet_once_and_each_about_as_often_as_any_other(tournaments, players):
    met = tournaments[players]
    assert set(met) == {frozenset((a, b)) for a in range(players) for b in range(a)}
    assert len(set(met)) == len(met)
    for end in range(len(met) + 1):
        played = Counter({player: 0 for player in range(players)})
        played.update(player for match in met[:end] for player in match)
        assert max(played.values()) - min(played.values()) <= 2


def test_mated_pairs_are_of_one_identity_and_as_many_as_there_are(mated):
    rows, identities = mated
    assert all(row.a.identity == row.b.identity and row.a.key != row.b.key for row in rows)
    assert len(set(keys_of(rows))) == len(rows)
    expected = {f"p{number}": min(20, size * (size - 1) // 2) for number, size in enumerate(SIZES) if size > 1}
    assert Counter(row.a.identity for row in rows) == expected
    assert identities == {"with_mated_pairs": 7, "drawn_from": 7}
    # Of an identity with 40 images or more no image comes twice.
    large = [key for row in rows if row.a.identity in ("p6", "p7") for key in (row.a.key, row.b.key)]
    assert len(set(large)) == len(large)


@pytest.mark.lowest_versions
def test_two_teams_meet_as_in_numpy(spark):
    # The last two take as many steps to their common divisor as any up to 1000.
    teams = [(a, b) for a in range(1, 13) for b in range(1, 13)] + [(1000, 999), (500, 1000), (987, 610), (610, 987)]
    rows = [(a, b, number) for a, b in teams for number in range(0, a * b, max(1, a * b // 150))]
    table = spark.createDataFrame(rows, "a long, b long, number long")
    first, second = players_across((F.col("a"), F.col("b")), F.col("number"))
    found = np.array(table.select(first, second).collect())
    a, b, numbers = np.array(rows).T
    np.testing.assert_array_equal(found.T, pair_draws.players_across((a, b), numbers))


# Less than the images of a half of the largest identities, and more than there are pairs in most.
@pytest.mark.parametrize("per_identity", [3, pytest.param(20, marks=pytest.mark.lowest_versions)])
def test_pairs_across_halves_are_those_of_numpy(images, per_identity):
    half = F.pmod(F.xxhash64("key"), F.lit(2))
    pairs, identities = draw_mated(images, COLUMNS, per_identity, half)
    met = [(row.a.key, row.b.key) for row in pairs.collect()]
    members = sorted(images.select("identity", half, "image_hash", "key").collect())
    halves = Counter((row[0], row[1]) for row in members)
    sizes = np.array([[halves[f"p{number}", half] for half in (0, 1)] for number in range(len(SIZES))])
    several = (sizes > 0).all(axis=1).sum()
    assert identities == {"with_mated_pairs": several, "drawn_from": several}
    assert 4 <= several < len(SIZES)
    expected = pair_draws.matches_across(sizes, per_identity)
    assert sorted(met) == sorted((members[a].key, members[b].key) for a, b in zip(*expected, strict=True))


def test_non_mated_pairs_are_of_two_identities_and_exactly_as_many_as_asked_for(images, non_mated):
    total = sum(SIZES)
    most = (total**2 - sum(size**2 for size in SIZES)) // 2
    for count, rows in ((37, non_mated), (most + 1, draw_non_mated(images, COLUMNS, most + 1).collect())):
        assert all(row.a.identity != row.b.identity for row in rows)
        assert len({frozenset((row.a.key, row.b.key)) for row in rows}) == len(rows) == min(count, most)
    # As few pairs as there are images for hold no image twice, but for those that have met their own identity.
    few = [key for pair in keys_of(non_mated) for key in pair]
    assert Counter(few).most_common(1)[0][1] <= 2


def test_pairs_depend_on_neither_the_order_of_images_nor_their_partitions(spark, mated, non_mated):
    images = images_of(spark, paths_of(SIZES)[::-1], partitions=7).persist()
    assert set(keys_of(draw_mated(images, COLUMNS, 20)[0].collect())) == set(keys_of(mated[0]))
    assert set(keys_of(draw_non_mated(images, COLUMNS, 37).collect())) == set(keys_of(non_mated))


def test_images_of_other_hashes_are_drawn_in_other_pairs():
    def drawn(seed):
        order = np.random.default_rng(seed).permutation(sum(SIZES))
        persons = np.repeat(np.arange(len(SIZES)), SIZES)[order]
        known = {"identity_hash": persons, "image_hash": np.arange(len(order)) - len(order)}
        settings = EvaluationSettings(feature_root="x", mated_per_identity=20, non_mated=37)
        (a, b), mated, _ = draw_numbers(known, np.arange(len(order), dtype=np.int32), persons, settings)
        pairs = [frozenset(pair) for pair in zip(order[a].tolist(), order[b].tolist(), strict=True)]
        return set(pairs[: mated.sum()]), set(pairs[mated.sum() :])

    (mated, non_mated), (other_mated, other_non_mated) = drawn(0), drawn(1)
    assert other_mated != mated
    assert len(non_mated) == 37
    assert len(other_non_mated & non_mated) < 18


@pytest.mark.parametrize("kind", ["any", "across-halves"])
def test_of_too_many_mated_pairs_identities_are_drawn_and_the_driver_draws_the_same(spark, monkeypatch, kind):
    monkeypatch.setattr(drawn_pairs, "MATED_AT_MOST", 600)
    half = None if kind == "any" else F.pmod(F.xxhash64("key"), F.lit(2))
    images = images_of(spark, paths_of([5] * 200))
    pairs, identities = draw_mated(images, COLUMNS, 20, half)
    met = set(keys_of(pairs.collect()))
    of_half = F.lit(0) if half is None else half
    table = images.select("identity", "identity_hash", "image_hash", "key", of_half.alias("half")).toPandas()
    ones, sizes = (table.groupby("identity")["half"].agg(how) for how in ("sum", "count"))
    there_are = sizes * (sizes - 1) // 2 if half is None else ones * (sizes - ones)
    assert identities["with_mated_pairs"] == (there_are > 0).sum()
    assert identities["drawn_from"] == pytest.approx((there_are > 0).sum() * 600 / there_are.sum(), rel=0.25)
    frame = table.sort_values("image_hash", ignore_index=True)
    known = {name: frame[name].to_numpy() for name in ("identity_hash", "image_hash", "half")}
    settings = EvaluationSettings(feature_root="x", mated_per_identity=20, pairs=kind)
    of_identity = np.unique(frame["identity"], return_inverse=True)[1]
    (a, b), mated, account = draw_numbers(known, np.arange(len(frame), dtype=np.int32), of_identity, settings)
    assert account == identities
    names = frame["key"].to_numpy()
    assert met == {frozenset(pair) for pair in zip(names[a[mated]], names[b[mated]], strict=True)}
    assert len(met) == mated.sum()


def test_images_without_identity_have_no_pair():
    with pytest.raises(InputError, match="no image with a label in every set has an identity") as refused:
        candidates_for(0, 0, 10)
    assert refused.value.setting == "id_key_index"
    assert refused.value.remedy == "use -2 for the parent folder, or give `pairs_file`"


def test_images_of_one_identity_have_no_non_mated_pair(spark):
    with pytest.raises(InputError, match=r"all images .* are of one identity, .* or give `pairs_file`"):
        draw_non_mated(images_of(spark, paths_of([5])).persist(), COLUMNS, 10)
