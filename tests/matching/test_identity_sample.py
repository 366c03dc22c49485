"""The sample of whole identities: which images it holds, however the list and the features are."""

from collections import Counter

import numpy as np
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.image_list import CheckedList, first_images, identified_images, read_paths
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.kernels.embeddings import embeddings_and_norms
from fiqa_spark.matching import identity_sample
from fiqa_spark.matching.identity_sample import Wanted, check_with_identities, draw_with_identities
from fiqa_spark.matching.sample import rows_to_draw_from
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.mate_groups import columns_of_groups, group_column, with_mate_groups
from fiqa_spark.runtime.sql_conf import planned_by_identity
from fiqa_spark.runtime.storage import Storage
from tests.labelling import embeddings_of, features_frame, images_frame, paths_of

SIZES = [1, 3, 1, 7, 2, 30, 5, 1, 4, 8, 1, 2, 6, 3, 9, 4, 1, 5, 2, 6]
PATHS = paths_of(SIZES)
POOL_SIZE = 12


REPEATED = [*PATHS, *PATHS[:30]]
VECTORS = embeddings_of(PATHS)
FIRST = rows_to_draw_from(POOL_SIZE)


def settings_with(half_mates=False):
    return MarginSettings(id_key_index=-2, seed=3, half_mates=half_mates)


def images_of(spark, paths, half_mates=False):
    """The images of a list, and its rows."""
    settings = settings_with(half_mates)
    images = with_mate_groups(identified_images(images_frame(spark, paths), settings, -2), settings).persist()
    return images, images.collect()


@pytest.fixture(scope="module")
def listed(spark):
    return images_of(spark, REPEATED)


@pytest.fixture(scope="module")
def features(spark):
    return keyed_features(features_frame(spark, VECTORS).persist(), -2)


def wanted_of(size, half_mates=False):
    settings = settings_with(half_mates)
    return Wanted(size, group_column(settings), ("image_hash", *columns_of_groups(settings)))


def drawn(images, rows, features, size, half_mates=False):
    first = first_images(images, FIRST)
    checked = CheckedList(len(rows), True, first)
    return draw_with_identities(images, features, checked, POOL_SIZE, wanted_of(size, half_mates))


def usable_paths(rows, vectors):
    """Path to row of the images that can be used, in the order of their hashes."""
    rows = sorted(rows, key=lambda row: row.image_hash)
    return {row.path: row for row in rows if row.path in vectors and np.any(vectors[row.path])}


def expected_paths(rows, vectors, size, most=1000):
    """Paths of the sample by its definition."""
    usable = usable_paths(rows, vectors)
    chosen = []
    for identity in sorted({row.identity_hash for row in usable.values()}):
        own = sorted((row for row in usable.values() if row.identity_hash == identity), key=lambda row: row.image_hash)
        if len(own) > 1 and len(chosen) < size:
            chosen += [row.path for row in own[:most]]
    return chosen


@pytest.fixture
def from_a_part(monkeypatch):
    """A part of the list is looked at first."""
    monkeypatch.setattr(identity_sample, "_ROWS_AT_LEAST", 8)
    monkeypatch.setattr(identity_sample, "with_extra", lambda count: count + 2)


@pytest.mark.parametrize(("damage", "size"), [("none", 40), ("missing", 1000), ("broken", 10), ("broken", 1000)])
@pytest.mark.usefixtures("from_a_part")
def test_the_sample_is_whole_identities_in_the_order_of_their_hashes(spark, listed, features, size, damage):
    vectors, gone = VECTORS, [path for number, path in enumerate(PATHS) if number % 3]
    if damage == "missing":
        vectors = {path: vector for path, vector in VECTORS.items() if path not in gone}
    if damage == "broken":
        vectors = VECTORS | {path: VECTORS[path] * 0 for path in gone}
    if damage != "none":
        features = keyed_features(features_frame(spark, vectors), -2)
    both = drawn(*listed, features, size)
    expected = expected_paths(listed[1], vectors, size)
    assert both.sample.frame["path"].tolist() == expected
    found = embeddings_and_norms(np.array([vectors[path] for path in expected]))
    np.testing.assert_array_equal(both.sample.embeddings, found[0])
    np.testing.assert_array_equal(both.sample.norms, found[1])
    assert both.pool.frame["path"].tolist() == [*usable_paths(listed[1], vectors)][:POOL_SIZE]


@pytest.mark.parametrize("about_rows", [1, 130, 500, 5000])
@pytest.mark.usefixtures("from_a_part")
def test_one_reading_of_the_list_finds_what_several_do_however_many_rows_were_expected(
    spark, listed, features, monkeypatch, about_rows
):
    monkeypatch.setattr(identity_sample, "_OF_AN_IDENTITY", 6)
    images, rows = listed
    wanted = wanted_of(20)
    with planned_by_identity(spark):
        checked, identities = check_with_identities(images, settings_with(), POOL_SIZE, wanted, about_rows)
    expected = [*usable_paths(rows, VECTORS)][:POOL_SIZE]
    assert checked[:2] == (len(REPEATED), True)
    assert checked.first["path"].tolist()[:POOL_SIZE] == expected
    if about_rows in (1, 5000):
        assert (identities is None) == (about_rows == 5000)
    both = draw_with_identities(images, features, checked, POOL_SIZE, wanted, identities)
    assert both.sample.frame["path"].tolist() == expected_paths(rows, VECTORS, 20, most=6)
    assert both.pool.frame["path"].tolist() == expected


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (b"p0/0.jpg\np0/1.jpg", "every image has the identity 'p0'"),
        (b"p0/0.jpg\np1/0.jpg\np\xff/1.jpg", "not UTF-8"),
        (b"p0/0.jpg\np1/0.jpg\np1/../0.jpg", "climbs out of its root"),
    ],
)
def test_a_list_is_refused_while_identities_are_looked_for(spark, tmp_path, lines, said):
    (tmp_path / "images.txt").write_bytes(lines)
    settings = MarginSettings(id_key_index=-2)
    images = identified_images(read_paths(spark, Storage(spark), str(tmp_path / "images.txt")), settings, -2)
    wanted = Wanted(20, group_column(settings), ())
    with planned_by_identity(spark), pytest.raises(InputError, match=said):
        check_with_identities(images, settings, POOL_SIZE, wanted, 2)


def test_an_identity_gives_its_first_images_alone(listed, features, monkeypatch):
    monkeypatch.setattr(identity_sample, "_OF_AN_IDENTITY", 4)
    both = drawn(*listed, features, 1000)
    assert both.sample.frame["path"].tolist() == expected_paths(listed[1], VECTORS, 1000, most=4)
    assert max(Counter(both.sample.frame["identity"]).values()) == 4


def test_of_the_first_images_of_an_identity_those_count_that_have_a_mate_in_their_half(spark, features, monkeypatch):
    monkeypatch.setattr(identity_sample, "_OF_AN_IDENTITY", 4)
    images, rows = images_of(spark, PATHS, half_mates=True)
    both = drawn(images, rows, features, 1000, half_mates=True)
    first = {row.path: row for row in rows if row.path in set(expected_paths(rows, VECTORS, 1000, most=4))}
    mates = Counter(row.mate_group for row in first.values())
    expected = [row for row in first.values() if mates[row.mate_group] > 1]
    assert 0 < len(expected) < len(first)
    expected.sort(key=lambda row: (row.identity_hash, row.mate_group, row.image_hash))
    assert both.sample.frame["path"].tolist() == [row.path for row in expected]


def test_a_list_without_mates_gives_no_sample(spark):
    paths = paths_of([1] * 15)
    features = keyed_features(features_frame(spark, embeddings_of(paths)), -2)
    both = drawn(*images_of(spark, paths), features, 10)
    assert len(both.sample.frame) == len(both.sample.embeddings) == 0
    assert len(both.pool.frame) == POOL_SIZE
