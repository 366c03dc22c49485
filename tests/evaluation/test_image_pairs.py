"""Pairs with what is known of them: the driver, workers and Spark give the same, and all what a loop gives."""

import csv

import numpy as np
import pytest
from pyspark.sql import functions as F

from fiqa_spark import MarginSettings
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation import drawn_pairs, few_images, numbered_images
from fiqa_spark.evaluation.image_pairs import image_pairs
from fiqa_spark.evaluation.labelled_images import labelled_images
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.feature_store import open_store, write_store
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.methods.mate_groups import with_mate_groups
from fiqa_spark.runtime.storage import Storage
from tests.evaluation.test_evaluate import set_of
from tests.labelling import embeddings_of, features_frame, paths_of
from tests.on_lowest import on_lowest

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
each_quality = pytest.mark.parametrize("how", on_lowest(QUALITY, "mean"))


def settings_of(**given):
    return EvaluationSettings(feature_root="x", id_key_index=-2, seed=SEED, **{"non_mated": 90, **given})


@pytest.fixture(scope="module")
def labels():
    """Path to label in two sets; an image lacks one."""
    random = np.random.default_rng(4)
    first, second = ({path: random.uniform(0, 3) for path in PATHS} for _ in range(2))
    return first, {**second, PATHS[10]: None}


@pytest.fixture(scope="module")
def images(spark, labels):
    """Labelled images, with their groups."""
    found = labelled_images([set_of(spark, f"set {number}", each) for number, each in enumerate(labels)], settings_of())
    groups = spark.createDataFrame(list(GROUPS.items()), "path string, group_number int")
    return found._replace(table=found.table.join(groups, "path", "left").persist())


@pytest.fixture(scope="module")
def path_of(images):
    """Hash of an image to its path."""
    return {row.image_hash: row.path for row in images.table.collect()}


def features_of(spark, vectors):
    return keyed_features(features_frame(spark, vectors), -2)


@pytest.fixture(scope="module")
def features(spark):
    return features_of(spark, embeddings_of(PATHS))


WAYS = {"few": (20_000, 4_000_000), "numbered": (0, 4_000_000), "many": (0, 0)}
"""How many images the driver alone compares the pairs of, and of how many it draws them."""


def at_most(patch, way):
    """Count so many images as few that pairs are drawn and compared in a certain way."""
    few, numbered = WAYS[way]
    patch.setattr(few_images, "IMAGES_AT_MOST", few)
    patch.setattr(numbered_images, "IMAGES_AT_MOST", numbered)


def all_ways(spark, images, settings):
    """Pairs by the driver, by workers and by Spark, and the account of them."""
    found = []
    for way in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            at_most(patch, way)
            found.append(image_pairs(spark, Storage(spark), images, NAMES, settings))
    pairs, accounts = zip(*found, strict=True)
    assert accounts[0] == accounts[1] == accounts[2]
    # Of listed pairs the driver alone knows numbers.
    assert len(set(map(type, pairs))) == (2 if settings.pairs_file else 3)
    return pairs, accounts[0]


def rows_of(compared):
    """All that is known of each pair by the hashes of its images."""
    columns = [compared.similarities, compared.mated, *compared.identities, *compared.qualities, *compared.lower]
    columns += [] if compared.groups is None else [compared.groups]
    values = zip(*(column.tolist() for column in columns), strict=True)
    rows = dict(zip(zip(*(side.tolist() for side in compared.images), strict=True), values, strict=True))
    assert len(rows) == len(compared.mated)
    return rows


def compared_all_ways(spark, images, settings, features):
    """Compared pairs, the same by any way, and the account of where they come from."""
    pairs, account = all_ways(spark, images, settings)
    compared, left_out = zip(*(each.compared(features) for each in pairs), strict=True)
    for found, without in zip(compared[1:], left_out[1:], strict=True):
        assert rows_of(found) == rows_of(compared[0])
        assert without == left_out[0]
    for found in compared:
        assert found.mated.dtype == bool
        assert {side.dtype for side in (*found.identities, *found.images)} == {np.dtype(np.int64)}
        assert {each.dtype for each in (found.similarities, *found.qualities, *found.lower)} == {np.dtype(np.float64)}
        assert found.groups is None or found.groups.dtype == np.int32
    return *compared, account


@each_quality
def test_pairs_have_the_quality_the_lower_label_and_the_group_of_their_images(
    spark, images, labels, path_of, features, how
):
    *compared, account = compared_all_ways(spark, images, settings_of(pair_quality=how), features)
    assert (account["source"], account["kind"]) == ("drawn", "any")
    for found in compared:
        pairs = [(path_of[a], path_of[b]) for a, b in zip(*found.images, strict=True)]
        for of_set, qualities, lower in zip(labels, found.qualities, found.lower, strict=True):
            assert qualities.tolist() == [QUALITY[how](of_set[a], of_set[b]) for a, b in pairs]
            assert lower.tolist() == [min(of_set[a], of_set[b]) for a, b in pairs]
        groups = [(GROUPS.get(a, -1), GROUPS.get(b, -1)) for a, b in pairs]
        assert found.groups.tolist() == [a if a == b else -1 for a, b in groups]
        assert {0, 1, -1} == set(found.groups.tolist())
        # Nothing is held twice.
        assert all((low is own) == (how == "min") for low, own in zip(found.lower, found.qualities, strict=True))


def test_without_groups_there_are_none(spark, images, features):
    ungrouped = images._replace(table=images.table.drop("group_number"))
    *compared, _ = compared_all_ways(spark, ungrouped, settings_of(), features)
    assert [found.groups for found in compared] == [None] * 3


@pytest.mark.parametrize("per_identity", [2, pytest.param(20, marks=pytest.mark.lowest_versions)])
def test_pairs_across_halves_are_those_that_labels_of_half_mates_have_not_seen(spark, images, features, per_identity):
    settings = settings_of(pairs="across-halves", mated_per_identity=per_identity)
    *compared, account = compared_all_ways(spark, images, settings, features)
    grouped = with_mate_groups(images.table.where("quality_1 is not null"), MarginSettings(half_mates=True, seed=SEED))
    half_of = {row.image_hash: (row.identity, row.mate_group) for row in grouped.collect()}
    halves = {}
    for image, (identity, group) in half_of.items():
        halves.setdefault(identity, {}).setdefault(group, []).append(image)
    expected = {
        identity: min(per_identity, np.prod([len(half) for half in of_identity.values()]))
        for identity, of_identity in halves.items()
        if len(of_identity) == 2
    }
    assert sum(expected.values()) > per_identity
    for found in compared:
        mated = [(half_of[a], half_of[b]) for a, b in np.stack(found.images, axis=1)[found.mated]]
        assert all(a[0] == b[0] and a[1] != b[1] for a, b in mated)
        assert {identity: sum(a[0] == identity for a, _ in mated) for identity in expected} == expected
        assert len(mated) == sum(expected.values())
    assert (account["source"], account["kind"]) == ("drawn", "across halves")
    assert account["identities"] == {"with_mated_pairs": len(expected), "drawn_from": len(expected)}


def test_non_mated_pairs_are_the_same_across_halves(spark, images, features):
    found = []
    for pairs in ("any", "across-halves"):
        drawn, _ = image_pairs(spark, Storage(spark), images, NAMES, settings_of(pairs=pairs))
        compared, _ = drawn.compared(features)
        found.append(np.stack(compared.images)[:, ~compared.mated])
    np.testing.assert_array_equal(*found)


def test_listed_pairs_carry_the_same(spark, images, labels, path_of, features, tmp_path):
    listed = [(PATHS[0], PATHS[2], 1), (PATHS[9], PATHS[11], 1), (PATHS[12], PATHS[0], 0), (PATHS[10], PATHS[11], 1)]
    with open(tmp_path / "pairs.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path_a", "path_b", "same"), *listed])
    settings = settings_of(pairs_file=str(tmp_path / "pairs.csv"), pair_quality="max")
    *compared, account = compared_all_ways(spark, images, settings, features)
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


@pytest.mark.lowest_versions
def test_features_of_several_models_compare_the_same_pairs_one_after_the_other(spark, images, features, path_of):
    other = {path: vector[:9] for path, vector in embeddings_of(PATHS, seed=9).items()}
    lacking = dict(list(other.items())[2:])
    for pairs in all_ways(spark, images, settings_of())[0]:
        first, left_out = pairs.compared(features)
        assert (len(first.mated), left_out) == (sum(pairs.counts.values()), {})
        of_other, left_out = pairs.compared(features_of(spark, lacking))
        expected = {
            images: (path_of[images[0]], path_of[images[1]])
            for images in rows_of(first)
            if {path_of[image] for image in images} <= lacking.keys()
        }
        assert left_out == {"missing_feature": len(first.mated) - len(expected)}
        found = rows_of(of_other)
        assert found.keys() == expected.keys()
        for images_of_pair, (path_a, path_b) in expected.items():
            a, b = (other[path].astype(float) for path in (path_a, path_b))
            similarity, *rest = found[images_of_pair]
            assert similarity == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
            assert rest == list(rows_of(first)[images_of_pair][1:])
        again, _ = pairs.compared(features)
        assert rows_of(again) == rows_of(first)


@pytest.mark.parametrize("way", WAYS)
def test_where_no_identity_has_images_in_both_halves_that_is_said(spark, monkeypatch, way):
    at_most(monkeypatch, way)
    alone = {f"p{number}/0.jpg": float(number) for number in range(5)}
    settings = settings_of(pairs="across-halves")
    images = labelled_images([set_of(spark, "a", alone)], settings)
    with pytest.raises(InputError) as refused:
        image_pairs(spark, Storage(spark), images, ["quality_0"], settings)
    assert str(refused.value) == (
        "pairs 'across-halves': no identity has labelled images in both of its halves, so that there is no mated pair "
        "across them; set `id_key_index` so that identities have several images, or use any"
    )


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


@pytest.mark.lowest_versions
@pytest.mark.parametrize("index", [-2, -1])
def test_vectors_in_buckets_meet_whether_or_not_the_buckets_are_by_identity(spark, images, features, tmp_path, index):
    unsorted = features_of(spark, embeddings_of(PATHS)).table.select("key", "feature", "problem")
    vectors = unsorted.withColumnRenamed("key", "path")
    write_store(
        Storage(spark), vectors, str(tmp_path / "store"), index=index, rows=len(PATHS), dimension=8, precision="float32"
    )
    store = open_store(spark, Storage(spark), str(tmp_path / "store"))
    assert store.stored.buckets > 1
    of_few, of_numbered, *_ = compared_all_ways(spark, images, settings_of(), store)
    pairs, _ = all_ways(spark, images, settings_of())
    assert rows_of(of_numbered) == rows_of(pairs[1].compared(features)[0])
    # Vectors of a bucket stay where they lie; those of pairs across buckets move.
    assert of_few.mated.any() and not of_few.mated.all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("in_store", [False, True])
def test_an_image_of_several_features_is_refused(spark, monkeypatch, images, features, tmp_path, way, in_store):
    at_most(monkeypatch, way)
    pairs, _ = image_pairs(spark, Storage(spark), images, NAMES, settings_of())
    twice = features.table.union(features.table.where(F.col("key") == "p0/3"))
    repeated = features._replace(table=twice)
    if in_store:
        vectors = twice.select(F.col("key").alias("path"), "feature", "problem")
        write_store(
            Storage(spark),
            vectors,
            str(tmp_path / "store"),
            index=-2,
            rows=len(PATHS) + 1,
            dimension=8,
            precision="float32",
        )
        repeated = open_store(spark, Storage(spark), str(tmp_path / "store"))
    with pytest.raises(InputError) as refused:
        pairs.compared(repeated)
    assert "2 features have the key 'p0/3'" in str(refused.value)


def test_a_feature_of_the_same_hash_and_another_key_is_left_alone(spark, monkeypatch, images, features):
    at_most(monkeypatch, "numbered")
    pairs, _ = image_pairs(spark, Storage(spark), images, NAMES, settings_of())
    alike = features.table.where(F.col("key") == "p0/3").withColumn("key", F.lit("stranger"))
    for changed in (features.table.union(alike), alike.union(features.table)):
        assert rows_of(pairs.compared(features._replace(table=changed))[0]) == rows_of(pairs.compared(features)[0])


def test_of_too_many_mated_pairs_the_same_identities_are_drawn(spark, monkeypatch, features):
    monkeypatch.setattr(drawn_pairs, "MATED_AT_MOST", 30)
    paths = paths_of([5] * 12)
    random = np.random.default_rng(6)
    sets = [set_of(spark, name, {path: random.uniform() for path in paths}) for name in ("a", "b")]
    images = labelled_images(sets, settings_of())
    for pairs in ("any", "across-halves"):
        *_, account = compared_all_ways(
            spark, images, settings_of(pairs=pairs), features_of(spark, embeddings_of(paths))
        )
        assert 0 < account["identities"]["drawn_from"] < account["identities"]["with_mated_pairs"]
