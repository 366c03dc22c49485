"""The files in `conf/` say of Spark what the command line sets by itself."""

import pathlib
import re

import pytest

from fiqa_spark.runtime.session_conf import ALWAYS, EVERYWHERE, LOCALLY

CONF = pathlib.Path(__file__).resolve().parents[2] / "conf"
# What the two files say differently, and why.
DIFFERENT = {
    "spark.master": "the one is for a machine, the other for a cluster",
    "spark.driver.memory": "on one machine the driver is the executor too",
    "spark.driver.extraJavaOptions": "on one machine runs are short, and classes come from an archive that "
    "make setup left",
    "spark.log.level": "on one machine log lines would tear the progress bar",
}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@pytest.fixture(scope="module")
def stated(spark):
    """Key to value of each file, read as spark-submit reads it; sizes in bytes."""

    def read(name):
        properties = spark._jvm.java.util.Properties()
        stream = spark._jvm.java.io.FileInputStream(str(CONF / name))
        properties.load(stream)
        stream.close()
        return normalized({key: properties.getProperty(key) for key in properties.stringPropertyNames()})

    return {name: read(name) for name in ("local.conf", "yarn.conf")}


def normalized(values):
    """The same values without the blanks around them, which Spark takes away, and sizes in bytes."""
    return {key: in_bytes(value.strip()) for key, value in values.items()}


def in_bytes(value):
    size = re.fullmatch(r"(\d+)([kmg]?)", value)
    return int(size[1]) * _UNITS[size[2]] if size else value


def test_both_files_say_the_same_where_they_need_not_differ(stated):
    local, yarn = stated.values()
    assert {key for key in local.keys() & yarn.keys() if local[key] != yarn[key]} == set(DIFFERENT)


@pytest.mark.parametrize(("name", "defaults"), [("local.conf", EVERYWHERE | LOCALLY), ("yarn.conf", EVERYWHERE)])
def test_a_file_says_all_that_a_session_is_given_without_it(stated, name, defaults):
    assert stated[name] | normalized(defaults) == stated[name]


def test_what_is_for_one_machine_alone_is_not_said_of_a_cluster(stated):
    assert stated["yarn.conf"].keys() & LOCALLY.keys() <= EVERYWHERE.keys()


def test_what_a_session_is_given_always_is_not_said_where_it_would_not_count(stated):
    for values in (*stated.values(), EVERYWHERE, LOCALLY):
        assert not values.keys() & ALWAYS.keys()
