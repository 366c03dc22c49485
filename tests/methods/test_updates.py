"""What has to be computed beside an earlier result, and which lists are refused all the same."""

import pytest

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.image_list import with_identities
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.updates import Counted, Earlier, images_to_label
from tests.on_lowest import on_lowest

KNOWN = {f"p{person}/{number}.jpg": f"p{person}" for person in range(4) for number in range(3)}


def to_label(spark, images, known=KNOWN, identity_in_key=-2):
    """What is to be labelled of images, path to identity, where there are labels of others."""
    settings = MarginSettings(id_key_index=-2)
    listed = spark.createDataFrame([*images.items()], "path string, identity string")
    rows = [(*image, schemas.OK) for image in known.items()]
    labels = spark.createDataFrame(rows, "path string, identity string, status string")
    earlier = Earlier("labels", labels, were_cut=False, identity_in_key=identity_in_key)
    counted = Counted(schemas.MARGIN_STATUSES, mates_at_most=None, half=None, columns={})
    return images_to_label(with_identities(listed, settings), settings, -2, earlier, counted)


@pytest.mark.parametrize("identity_in_key", on_lowest([-2, -3], -2))
def test_images_of_changed_people_are_to_be_computed_and_keys_tell_their_identities(spark, identity_in_key):
    found = to_label(spark, {**KNOWN, "p1/3.jpg": "p1"}, identity_in_key=identity_in_key)
    assert sorted(row.path for row in found.images.collect()) == [f"p1/{number}.jpg" for number in range(4)]
    assert (found.few, found.listed.list_rows, found.identity_in_key) == (4, 13, -2)
    assert found.taken.counts.images == 9
    assert found.taken.counts.identities == 3


def test_a_list_that_has_not_changed_and_one_whose_changes_have_no_identity_are_sound(spark):
    unchanged = to_label(spark, KNOWN)
    assert (unchanged.few, unchanged.listed.list_rows, unchanged.taken.counts.images) == (0, 12, 12)
    alone = to_label(spark, {**KNOWN, "alone.jpg": None})
    assert [row.path for row in alone.images.collect()] == ["alone.jpg"]


def test_where_all_have_changed_all_are_to_be_computed(spark):
    new = {f"p9/{number}.jpg": "p9" for number in range(3)}
    found = to_label(spark, new)
    assert {row.path for row in found.images.collect()} == new.keys()
    assert (found.few, found.listed.list_rows, found.taken.counts.images, found.taken.counts.identities) == (3, 3, 0, 0)


def test_an_identity_that_a_key_does_not_tell_is_noticed(spark):
    found = to_label(spark, {**KNOWN, "p1/3.jpg": "p2"})
    assert not found.listed.identities_in_keys
    assert found.identity_in_key is None


@pytest.mark.parametrize(
    ("known", "added", "identity_in_key", "said"),
    [
        ({}, {"p1/2.png": "p1"}, -2, "1 key has several images, such as 'p1/2.jpg' and 'p1/2.png'"),
        ({}, {"p1/2.png": "p3"}, -2, "1 key has several images, such as 'p1/2.jpg' and 'p1/2.png'"),
        ({"p1/2.png": "p3"}, {"p1/3.jpg": "p1"}, None, "1 key has several images, such as 'p1/2.jpg' and 'p1/2.png'"),
        ({}, {"p1/../2.png": "p1"}, -2, "path 'p1/../2.png' climbs out of its root"),
    ],
)
def test_lists_are_refused_as_in_a_full_run(spark, known, added, identity_in_key, said):
    with pytest.raises(InputError, match=said):
        to_label(spark, {**KNOWN, **known, **added}, {**KNOWN, **known}, identity_in_key)
