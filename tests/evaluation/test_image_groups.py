"""Groups in a file, as they are read and as images get them."""

import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.image_cuts import image_facts
from fiqa_spark.evaluation.image_groups import check_groups, read_groups, with_groups
from fiqa_spark.evaluation.labelled_images import labelled_images
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.runtime.storage import Storage
from tests.evaluation.test_evaluate import set_of

ON_LOWEST = pytest.mark.lowest_versions
QUALITIES = {f"p{person}/{number}.jpg": person + number / 10 for person in range(3) for number in range(2)}


@pytest.fixture(scope="module")
def images(spark):
    """Labelled images that have no groups, by the part of their paths that is the identity."""
    return {
        index: labelled_images(
            [set_of(spark, "a", QUALITIES)], EvaluationSettings(feature_root="f", id_key_index=index)
        ).table
        for index in (-2, 7)
    }


def read(spark, tmp_path, content, root=""):
    (tmp_path / "groups.csv").write_bytes(content.encode())
    settings = EvaluationSettings(feature_root="f", groups=str(tmp_path / "groups.csv"), image_root=root)
    return read_groups(spark, Storage(spark), settings)


def grouped(spark, tmp_path, content, root=""):
    """Name of the group of every labelled image, by key."""
    groups = read(spark, tmp_path, content, root)
    settings = EvaluationSettings(feature_root="f", image_root=root, id_key_index=-2)
    table = labelled_images([set_of(spark, "a", QUALITIES)], settings, groups).table
    assert dict(table.dtypes)["group_number"] == "int"
    rows = table.select("key", "group_number").collect()
    return {row.key: None if row.group_number is None else groups.names[row.group_number] for row in rows}


@pytest.mark.parametrize(
    "content",
    [
        "path,group\np0/0.jpg,x\np1/1.jpg,y\n",
        pytest.param("\ufeffGroup; File; note\n x ;/d/p0/0.png;1\ny; p1//1.jpg\u00a0;2\n", marks=ON_LOWEST),
        'id\tGROUP\timage_path\r\n1\tx\t"./p0/0.jpg"\r\n2\ty\tp1/1\r\n3\ty\tp1/1.jpg\r\n',
    ],
)
def test_groups_by_path_meet_the_keys_of_images(spark, tmp_path, content):
    groups = read(spark, tmp_path, content, root="/d")
    assert {row.key: groups.names[row.group_number] for row in groups.table.collect()} == {"p0/0": "x", "p1/1": "y"}


@ON_LOWEST
def test_images_without_a_group_of_their_path_have_none(spark, tmp_path):
    found = grouped(spark, tmp_path, "path,group\n/d/p0/0.png,x\np1/1.jpg,y\n", root="/d")
    assert found == dict.fromkeys(found) | {"p0/0": "x", "p1/1": "y"}
    assert len(found) == len(QUALITIES)


@ON_LOWEST
def test_groups_by_identity_are_those_of_all_its_images(spark, tmp_path):
    found = grouped(spark, tmp_path, "group|Identity\nold|p2\nnew|p0\nnew|p0\nold|p9\n")
    names = {"p0": "new", "p1": None, "p2": "old"}
    assert found == {key: names[key.split("/")[0]] for key in found}


def test_groups_have_the_numbers_of_their_sorted_names(spark, tmp_path):
    names = [f"g{number}" for number in range(100)]
    groups = read(spark, tmp_path, "path,group\n" + "".join(f"p0/{name},{name}\n" for name in reversed(names)))
    assert groups.names == tuple(sorted(names))
    assert {row.key: groups.names[row.group_number] for row in groups.table.collect()} == {
        f"p0/{name}": name for name in names
    }


def test_groups_that_were_read_are_told_with_their_labels(spark, tmp_path):
    groups = read(spark, tmp_path, "path,group\np0/0.jpg,x\np1/0.jpg,x\np1/1.jpg,y\n")
    images = labelled_images(
        [set_of(spark, "a", QUALITIES)], EvaluationSettings(feature_root="f", id_key_index=-2), groups
    )
    found = image_facts(images, ["quality_0"], ["a"], groups).groups
    assert (found.images, found.without_group) == (3, 3)
    assert [(each.group, each.images, each.mean, each.interval is None) for each in found.labels] == [
        ("x", 2, pytest.approx(0.5), False),
        ("y", 1, pytest.approx(1.1), True),
    ]
    # Who does not ask for groups gets none, though the images have some.
    assert image_facts(images, ["quality_0"], ["a"]).groups is None


def test_images_have_no_column_of_groups_unless_there_are_any(images):
    assert "group_number" not in images[-2].columns


MANY = "".join(f"p0/{number}.jpg,g{number:03}\n" for number in range(101))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no column 'group'; it is empty; begin it with the line path,group or identity,group"),
        (
            "p0/0.jpg,x\n",
            "no column 'group'; the first line is 'p0/0.jpg,x'; begin it with the line path,group or identity,group",
        ),
        ("path,sex\na,b\n", "no column 'group'; it has path, sex; name the one that holds the groups 'group'"),
        (
            "person,group\na,b\n",
            "no column 'path' or 'identity'; it has person, group; give one of the two names to the one that "
            "tells whose group it is",
        ),
        (
            "File,identity,group\na,b,c\n",
            "columns 'File' and 'identity' both tell whose group it is, and which one counts cannot be told; leave one "
            "of them out",
        ),
        ("path,Group,GROUP\na,b,c\n", "columns 'Group' and 'GROUP' have one name; keep the right one"),
        ("path,file,group\na,b,c\n", "columns 'path' and 'file' may be the path of the image; keep one of them"),
        ("path,group\n", "no line below the header; write a line path,group for each path"),
        pytest.param(
            "path,group\np0/0.jpg,x\np0/1.jpg, \n",
            "path 'p0/1.jpg' has no group; write one, or leave the line out",
            marks=ON_LOWEST,
        ),
        ("identity,group\np0,\n", "identity 'p0' has no group; write one, or leave the line out"),
        ("identity,group\np0,x\n ,y\n", "a line of the group 'y' has no identity; write one, or leave the line out"),
        ("path,group\np0/0.jpg,x\n,\n", "a line has neither path nor group; write one, or leave the line out"),
        (
            f"path,group\n{MANY}",
            "the column 'group' has more than 100 values, such as 'g000', 'g001', 'g002'; most likely it is the wrong "
            "column: give one of few values",
        ),
        ('[{"path": "a", "group": "b"}]', "is JSON; write CSV with a header, or text"),
    ],
)
def test_what_tells_no_groups_is_refused(spark, tmp_path, content, said):
    with pytest.raises(InputError) as refused:
        read(spark, tmp_path, content)
    assert str(refused.value) == f"{tmp_path}/groups.csv: {said}"


def test_a_file_that_is_not_utf8_is_refused_with_its_setting(spark, tmp_path):
    (tmp_path / "groups.csv").write_bytes("path,group\na/0.jpg,größer\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8") as refused:
        read_groups(spark, Storage(spark), EvaluationSettings(feature_root="f", groups=str(tmp_path / "groups.csv")))
    assert refused.value.setting == "groups"


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_is_not_there_is_refused(spark, tmp_path, name):
    settings = EvaluationSettings(feature_root="f", groups=str(tmp_path / name))
    with pytest.raises(
        InputError, match=r": no such file; give a CSV file with the columns path or identity, and group"
    ):
        read_groups(spark, Storage(spark), settings)


@pytest.mark.parametrize(
    ("content", "index", "said"),
    [
        pytest.param(
            "path,group\np0/0.jpg,x\n./p0/0.png,y\n",
            -2,
            "the key 'p0/0' has the groups 'x' and 'y'; keep one",
        ),
        ("identity,group\np1,y\np1,x\n", -2, "the identity 'p1' has the groups 'x' and 'y'; keep one"),
        (
            "path,group\nimages/p1/0.jpg,x\nimages/p0/0.jpg,y\n",
            -2,
            "names no labelled image (key in the file 'images/p0/0', of a labelled image 'p0/0'); set `image_root` so "
            "that the keys below it agree, or give the groups of the labelled images",
        ),
        (
            "identity,group\nq1,x\nq0,x\n",
            -2,
            "names no labelled image (identity in the file 'q0', of a labelled image 'p0'); set `id_key_index`, write "
            "identities as the labels have them, or give groups by path",
        ),
        (
            "identity,group\np1,x\n",
            7,
            "names identities such as 'p1', and no labelled image has one; set `id_key_index`, write identities as the "
            "labels have them, or give groups by path",
        ),
    ],
)
def test_groups_that_images_cannot_have_are_refused(spark, images, tmp_path, content, index, said):
    groups = read(spark, tmp_path, content)
    with pytest.raises(InputError) as refused:
        check_groups(with_groups(images[index], groups), groups)
    assert str(refused.value) == f"{tmp_path}/groups.csv: {said}"
