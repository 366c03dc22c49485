"""Label sets in every form in which they may come."""

import functools

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.label_sets import read_label_sets, with_identity
from fiqa_spark.inputs.keys import identity_key
from fiqa_spark.methods.result_files import write_result
from fiqa_spark.runtime.storage import Storage

ON_LOWEST = pytest.mark.lowest_versions


def read(spark, *entries):
    return read_label_sets(spark, Storage(spark), tuple(map(str, entries)))


def rows_of(labels):
    return {row.path: (row.identity, row.quality, row.status) for row in labels.table.collect()}


@ON_LOWEST
def test_text_of_path_and_score(spark, tmp_path):
    file = tmp_path / "scores.txt"
    file.write_bytes(b"p0/my face.jpg\t12.5\r\np0/1.jpg 1e-3\n\n/data/p1/0.jpg nan\np1/a b.jpg inf\n")
    (labels,) = read(spark, file)
    assert (labels.name, labels.path, labels.quantity) == ("scores.txt", str(file), "score")
    assert rows_of(labels) == {
        "p0/my face.jpg": (None, 12.5, "ok"),
        "p0/1.jpg": (None, 0.001, "ok"),
        "/data/p1/0.jpg": (None, None, "no_score"),
        "p1/a b.jpg": (None, None, "no_score"),
    }
    assert {row.path: (row.identity, row.is_of_set) for row in with_identity(labels, -2).collect()} == {
        "p0/my face.jpg": ("p0", False),
        "p0/1.jpg": ("p0", False),
        "/data/p1/0.jpg": ("p1", False),
        "p1/a b.jpg": ("p1", False),
    }


@ON_LOWEST
def test_csv_with_whatever_columns_it_has(spark, tmp_path):
    whole, bare = tmp_path / "whole.csv", tmp_path / "bare=1.csv"
    whole.write_text('path,identity,label,status\n"a, ""b"".jpg",0042,7.5,ok\nc.jpg,0043,,too_few_images\n', "utf-8")
    bare.write_bytes("\ufeffquality,path\r\n3,ä/1.jpg\r\n,ä/2.jpg\r\n".encode())
    labels, named = read(spark, f"mine={whole}", f"other={bare}")
    assert (labels.name, labels.quantity, named.name, named.quantity) == ("mine", "label", "other", "score")
    assert rows_of(labels) == {'a, "b".jpg': ("0042", 7.5, "ok"), "c.jpg": ("0043", None, "too_few_images")}
    assert rows_of(named) == {"ä/1.jpg": (None, 3.0, "ok"), "ä/2.jpg": (None, None, "no_score")}


def rows_of_each(sets):
    """Name of a set to what `rows_of` gives, in one job."""
    columns = ("path", "identity", "quality", "status")
    named = [labels.table.select(F.lit(labels.name).alias("name"), *columns) for labels in sets]
    found = {labels.name: {} for labels in sets}
    for row in functools.reduce(DataFrame.union, named).collect():
        found[row.name][row.path] = (row.identity, row.quality, row.status)
    return found


def read_each(spark, folder, contents, name):
    """Label sets of files of these contents, named by their numbers."""
    entries = []
    for number, content in enumerate(contents):
        entries.append(f"{number}={folder}/{number}/{name}")
        (folder / str(number)).mkdir()
        (folder / str(number) / name).write_bytes(content.encode())
    return read(spark, *entries)


OFIQ = "Filename;UnifiedQualityScore;Sharpness;UnifiedQualityScore.scalar;Sharpness.scalar;assessment_time_in_ms"


def test_scores_of_ofiq_are_its_scalars_and_none_where_it_could_not_assess(spark, tmp_path):
    rows = [
        "p0/0.jpg;24.5;0.3;51;98;120.5",
        "p0/a b.jpg;27.1;0.1;77;3;99",
        "p1/0.png;0;0;-1;-1;8",
        "p1/1.png;1;1;0;0;8",
    ]
    (tmp_path / "ofiq.csv").write_text("\n".join([OFIQ, *rows]) + "\n", encoding="utf-8")
    (labels,) = read(spark, tmp_path / "ofiq.csv")
    assert labels.quantity == "score"
    assert rows_of(labels) == {
        "p0/0.jpg": (None, 51, "ok"),
        "p0/a b.jpg": (None, 77, "ok"),
        "p1/0.png": (None, None, "no_score"),
        "p1/1.png": (None, 0, "ok"),
    }


CSV_FILES = [
    'path, quality, identity\n"p0/a, b.jpg", 1.5, 0042\np0/1.jpg , 2 , 7\n',
    'Path;"Quality";IDENTITY;\n"p0/a, b.jpg";1.5;0042;\np0/1.jpg;2;7;\n',
    "identity\timage_path\tSCORE\n0042\tp0/a, b.jpg\t1.5\n7\tp0/1.jpg\t2\n",
    "quality|File Name|identity|note\r\n1.5|p0/a, b.jpg|0042|x\r\n2|p0/1.jpg\u00a0|7|\r\n",
    '\ufeff"image","label","identity","score"\n"p0/a, b.jpg","1.5","0042","9"\n"p0\\1.jpg","2","7","9"\n',
]


@ON_LOWEST
def test_csv_of_any_separator_and_header(spark, tmp_path):
    found = rows_of_each(read_each(spark, tmp_path, CSV_FILES, "scores.csv"))
    expected = {"p0/a, b.jpg": ("0042", 1.5, "ok"), "p0/1.jpg": ("7", 2.0, "ok")}
    assert found == {str(number): expected for number in range(len(CSV_FILES))}


def test_of_several_scores_the_one_that_is_read_is_told(spark, tmp_path, caplog):
    (tmp_path / "scores.csv").write_text("path,Quality,score\np0/0.jpg,1,90\n", encoding="utf-8")
    with caplog.at_level("WARNING", "fiqa_spark"):
        (labels,) = read(spark, tmp_path / "scores.csv")
    assert rows_of(labels) == {"p0/0.jpg": (None, 90, "ok")}
    assert caplog.messages == [f"of {tmp_path}/scores.csv the column 'score' is the score; 'quality' is not read"]


TEXT_FILES = [
    "p0/a b.jpg 1.5\np0/1.jpg\t2\n",
    "path score\np0/a b.jpg 1.5\np0/1.jpg 2\n",
    "path\tscore\np0/a b.jpg\t1.5\np0/1.jpg\t2\n",
    '"p0/a b.jpg";1.5\np0/1.jpg; 2\n',
    "p0/a b.jpg,1.5\r\np0/1.jpg,2\r\n",
    "\ufeffp0/a b.jpg\u00a01.5 \n\u00a0p0/1.jpg 2\u3000\n",
    "D:\\p0\\a b.jpg 1.5\nD:\\p0\\1.jpg 2\n",
]


@ON_LOWEST
def test_text_of_any_separator(spark, tmp_path):
    sets = read_each(spark, tmp_path, TEXT_FILES, "scores")
    *others, of_windows = rows_of_each(sets).values()
    expected = {"p0/a b.jpg": (None, 1.5, "ok"), "p0/1.jpg": (None, 2.0, "ok")}
    assert others == [expected] * (len(TEXT_FILES) - 1)
    assert of_windows == {f"D:/{path}": row for path, row in expected.items()}
    identities = [with_identity(labels, -2).select("identity") for labels in sets]
    assert {row.identity for row in functools.reduce(DataFrame.union, identities).collect()} == {"p0"}


@ON_LOWEST
def test_results_of_the_jobs(spark, tmp_path):
    rows = [
        ("p0/0.jpg", "p0", 12.5, "ok", 0.1, 0.01, 4, 4, [12.0, 13.0]),
        ("p0/1.jpg", "p0", None, "missing_feature", None, None, 0, 0, None),
        ("p2/0.jpg", "0042", None, "too_few_images", None, None, 0, 0, None),
    ]
    labels = spark.createDataFrame(rows, schemas.LABELS)
    keyed = labels.withColumn(schemas.IDENTITY_KEY, identity_key(labels["path"], -2))
    write_result(keyed, schemas.LABELS, f"{tmp_path}/run/labels", "identity", 2)
    scores = spark.createDataFrame([("p0/0.jpg", "p0", 0.5, True, "ok")], schemas.RECOGNIZABILITY)
    keyed = scores.withColumn(schemas.IDENTITY_KEY, identity_key(scores["path"], -2))
    write_result(keyed, schemas.RECOGNIZABILITY, f"{tmp_path}/ers/recognizability", "identity", 2)
    read_labels, read_scores = read(spark, tmp_path / "run", tmp_path / "ers")
    assert (read_labels.name, read_labels.quantity) == ("run", "label")
    assert rows_of(read_labels) == {path: (identity, label, status) for path, identity, label, status, *_ in rows}
    assert (read_scores.name, read_scores.quantity) == ("ers", "ERS")
    assert rows_of(read_scores) == {"p0/0.jpg": ("p0", 0.5, "ok")}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("p0/0.jpg\n", "line 'p0/0.jpg' is no path with a score; write 'path score'"),
        pytest.param("p0/0.jpg high\n", "the score of 'p0/0.jpg' is 'high', which is no number", marks=ON_LOWEST),
        ("path,note\na,b\n", "no column label or ers or score or quality; it has path, note"),
        pytest.param("path,label\na.jpg,low\n", "the score of 'a.jpg' is 'low', which is no number", marks=ON_LOWEST),
        (
            "path;score\na.jpg;50,5\n",
            "the score of 'a.jpg' is '50,5', which is no number; write it with a decimal point",
        ),
        ("a.jpg 50,5\n", "the score of 'a.jpg' is '50,5', which is no number; write it with a decimal point"),
        ("a.jpg;50,5\nb.jpg;60,5\n", "the score of 'a.jpg' is '50,5', which is no number; write it with a decimal"),
        ("path,QUALITY,Quality \na.jpg,1,2\n", "columns 'QUALITY' and 'Quality' have one name"),
        ("Filename;UnifiedQualityScore\na.jpg;24.5\n", "no column label or ers or score or quality; it has Filename, "),
        ("p/0.jpg" + " 0.5" * 512 + "\n", "a path and 512 numbers, as MagFace's feat.list does, and no score; write"),
        ("p/0" + " 0.5" * 128 + "\n", "a path and 128 numbers, as MagFace's feat.list does, and no score"),
        ("p/0.jpg 1 2\n", "line 'p/0.jpg 1 2' holds 2 numbers, and which one is the score cannot be told"),
        ("p/0.jpg 1\n" * 9 + "p/1.jpg 1 2\n", "line 'p/1.jpg 1 2' is no path with a score"),
        ('{"path": "a.jpg", "score": 3}\n', "is JSON; write CSV with a header"),
        (b"\x80\x04\x95\x10", "is a Python pickle"),
        (b"PAR1\x15\x04", "is Parquet"),
        ("../p0/0.jpg 1\n", "path '../p0/0.jpg' climbs out of its root; remove its '..' parts"),
        (b"caf\xe9.jpg 1\n", "not UTF-8"),
        pytest.param(b"\x00\xf7\r,\x81\rpath\n", "not UTF-8", marks=ON_LOWEST),
    ],
)
def test_what_is_no_label_set_is_refused(spark, tmp_path, content, said):
    file = tmp_path / "file"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as refused:
        read(spark, file)
    assert str(file) in str(refused.value)
    assert said in str(refused.value)


def test_names_are_told_apart(spark, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "scores.txt").write_text("p/0.jpg 1\n")
    with pytest.raises(
        InputError, match=r"/b/scores\.txt: is named 'scores\.txt', and so is .*/a/scores\.txt; give them as NAME=PATH"
    ):
        read(spark, tmp_path / "a" / "scores.txt", tmp_path / "b" / "scores.txt")
    with pytest.raises(InputError, match="give NAME=PATH, the name of 1 to 80 characters"):
        read(spark, f"={tmp_path}/a/scores.txt")
    with pytest.raises(InputError, match="no such file or folder"):
        read(spark, tmp_path / "nothing")
