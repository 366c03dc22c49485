"""What tests share: one Spark session, started when first asked for, and the data that they may use."""

import csv
import os
import pathlib
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, and no verdict by the clock: a run tells about the code, not about chance.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

ROOT = pathlib.Path(__file__).resolve().parents[1]
LFW = ROOT.parent / "shared" / "data" / "lfw"


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The session of a job in local mode, with two cores and few partitions, which small data needs no more of."""
    from pyspark import SparkConf, SparkContext

    from fiqa_spark.cli import open_session
    from fiqa_spark.runtime.settings import Settings
    from tests.jobs.running import PROPERTIES, QUICK_JAVA

    os.environ |= {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {PROPERTIES} pyspark-shell",
        "SPARK_SUBMIT_OPTS": QUICK_JAVA,
    }
    given = {
        "spark.master": "local[2]",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        # What workers load by name, the tests among it, is that of this checkout.
        "spark.executorEnv.PYTHONPATH": str(ROOT),
    }
    SparkContext._ensure_initialized(conf=SparkConf(False).setAll(given.items()))
    session = open_session("tests", SparkConf(), Settings(), str(tmp_path_factory.mktemp("session")))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def lfw():
    """Real embeddings: (paths, features); the tests that need them are skipped where the data is not at hand."""
    if not LFW.exists():
        pytest.skip(f"no real embeddings at {LFW}")
    paths = (LFW / "images.txt").read_text(encoding="utf-8").split("\n")
    return [path for path in paths if path], np.load(LFW / "features.npy", allow_pickle=False)


@pytest.fixture(scope="session")
def degraded(lfw):
    """Paths of the real images that were spoiled before their embeddings were taken."""
    with open(LFW / "degraded.csv", encoding="utf-8", newline="") as file:
        return {row["path"] for row in csv.DictReader(file)}


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium, see `browsing.py`."""
    from tests.browsing import open_browser

    driver = open_browser(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()
