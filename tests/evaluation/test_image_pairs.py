"""Pairs with what is known of them: the driver, workers and Spark give the same, and all what a loop gives."""

import csv

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from fiqa_spark import MarginSettings
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation import few_images, numbered_images
from fiqa_spark.evaluation.drawn_pairs import draw_mated
from fiqa_spark.evaluation.image_pairs import image_pairs
from fiqa_spark.evaluation.labelled_images import labelled_images
from fiqa_spark.evaluation.numbered_pairs import compared_numbers
from fiqa_spark.evaluation.pair_similarities import ManyPairs, flat_pairs
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.feature_store import open_store, write_store
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.methods.mate_groups import with_mate_groups
from fiqa_spark.runtime.storage import Storage
from tests.evaluation.test_evaluate import set_of
from tests.labelling import embeddings_of, features_frame, paths_of

PATHS = paths_of([9, 6, 5, 2, 1])
NAMES = ["quality_0", "quality_1"]
SEED = 3
QUALITY = {
    "min": min,
    "max": max,
    "mean": lambda a, b: (a + b) / 2,
    "product": lambda a, b: a * b,
}
# Images of the first identity are of two groups, one has none; the second is of one, and the others have none.
GROUPS = {path: number % 2 for number, path in enumerate(PATHS[:8])} | dict.fromkeys(PATHS[9:15], 1)


def settings_of(**given):
    return EvaluationSettings(feature_root="x", id_key_index=-2, seed=SEED, **{"non_mated": 90, **given})


@pytest.fixture(scope="module")
def labels():
    """Path to label in two sets; an image lacks one, and another has no identity."""
    random = np.random.default_rng(4)
    first, second = ({path: random.uniform(0, 3) for path in (*PATHS, "alone.jpg")} for _ in range(2))
    return first, {**second, PATHS[10]: None}


def labelled(spark, labels):
    return labelled_images([set_of(spark, f"set {number}", each) for number, each in enumerate(labels)], settings_of())


@pytest.fixture(scope="module")
def images(spark, labels):
    """Labelled images, with their groups."""
    found = labelled(spark, labels)
    groups = spark.createDataFrame(list(GROUPS.items()), "path string, group_number int")
    table = found.table.join(groups, "path", "left")
    # Plans of pairs are short where that of the images is.
    return found._replace(table=spark.createDataFrame(table.collect(), table.schema).persist())


@pytest.fixture(scope="module")
def path_of(images):
    """Hash of an image to its path."""
    return {row.image_hash: row.path for row in images.table.collect()}


def features_of(spark, vectors):
    return keyed_features(features_frame(spark, vectors), -2)


@pytest.fixture(scope="module")
def features(spark):
    return features_of(spark, embeddings_of(PATHS))


def stored(spark, vectors, folder, index):
    """Features of a store that is written of a table of vectors, in buckets by such a part of the key."""
    keyed = vectors.select(F.col("key").alias("path"), "feature", "problem")
    sizes = {"rows": len(PATHS), "dimension": 8, "precision": "float32"}
    write_store(Storage(spark), keyed, str(folder), index=index, **sizes)
    return open_store(spark, Storage(spark), str(folder))


WAYS = {"few": (20_000, 4_000_000), "numbered": (0, 4_000_000), "many": (0, 0)}
"""How many images the driver alone compares the pairs of, and of how many it draws them."""


def at_most(patch, way):
    """Count so many images as few that pairs are drawn and compared in a certain way."""
    few, numbered = WAYS[way]
    patch.setattr(few_images, "IMAGES_AT_MOST", few)
    patch.setattr(numbered_images, "IMAGES_AT_MOST", numbered)


def by_ways(spark, images, settings, ways=WAYS):
    """Pairs by the driver, by workers and by Spark, and the account of them."""
    found = {}
    for way in ways:
        with pytest.MonkeyPatch.context() as patch:
            at_most(patch, way)
            found[way] = image_pairs(spark, Storage(spark), images, NAMES, settings)
    pairs = {way: drawn for way, (drawn, _) in found.items()}
    accounts = [account for _, account in found.values()]
    assert all(account == accounts[0] for account in accounts)
    assert len(set(map(type, pairs.values()))) == len(pairs)
    return pairs, accounts[0]


def rows_of(compared):
    """All that is known of each pair by the hashes of its images."""
    columns = [compared.similarities, compared.mated, *compared.identities, *compared.qualities, *compared.lower]
    columns += [] if compared.groups is None else [compared.groups]
    values = zip(*(column.tolist() for column in columns), strict=True)
    rows = dict(zip(zip(*(side.tolist() for side in compared.images), strict=True), values, strict=True))
    assert len(rows) == len(compared.mated)
    return rows


def alike(pairs, *features):
    """Pairs that each way has compared by its features, the same by any way, and why some are left out."""
    compared, left_out = zip(*(each.compared(own) for each, own in zip(pairs, features, strict=True)), strict=True)
    for found, without in zip(compared[1:], left_out[1:], strict=True):
        assert rows_of(found) == rows_of(compared[0])
        assert without == left_out[0]
    for found in compared:
        assert found.mated.dtype == bool
        assert {side.dtype for side in (*found.identities, *found.images)} == {np.dtype(np.int64)}
        assert {each.dtype for each in (found.similarities, *found.qualities, *found.lower)} == {np.dtype(np.float64)}
        assert found.groups is None or found.groups.dtype == np.int32
    return compared, left_out[0]


@pytest.fixture(scope="module")
def drawn(spark, images):
    """Pairs drawn by each way, and the account of them."""
    return by_ways(spark, images, settings_of(pair_quality="mean"))


OTHER = {path: vector[:9] for path, vector in embeddings_of(PATHS, seed=9).items()}
MISSING, USELESS = set(PATHS[:2]), {PATHS[5], PATHS[9], PATHS[11]}


@pytest.fixture(scope="module")
def of_other_model(spark, drawn):
    """Pairs by shorter features, of which two are missing and three of no use, and why some are left out.

    Features of other images have the hash of one.
    """
    vectors = {**OTHER, PATHS[5]: None, PATHS[9]: OTHER[PATHS[9]] * np.nan, PATHS[11]: OTHER[PATHS[11]][:4]}
    present = {path: vector for path, vector in vectors.items() if path not in MISSING}
    features = features_of(spark, present)
    one = features.table.where(F.col("key") == "p0/3").withColumn("feature", F.reverse("feature"))
    first, last = (one.withColumn("key", F.lit(name)) for name in ("stranger", "another"))
    table = first.unionByName(features.table).unionByName(last)
    return alike(drawn[0].values(), *3 * [features._replace(table=table)])


@pytest.fixture(scope="module")
def compared(spark, drawn, of_other_model, features, tmp_path_factory):
    """The same pairs by the features of a store, after those of another model have been there."""
    store = stored(spark, features.table, tmp_path_factory.mktemp("store") / "features", -2)
    assert store.stored.layout.buckets > 1
    # Spark looks the features up as the driver does, and then compares as without a store.
    pairs = [drawn[0][way] for way in ("few", "numbered")]
    found, left_out = alike(pairs, store, store)
    assert left_out == {}
    assert {len(each.mated) for each in found} == {sum(each.counts.values()) for each in pairs}
    # Vectors of a bucket stay where they lie; those of pairs across buckets move.
    assert found[0].mated.any() and not found[0].mated.all()
    return found


def similarity(vectors, path_a, path_b):
    a, b = (vectors[path].astype(float) for path in (path_a, path_b))
    return pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)


def test_pairs_have_the_quality_the_lower_label_and_the_group_of_their_images(drawn, compared, labels, path_of):
    _, account = drawn
    assert (account["source"], account["kind"]) == ("drawn", "any")
    for found in compared:
        pairs = [(path_of[a], path_of[b]) for a, b in zip(*found.images, strict=True)]
        for of_set, qualities, lower in zip(labels, found.qualities, found.lower, strict=True):
            assert qualities.tolist() == [QUALITY["mean"](of_set[a], of_set[b]) for a, b in pairs]
            assert lower.tolist() == [min(of_set[a], of_set[b]) for a, b in pairs]
        groups = [(GROUPS.get(a, -1), GROUPS.get(b, -1)) for a, b in pairs]
        assert found.groups.tolist() == [a if a == b else -1 for a, b in groups]
        assert {0, 1, -1} == set(found.groups.tolist())


@pytest.mark.parametrize("how", QUALITY)
def test_the_driver_gives_pairs_the_quality_that_is_asked_for(how):
    labels = np.random.default_rng(1).uniform(0, 3, (2, 5))
    hashes = {name: np.arange(5) for name in ("identity_hash", "image_hash")}
    numbers = np.array([0, 1, 4]), np.array([2, 0, 3])
    found = compared_numbers(
        hashes | dict(zip(NAMES, labels, strict=True)), numbers, np.ones(3, bool), np.zeros(3), NAMES, how
    )
    for own, lower, of_set in zip(found.qualities, found.lower, labels, strict=True):
        sides = list(zip(*(of_set[side] for side in numbers), strict=True))
        assert own.tolist() == [QUALITY[how](a, b) for a, b in sides]
        assert lower.tolist() == [min(a, b) for a, b in sides]
        # Nothing is held twice.
        assert (lower is own) == (how == "min")


IMAGE = "struct<path string, key string, identity_hash long, image_hash long, quality_0 double, quality_1 double>"


def test_spark_gives_pairs_the_quality_that_is_asked_for(spark):
    a, b = ("a", "a", 1, 1, 0.25, 2.5), ("b", "b", 2, 2, 1.5, 0.75)
    pair = spark.createDataFrame([(False, a, b)], f"same boolean, a {IMAGE}, b {IMAGE}")
    found = {how: flat_pairs(pair, NAMES, how) for how in QUALITY}
    lower = [f"lower_{name}" for name in NAMES]
    # The lower label is not held twice.
    assert {how for how, flat in found.items() if not set(lower) & set(flat.columns)} == {"min"}
    columns = {how: [*NAMES, *(() if how == "min" else lower)] for how in QUALITY}
    rows = [flat.select(F.lit(how), F.array(*columns[how])) for how, flat in found.items()]
    values = dict(tuple(row) for row in rows[0].union(rows[1]).union(rows[2]).union(rows[3]).collect())
    least = [min(labels) for labels in zip(a[4:], b[4:], strict=True)]
    for how, combined in QUALITY.items():
        own = [combined(*labels) for labels in zip(a[4:], b[4:], strict=True)]
        assert values[how] == own + ([] if how == "min" else least)


PER_IDENTITY = 8


@pytest.fixture(scope="module")
def across(spark, images, features, tmp_path_factory):
    """Pairs across halves by workers and by Spark, of images without groups, and the account of them.

    Workers compare features of a store whose buckets are of no identity. The driver draws as workers have it drawn.
    """
    ungrouped = images._replace(table=images.table.drop("group_number"))
    settings = settings_of(pairs="across-halves", mated_per_identity=PER_IDENTITY)
    pairs, account = by_ways(spark, ungrouped, settings, ("numbered", "many"))
    store = stored(spark, features.table, tmp_path_factory.mktemp("store") / "features", -1)
    assert store.stored.layout.buckets > 1
    return alike(pairs.values(), store, features)[0], account


def test_pairs_across_halves_are_those_that_labels_of_half_mates_have_not_seen(images, across):
    compared, account = across
    grouped = with_mate_groups(images.table.where("quality_1 is not null"), MarginSettings(half_mates=True, seed=SEED))
    half_of = {row.image_hash: (row.identity, row.mate_group) for row in grouped.collect()}
    halves = {}
    for image, (identity, group) in half_of.items():
        halves.setdefault(identity, {}).setdefault(group, []).append(image)
    there_are = {
        identity: np.prod([len(half) for half in of_identity.values()])
        for identity, of_identity in halves.items()
        if len(of_identity) == 2
    }
    # Some identities have more pairs than are wanted, and some have fewer.
    assert min(there_are.values()) < PER_IDENTITY < max(there_are.values())
    expected = {identity: min(PER_IDENTITY, count) for identity, count in there_are.items()}
    for found in compared:
        mated = [(half_of[a], half_of[b]) for a, b in np.stack(found.images, axis=1)[found.mated]]
        assert all(a[0] == b[0] and a[1] != b[1] for a, b in mated)
        assert {identity: sum(a[0] == identity for a, _ in mated) for identity in expected} == expected
        assert len(mated) == sum(expected.values())
    assert (account["source"], account["kind"]) == ("drawn", "across halves")
    assert account["identities"] == {"with_mated_pairs": len(expected), "drawn_from": len(expected)}


def test_without_groups_there_are_none_and_the_lower_label_is_not_held_twice(across):
    for found in across[0]:
        assert found.groups is None
        assert all(low is own for low, own in zip(found.lower, found.qualities, strict=True))


def test_non_mated_pairs_are_the_same_across_halves_and_of_whatever_features(compared, across):
    for column in (lambda found: np.stack(found.images, axis=1), lambda found: found.similarities):
        of_any, of_halves = (column(found[0])[~found[0].mated] for found in (compared, across[0]))
        np.testing.assert_array_equal(of_any, of_halves)


def test_pairs_do_not_depend_on_the_order_of_a_label_set(spark, images, labels):
    """What the driver knows of images, and so what it draws."""
    other = labelled(spark, [dict(reversed(each.items())) for each in labels])
    first = images._replace(table=images.table.drop("group_number"))
    for known in (few_images.few_images, numbered_images.numbered_images):
        of_either = (known(each, NAMES, settings_of(pairs="across-halves")) for each in (first, other))
        pd.testing.assert_frame_equal(*of_either)


def test_listed_pairs_carry_the_same(spark, images, labels, path_of, features, tmp_path):
    listed = [(PATHS[0], PATHS[2], 1), (PATHS[9], PATHS[11], 1), (PATHS[12], PATHS[0], 0), (PATHS[10], PATHS[11], 1)]
    with open(tmp_path / "pairs.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path_a", "path_b", "same"), *listed])
    settings = settings_of(pairs_file=str(tmp_path / "pairs.csv"), pair_quality="max")
    # Of listed pairs the driver alone knows numbers.
    pairs, account = by_ways(spark, images, settings, ("few", "many"))
    compared, _ = alike(pairs.values(), features, features)
    for found in compared:
        rows = [
            (path_of[a], path_of[b], *rest)
            for a, b, *rest in zip(
                *found.images, found.mated, found.qualities[0], found.lower[0], found.groups, strict=True
            )
        ]
        one, zero = GROUPS[PATHS[9]], GROUPS[PATHS[0]]
        expected = [(*listed[0], zero), (*listed[1], one), (*listed[2], -1)]
        ends = [
            (a, b, same, max(labels[0][a], labels[0][b]), min(labels[0][a], labels[0][b]), group)
            for a, b, same, group in expected
        ]
        assert sorted(rows) == sorted(ends)
    assert account["left_out"] == {"without_label_in_every_set": 1}
    assert "kind" not in account


def test_features_of_several_models_compare_the_same_pairs_one_after_the_other(of_other_model, compared, path_of):
    of_first = rows_of(compared[0])
    paths = {of_pair: tuple(path_of[image] for image in of_pair) for of_pair in of_first}
    lacking = {of_pair for of_pair, of_images in paths.items() if MISSING & set(of_images)}
    invalid = {of_pair for of_pair, of_images in paths.items() if USELESS & set(of_images)} - lacking
    found, left_out = of_other_model
    assert left_out == {"missing_feature": len(lacking), "invalid_feature": len(invalid)}
    others = rows_of(found[0])
    assert others.keys() == paths.keys() - lacking - invalid
    own = embeddings_of(PATHS)
    for of_pair, of_images in paths.items():
        expected, *rest = of_first[of_pair]
        assert expected == similarity(own, *of_images)
        if of_pair in others:
            assert others[of_pair] == (similarity(OTHER, *of_images), *rest)


def test_where_no_identity_has_images_in_both_halves_that_is_said(spark):
    settings = settings_of(pairs="across-halves")
    images = labelled_images([set_of(spark, "a", {f"p{number}/0.jpg": float(number) for number in range(5)})], settings)
    with pytest.raises(InputError) as refused:
        image_pairs(spark, Storage(spark), images, ["quality_0"], settings)
    assert str(refused.value) == (
        "pairs 'across-halves': no identity has labelled images in both of its halves, so that there is no mated pair "
        "across them; set `id_key_index` so that identities have several images, or use any"
    )
    # Spark draws no pair either.
    none = {"with_mated_pairs": 0, "drawn_from": 0}
    assert draw_mated(images.table, ("key", "identity"), 20, F.pmod("image_hash", F.lit(2)))[1] == none


def test_labels_below_0_are_not_multiplied(spark, labels):
    negative = {**labels[0], PATHS[2]: -0.25}
    # The lowest label of all belongs to an image that no pair is of.
    sets = [set_of(spark, "a", {**labels[0], PATHS[4]: None}), set_of(spark, "b", {**negative, PATHS[4]: -7.0})]
    with pytest.raises(InputError) as refused:
        labelled_images(sets, settings_of(pair_quality="product"))
    assert str(refused.value) == (
        "pair_quality /b: the product of two labels has no order where labels are below 0, and the lowest is -0.25; "
        "use min"
    )
    labelled_images(sets, settings_of(pair_quality="mean"))


def test_an_image_of_several_features_is_refused(spark, drawn, features, tmp_path):
    twice = features._replace(table=features.table.union(features.table.where(F.col("key") == "p0/3")))
    in_store = stored(spark, twice.table, tmp_path / "store", -2)
    sides = [(f"{key}.jpg", key, 1, number, 0.5, 0.5) for number, key in enumerate(("p0/3", "p0/4"))]
    pair = spark.createDataFrame([(True, *sides)], f"same boolean, a {IMAGE}, b {IMAGE}")
    many = ManyPairs(pair, NAMES, "min")
    for pairs, features_twice in ((drawn[0]["few"], in_store), (drawn[0]["numbered"], twice), (many, twice)):
        with pytest.raises(InputError, match="2 features have the key 'p0/3'"):
            pairs.compared(features_twice)
