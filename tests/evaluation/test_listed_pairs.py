"""Pairs in a file, as they are read and as they count."""

import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.labelled_images import labelled_images
from fiqa_spark.evaluation.listed_pairs import read_listed_pairs, with_images
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.runtime.storage import Storage
from tests.evaluation.test_evaluate import set_of

ON_LOWEST = pytest.mark.lowest_versions
QUALITIES = {f"p{person}/{number}.jpg": person + number / 10 for person in range(2) for number in range(3)}


def read(spark, tmp_path, content):
    (tmp_path / "pairs.csv").write_bytes(content.encode())
    return read_listed_pairs(spark, Storage(spark), str(tmp_path / "pairs.csv"))


@pytest.fixture(scope="module")
def images(spark):
    return labelled_images([set_of(spark, "a", QUALITIES)], EvaluationSettings(feature_root="features"))


def known(images, tmp_path, *rows, root=""):
    """The two keys of each pair that counts and whether it is mated, and what is left out."""
    content = "path_a,path_b,same\n" + "".join(f"{row}\n" for row in rows)
    settings = EvaluationSettings(feature_root="features", pairs_file=str(tmp_path / "pairs.csv"), image_root=root)
    listed = read(images.table.sparkSession, tmp_path, content)
    pairs, left_out = with_images(listed, images, ("key", "quality_0"), ["quality_0"], settings)
    return sorted((*sorted((row.a.key, row.b.key)), row.same) for row in pairs.collect()), left_out


@pytest.mark.parametrize(
    "content",
    [
        "path_a,path_b,same\np0/0.jpg,p0/1.jpg,1\n",
        pytest.param("\ufeffSame; Path_A; Path_B; note\nTRUE ; p0/0.jpg ;p0/1.jpg;x\n", marks=ON_LOWEST),
        'path_a\tpath_b\tsame\r\n"p0/0.jpg"\tp0/1.jpg\u00a0\t1\r\n',
    ],
)
def test_pairs_of_any_separator_and_header(spark, tmp_path, content):
    (pair,) = read(spark, tmp_path, content).collect()
    assert tuple(pair) == ("p0/0.jpg", "p0/1.jpg", True)


@ON_LOWEST
def test_a_pair_its_reverse_and_its_repetition_count_once_and_lines_that_are_left_out_are_counted(images, tmp_path):
    found, left_out = known(
        images,
        tmp_path,
        "p0/0.jpg,p0/1.jpg,1",
        "p0/1.jpg,p0/0.jpg,1",
        "p0/0.jpg,p0/1.jpg,true",
        "/d/p0/1.png,p0/0.jpg ,1",
        "p0/0.jpg,p1/0.jpg,0",
        "p1/1.jpg,p0/0.jpg,0",
        "p0/0.jpg,p0/0.jpg,1",
        "p0/0.jpg,p0/0.jpg,1",
        "p0/0.jpg,x/0.jpg,0",
        root="/d",
    )
    assert found == [("p0/0", "p0/1", True), ("p0/0", "p1/0", False), ("p0/0", "p1/1", False)]
    # Each is left out for one reason, and its repetitions are counted apart.
    assert left_out == {"image_with_itself": 1, "in_no_label_set": 1, "repeated": 3 + 1}


def test_pairs_of_other_images_alone_are_refused(images, tmp_path):
    with pytest.raises(InputError) as refused:
        known(images, tmp_path, "elsewhere/0.jpg,elsewhere/1.jpg,1", "elsewhere/1.jpg,elsewhere/2.jpg,0")
    assert str(refused.value) == (
        f"{tmp_path}/pairs.csv: no pair is left to compare (2 in_no_label_set; key of a pair 'elsewhere/0', of a "
        "labelled image 'p0/0'); set `image_root` so that the keys below it agree, or label the images of the pairs"
    )


@pytest.mark.parametrize("other", ["p0/0.jpg,p0/1.jpg", "p0/1.png,./p0/0.npy"])
def test_a_pair_that_is_mated_and_non_mated_is_refused_with_both_lines(images, tmp_path, other):
    path_a, path_b = other.split(",")
    with pytest.raises(InputError) as refused:
        known(images, tmp_path, "p0/0.jpg,p0/1.jpg,1", f"{other},0", "p0/0.jpg,p1/0.jpg,0")
    assert str(refused.value) == (
        f"{tmp_path}/pairs.csv: one pair is non-mated and mated: {path_a!r}, {path_b!r} has 'same' 0, and 'p0/0.jpg', "
        "'p0/1.jpg' has 'same' 1; keep the right line"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "a/0.jpg a/1.jpg 1\n",
            "no column 'path_a'; the first line is 'a/0.jpg a/1.jpg 1'; begin it with the line path_a",
        ),
        ("", "no column 'path_a'; it is empty"),
        ("a,b,same\np0/0.jpg,p0/1.jpg,1\n", "no column 'path_a'; it has a, b, same"),
        ("path_a,path_b\na,b\n", "no column 'same'; it has path_a, path_b"),
        ("Path_A,PATH_A,path_b,same\na,a,b,1\n", "columns 'Path_A' and 'PATH_A' have one name"),
        ("path_a,path_b,same\na/0.jpg,,1\n", "pair 'a/0.jpg', None has 'same' '1'; write two paths"),
        pytest.param(
            "path_a,path_b,same\na/0.jpg,a/1.jpg,-1\n",
            "pair 'a/0.jpg', 'a/1.jpg' has 'same' '-1'; write two paths",
            marks=ON_LOWEST,
        ),
        (
            "path_a,path_b,same\na/0.jpg,a/1.jpg,yes\n",
            "pair 'a/0.jpg', 'a/1.jpg' has 'same' 'yes'; write two paths, and 1 for mated or 0 for non-mated",
        ),
        ('[["a/0.jpg", "a/1.jpg", 1]]', "is JSON"),
    ],
)
def test_what_is_no_list_of_pairs_is_refused(spark, tmp_path, content, said):
    with pytest.raises(InputError) as refused:
        read(spark, tmp_path, content)
    assert str(refused.value).startswith(f"{tmp_path}/pairs.csv: ")
    assert said in str(refused.value)


def test_a_file_that_is_not_there_or_holds_no_pair_is_refused(spark, images, tmp_path):
    with pytest.raises(
        InputError, match=r"nothing\.csv: no such file; give a CSV file with the columns path_a, path_b"
    ):
        read_listed_pairs(spark, Storage(spark), str(tmp_path / "nothing.csv"))
    with pytest.raises(InputError, match=r"pairs\.csv: no pair in the file; write a line a pair below the header"):
        known(images, tmp_path)
