"""What tests share: one Spark session, started when first asked for, and the data that they may use."""

import csv
import gc
import pathlib
import sys
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, and no verdict by the clock: a run tells about the code, not about chance.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
LFW = ROOT.parent / "shared" / "data" / "lfw"


def pytest_collection_finish():
    """What all tests have imported is no garbage: looking through it takes a twentieth of their time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The session of a job in local mode, with two cores and few partitions, which small data needs no more of."""
    from pyspark import SparkConf, SparkContext

    from fiqa_spark.cli import open_session
    from fiqa_spark.runtime.settings import Settings
    from tests.jobs.running import CLASSES, ONE_COLLECTOR, PROPERTIES, QUICK_JAVA

    # With a large young generation, what a job leaves is gone before it is moved; a full collection takes a second.
    java = f"{QUICK_JAVA} {ONE_COLLECTOR} -Xmn2g -XX:MetaspaceSize=512m {CLASSES}"
    environment = {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": (
            f"--properties-file {PROPERTIES} --driver-memory 4g --driver-java-options '{java}' pyspark-shell"
        ),
        "SPARK_SUBMIT_OPTS": "",
    }
    given = {
        "spark.master": "local[2]",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        # Nobody looks at plans, nor whether each step of planning left them whole.
        "spark.sql.debug.maxToStringFields": "1",
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.lightweightPlanChangeValidation": "false",
        # Plans of one job are those of the next: with room for 100 only, Spark would compile them all anew.
        "spark.sql.codegen.cache.maxEntries": "5000",
        # What workers load by name, the tests among it, is that of this checkout.
        "spark.executorEnv.PYTHONPATH": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        SparkContext._ensure_initialized(conf=SparkConf(False).setAll(given.items()))
        session = open_session("tests", SparkConf(), Settings(), str(tmp_path_factory.mktemp("session")))
    yield session
    session.stop()


@pytest.fixture(scope="session", params=["sample", *(["whole"] if LFW.exists() else [])])
def real_faces(request):
    """RealFaces of the tree, and of the whole data set as well where it is at hand."""
    return _lfw_sample() if request.param == "sample" else _whole_lfw()


class RealFaces(NamedTuple):
    """Embeddings of photos."""

    name: str
    """``sample``, of people with 4 to 9 images, or ``whole``."""
    paths: list
    features: np.ndarray
    """Unit embeddings, float32, shape (images, 128)."""
    degraded: set
    """Paths of the images that were spoiled before their embeddings were taken."""


def _lfw_sample():
    with open(DATA / "lfw_sample.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    features = np.load(DATA / "lfw_sample.npy", allow_pickle=False).astype(np.float32)
    # Float16 kept them near unit length only.
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    spoiled = {row["path"] for row in rows if row["degraded"]}
    return RealFaces("sample", [row["path"] for row in rows], features, spoiled)


def _whole_lfw():
    paths = (LFW / "images.txt").read_text(encoding="utf-8").split("\n")
    with open(LFW / "degraded.csv", encoding="utf-8", newline="") as file:
        spoiled = {row["path"] for row in csv.DictReader(file)}
    features = np.load(LFW / "features.npy", allow_pickle=False)
    return RealFaces("whole", [path for path in paths if path], features, spoiled)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium, see `browsing.py`."""
    from tests.browsing import open_browser

    driver = open_browser(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()
