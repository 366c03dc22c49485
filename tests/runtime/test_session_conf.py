"""The files in `conf/` say of Spark what the command line sets by itself."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
from pyspark import SparkConf

from fiqa_spark.runtime.session_conf import (
    ALWAYS,
    EVERYWHERE,
    LOCALLY,
    WORKER_ENVIRONMENT,
    of_worker_daemon,
    of_worker_daemon_on_yarn,
)

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


DAEMON, PATH = "spark.python.daemon.module", "spark.executorEnv.PYTHONPATH"
FILES = "spark.yarn.dist.pyFiles"
MODULE = "fiqa_spark.runtime.worker_daemon"


@pytest.mark.lowest_versions
def test_workers_are_forked_from_a_process_that_has_read_pandas(spark):
    def of_worker(_):
        command = pathlib.Path(f"/proc/{os.getppid()}/cmdline").read_bytes().split(b"\0")
        return command[2].decode(), "pandas" in sys.modules

    # No function of this session's workers has asked for pandas here.
    assert spark.sparkContext.range(1).map(of_worker).collect() == [(MODULE, True)]


@pytest.mark.parametrize(
    ("set_by_user", "given"),
    [
        ({}, {DAEMON: MODULE, PATH: "/scratch/package.zip"}),
        ({PATH: "/own:/other"}, {DAEMON: MODULE, PATH: "/scratch/package.zip:/own:/other"}),
        ({DAEMON: "own.daemon"}, {}),
    ],
)
def test_where_workers_look_for_modules_stays(set_by_user, given):
    configuration = SparkConf(False).setAll(set_by_user.items())
    assert of_worker_daemon("/scratch/package.zip", configuration) == given


def test_a_path_that_cannot_stand_in_a_list_of_paths_leaves_the_daemon_of_spark():
    assert of_worker_daemon("/a:b/package.zip", SparkConf(False)) == {}


@pytest.mark.parametrize(
    ("archive", "set_before", "given"),
    [
        ("/driver/fiqa_spark.zip", {PATH: "{{PWD}}/pyspark.zip<CPS>{{PWD}}/fiqa_spark.zip"}, {DAEMON: MODULE}),
        ("/driver/fiqa_spark.zip", {FILES: "file:/a/other.py,file:/a/fiqa_spark.zip"}, {DAEMON: MODULE}),
        ("/driver/fiqa_spark.zip", {FILES: "file:/a/fiqa_spark.zip", DAEMON: "own.daemon"}, {}),
        ("/driver/fiqa_spark.zip", {FILES: "file:/a/old_fiqa_spark.zip"}, {}),
        ("", {PATH: "/a/", FILES: "file:/a/fiqa_spark.zip"}, {}),
        ("", {}, {}),
    ],
)
def test_on_yarn_executors_must_have_the_package_from_the_beginning(archive, set_before, given):
    assert of_worker_daemon_on_yarn(archive, SparkConf(False).setAll(set_before.items())) == given


THREADS = """
import os, sys
sys.modules.update(dict.fromkeys({missing}))
from fiqa_spark.runtime.worker_daemon import import_what_workers_need
import_what_workers_need()
others = set(os.listdir("/proc/self/task")) - {{str(os.getpid())}}
print(*(open(f"/proc/self/task/{{thread}}/comm").read().strip() for thread in others))
print("numpy" in sys.modules)
"""


@pytest.mark.lowest_versions
@pytest.mark.parametrize("missing", [(), ("pandas",)])
def test_what_workers_need_starts_no_thread_that_a_fork_would_lose(missing):
    line, environment = [sys.executable, "-c", THREADS.format(missing=missing)], os.environ | WORKER_ENVIRONMENT
    threads, has_numpy = subprocess.check_output(line, env=environment, text=True).splitlines()
    assert set(threads.split()) <= {"jemalloc_bg_thd"}
    assert has_numpy == "True"
