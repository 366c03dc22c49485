"""What a notebook may hand over, and how everything else is refused: in one line, with the way out."""

import decimal
import functools
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import (
    LabelSettings,
    RecognizabilitySettings,
    generate_labels,
    read_labels,
    read_recognizability,
    score_recognizability,
)
from fiqa_spark.errors import FiqaError, InputError, SettingsError
from fiqa_spark.inputs.image_list import read_paths
from fiqa_spark.inputs.keys import identity_as_text
from fiqa_spark.inputs.notebook_arguments import given_features, given_images
from fiqa_spark.runtime.settings import checked
from fiqa_spark.runtime.storage import Storage
from fiqa_spark.schemas import LABELS
from tests.labelling import DIMENSION, SMALL, embeddings_of, features_frame, images_frame, label_rows, paths_of

PATHS = paths_of([4, 3, 5, 4])
VECTORS = embeddings_of(PATHS)
STRAY = "path string, feature array<float>"


@pytest.fixture(scope="module")
def images(spark):
    return images_frame(spark, PATHS)


@pytest.fixture(scope="module")
def features(spark):
    return features_frame(spark, VECTORS).persist()


def told(function, *arguments):
    with pytest.raises(FiqaError) as caught:
        function(*arguments)
    return str(caught.value)


OTHERS = {
    "pandas": (pd.DataFrame({"path": ["a"]}), "is a DataFrame of pandas, not a Spark DataFrame; give spark.createData"),
    "pandas column": (pd.Series(["a"]), "is a Series of pandas, not a Spark DataFrame; give spark.createDataFrame"),
    "Arrow": (
        pa.table({"path": ["a"]}),
        "is a Table of Arrow, not a Spark DataFrame; give spark.createDataFrame(table.",
    ),
    "list": (["a/1.jpg"], "is a list, not a Spark DataFrame; give one, such as spark.createDataFrame("),
    "NumPy": (np.zeros((2, 3)), "is a ndarray, not a Spark DataFrame; give one, such as"),
    "none": (None, "is None, not a Spark DataFrame; give one, such as spark.createDataFrame("),
    "text": ("/data/f", "/data/f: is a path, not a DataFrame; give spark.read."),
    "path": (pathlib.Path("/data/f"), "/data/f: is a path, not a DataFrame; give spark.read."),
}


@pytest.mark.lowest_versions
@pytest.mark.parametrize("function", [generate_labels, score_recognizability])
@pytest.mark.parametrize(("given", "said"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_spark_dataframe_is_refused_with_the_way_to_make_one(images, features, function, given, said):
    settings = LabelSettings(**SMALL) if function is generate_labels else RecognizabilitySettings()
    lines = {
        "images": told(function, given, features, settings),
        "features": told(function, images, given, settings),
    }
    for name, line in lines.items():
        assert line.startswith(f"{name} {said}" if said.startswith("/") else f"{name}: {said}")


@pytest.mark.lowest_versions
def test_the_ways_out_are_ones_and_other_types_give_the_same_labels(spark):
    """Frames of pandas with bytes for paths, with identities that it turned to fractions, and with rows left out.

    Vectors are lists in the one and bytes in the other, the two forms in which they cross to Python.
    """
    numbers = [int(path[1]) for path in PATHS]
    strays = [None, b"", b"p9/0.jpg"]
    frame = pd.DataFrame({"path": [*map(str.encode, PATHS), *strays], "identity": [*numbers, 1, 2, None]})
    assert frame["identity"].dtype == np.float64
    lists = [vector.tolist() for vector in VECTORS.values()]
    vectors = pd.DataFrame({"path": [*map(str.encode, VECTORS), *strays[:2]], "feature": [*lists, *lists[:2]]})
    given = spark.createDataFrame(frame, "path binary, identity double").where("trim(path) <> ''")
    rows = label_rows(spark, given, spark.createDataFrame(vectors).where("path <> ''"))
    assert {row.identity for row in rows.values()} == {"0", "1", "2", "3", None}
    whole = spark.createDataFrame(list(zip(PATHS, map(str, numbers), strict=True)), "path string, identity string")
    # A number of another image in the place of its own would be told by the index.
    as_bytes = [(path, bytearray(vector.astype("<f4").tobytes())) for path, vector in VECTORS.items()]
    features = spark.createDataFrame(as_bytes, "path string, feature binary")
    expected = label_rows(spark, whole, features, id_key_index=-3)
    assert {path: row for path, row in rows.items() if row.identity} == expected


COLUMNS = {
    "none": (["name", "person"], "images: no column 'path'; it has name, person; name it so"),
    "twice": (["path", "path"], "images: has the columns 'path' and 'path', and which one is meant cannot be told"),
    "two cases": (["path", "Path"], "images: has the columns 'path' and 'Path', and which one is meant cannot be"),
    "other case": (
        ["PATH", "person"],
        "images: no column 'path', but 'PATH'; rename it, withColumnRenamed('PATH', 'pa",
    ),
    "identity twice": (
        ["path", "identity", "identity"],
        "images: has the columns 'identity' and 'identity', and which",
    ),
    "identity in another case": (["path", "Identity"], "images: no column 'identity', but 'Identity'; rename it, with"),
}


@pytest.mark.lowest_versions
@pytest.mark.parametrize(("names", "said"), COLUMNS.values(), ids=COLUMNS)
def test_columns_that_are_missing_or_there_twice_are_told(spark, names, said):
    notebook = spark.newSession()
    # As in sessions that no job has opened.
    notebook.conf.set("spark.sql.caseSensitive", "false")
    images = notebook.createDataFrame([tuple("abc"[: len(names)])], [f"c{number}" for number in range(len(names))])
    assert told(given_images, images.toDF(*names)).startswith(said)


def test_a_stream_is_refused(spark):
    rows = spark.readStream.format("rate").load().selectExpr("'a' path")
    assert told(given_images, rows) == "images: is a stream, which has no end; give what it has written"


@pytest.mark.parametrize("name", ["path", "feature"])
def test_columns_of_features_that_are_missing_or_there_twice_are_told(features, name):
    assert told(given_features, features.drop(name)).startswith(f"features: no column '{name}'; it has ")
    twice = features.withColumn("again", features[name]).toDF("path", "feature", name)
    assert told(given_features, twice).startswith(f"features: has the columns '{name}' and '{name}', and which one")


def test_names_that_differ_by_case_are_two_where_spark_tells_case(spark):
    session = spark.newSession()
    session.conf.set("spark.sql.caseSensitive", "true")
    images = session.createDataFrame([("a", "b")], ["path", "Path"])
    assert [row.path for row in given_images(images).collect()] == ["a"]


@pytest.mark.lowest_versions
@pytest.mark.parametrize("kind", ["bigint", "double", "array<string>", "struct<origin: string>", "boolean"])
def test_a_path_that_is_no_text_is_told_with_its_type(spark, kind):
    table = spark.createDataFrame([], f"path {kind}, feature array<float>")
    shown = kind.replace(": ", ":")
    for name, function in (("images", given_images), ("features", given_features)):
        assert told(function, table) == f"{name}: 'path' is {shown}; give paths as text, as the image list has them"


def test_an_identity_that_is_a_list_is_told(spark):
    images = spark.createDataFrame([("a", ["b"])], "path string, identity array<string>")
    assert told(given_images, images) == "images: 'identity' is array<string>; give identities as text or numbers"


# Every pair of the three at least once.
@pytest.mark.parametrize(
    ("function", "index", "with_identity"),
    [
        (generate_labels, -2, True),
        (generate_labels, 0, False),
        (score_recognizability, -2, False),
        (score_recognizability, 0, True),
    ],
)
def test_images_without_a_path_are_counted(spark, features, function, index, with_identity):
    rows = [(None, "p0"), *((path, path[:2]) for path in PATHS), (None, None), (" ", "p1"), ("", None)]
    images = spark.createDataFrame(rows, "path string, identity string")
    images = images if with_identity else images.drop("identity")
    settings = LabelSettings if function is generate_labels else RecognizabilitySettings
    line = told(function, images, features, settings(id_key_index=index))
    said = "images: 4 of 20 rows have no path; leave them out, as in images.where(\"trim(path) <> ''\")"
    assert line == said


@pytest.mark.lowest_versions
def test_a_list_of_nulls_alone_is_told(spark, features):
    images = spark.createDataFrame([(None,), (None,)], "path void")
    line = told(generate_labels, images, features, LabelSettings(**SMALL))
    assert line.startswith("images: 2 of 2 rows have no path; ")


@pytest.mark.parametrize("path", [None, ""])
def test_features_without_a_path_are_told(spark, images, features, path):
    stray = spark.createDataFrame([(path, [1.0] * DIMENSION)], STRAY)
    said = "rows of the list or of the features have no path; leave them out, as in features.where(\"path <> ''\")"
    assert told(generate_labels, images, stray.union(features), LabelSettings(**SMALL)) == said


IDENTITIES = {
    "double": ([0.0, 42.0, -3.0, 2.5, float("nan"), float("inf"), None, 1e15], "double"),
    "float": ([0.0, 42.0, -3.0, 2.5, float("nan"), float("inf"), None, 1e6], "float"),
    "decimal": ([decimal.Decimal(text) for text in ("0", "42", "-3", "2.5")] + [None], "decimal(20,4)"),
    "bigint": ([0, 42, -3, None], "bigint"),
    "binary": ([b"0042", b"", None], "binary"),
    "string": (["0042", "42.0", "NaN", "", None], "string"),
    "boolean": ([True, None], "boolean"),
}
AS_TEXT = {
    "double": ["0", "42", "-3", "2.5", None, "Infinity", None, "1000000000000000"],
    "float": ["0", "42", "-3", "2.5", None, "Infinity", None, "1000000"],
    "decimal": ["0", "42", "-3", "2.5000", None],
    "bigint": ["0", "42", "-3", None],
    "binary": ["0042", "", None],
    "string": ["0042", "42.0", "NaN", "", None],
    "boolean": ["true", None],
}


# As Spark writes them.
ARROW_TYPES = {
    **{"double": pa.float64(), "float": pa.float32(), "decimal": pa.decimal128(20, 4), "bigint": pa.int64()},
    **{"binary": pa.binary(), "string": pa.string(), "boolean": pa.bool_()},
}


def in_one_job(tables):
    """Kind to path to identity, of tables by kind."""
    named = [table.select(F.lit(kind).alias("kind"), "path", "identity") for kind, table in tables.items()]
    found = {kind: {} for kind in tables}
    for row in functools.reduce(DataFrame.union, named).collect():
        found[row.kind][row.path] = row.identity
    return found


def test_identities_are_text_and_whole_numbers_have_no_fraction(spark, tmp_path):
    expected = {kind: {f"a/{n}.jpg": text for n, text in enumerate(texts)} for kind, texts in AS_TEXT.items()}
    shown, listed = {}, {}
    for kind, (values, column_type) in IDENTITIES.items():
        paths = list(expected[kind])
        table = spark.createDataFrame(list(zip(paths, values, strict=True)), f"path string, identity {column_type}")
        shown[kind] = table.select("path", identity_as_text(table).alias("identity"))
        stored = pa.table({"path": paths, "identity": pa.array(values, ARROW_TYPES[kind])})
        pq.write_table(stored, tmp_path / f"{kind}.parquet")
        listed[kind] = read_paths(spark, Storage(spark), str(tmp_path / f"{kind}.parquet"))
    assert in_one_job(shown) == in_one_job(listed) == expected


def test_a_number_that_no_double_tells_from_its_neighbours_stays_as_it_is(spark):
    table = spark.createDataFrame([(1e300,), (2.0**60,)], "identity double")
    assert [row[0] for row in table.select(identity_as_text(table)).collect()] == ["1.0E300", "1.15292150460684698E18"]


def test_settings_may_be_of_numpy_and_paths(spark):
    settings = LabelSettings(
        fix_num=np.int64(4),
        rounds=np.int32(3),
        seed=np.uint8(7),
        pool_size=np.array(40),
        estimator=np.str_("sampled"),
        load_feature=np.True_,
        image_root=pathlib.Path("/data/a"),
        feature_root=None,
    )
    plain = checked(settings)
    assert plain == LabelSettings(
        fix_num=4, rounds=3, seed=7, pool_size=40, estimator="sampled", load_feature=True, image_root="/data/a"
    )
    assert {type(value) for value in (plain.fix_num, plain.rounds, plain.seed, plain.pool_size)} == {int}
    assert {type(value) for value in (plain.estimator, plain.image_root)} == {str}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_root": 5}, "image_root 5: not a text"),
        ({"image_root": b"/data"}, "image_root b'/data': not a text"),
        ({"load_feature": "yes"}, "load_feature 'yes': use True or False"),
        ({"load_feature": 1}, "load_feature 1: use True or False"),
        ({"rounds": True}, "rounds True: not a whole number"),
        ({"rounds": np.float64(2.5)}, "rounds 2.5: not a whole number"),
        ({"estimator": None}, "estimator: choose one of sampled, exact"),
    ],
)
def test_a_setting_of_another_type_is_told(settings, said):
    assert told(checked, LabelSettings(**settings)) == said


def test_texts_for_truth_are_taken_as_on_the_command_line():
    assert checked(LabelSettings(load_feature="True")).load_feature is True
    assert checked(LabelSettings(load_feature="false")).load_feature is False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rounds": 3}, "settings: is dict, not settings of this function; give LabelSettings(...)"),
        (None, "settings: is NoneType, not settings of this function; give LabelSettings(...)"),
        (LabelSettings, "settings: is LabelSettings, not settings of this function; give LabelSettings(...)"),
        (RecognizabilitySettings(), "settings: is RecognizabilitySettings, not settings of this function; give Label"),
    ],
)
def test_other_settings_are_refused(images, features, given, said):
    with pytest.raises(SettingsError) as caught:
        generate_labels(images, features, given)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("centroid", ["ui_centroid.npy", pathlib.Path("ui_centroid.npy"), [[1.0], [1, 2]]])
def test_a_centroid_that_is_no_vector_is_refused(images, features, centroid):
    line = told(score_recognizability, images, features, RecognizabilitySettings(id_key_index=-2), centroid)
    assert line == "ui_centroid: is no vector of numbers; give an array, such as numpy.load('ui_centroid.npy')"


@pytest.mark.parametrize("read", [read_labels, read_recognizability])
def test_a_folder_may_be_a_path_and_what_is_none_is_told(spark, tmp_path, read):
    assert told(read, spark, tmp_path).startswith(f"{tmp_path}: no ")
    assert told(read, spark, None) == "folder: is None; give the path of a folder"
    assert told(read, spark, "") == "folder: is ''; give the path of a folder"
    assert told(read, spark, b"/data") == "folder: is b'/data'; give the path of a folder"
    assert told(read, str(tmp_path), spark) == f"spark: is {str(tmp_path)!r}"[:89] + "; give the SparkSession first"
    assert told(read, None, tmp_path) == "spark: is None; give the SparkSession first"


def test_labels_are_read_from_a_path(spark, tmp_path):
    spark.createDataFrame([], LABELS).write.parquet(str(tmp_path / "labels"))
    assert read_labels(spark, tmp_path).columns == LABELS.names


@pytest.mark.lowest_versions
def test_a_failure_inside_of_spark_is_told_in_a_notebook_too(spark, images, features, tmp_path):
    features.coalesce(1).write.parquet(str(tmp_path / "features"))
    features = spark.read.parquet(str(tmp_path / "features"))
    for file in (tmp_path / "features").glob("*.parquet"):
        file.unlink()
    with pytest.raises(InputError, match="is gone since the run began to read it"):
        generate_labels(images, features, LabelSettings(**SMALL))
