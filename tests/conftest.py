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
def spark():
    """Local session with two cores and few partitions, which small data needs no more of."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.executorEnv.OPENBLAS_NUM_THREADS", "1")
        .config("spark.executorEnv.PYTHONPATH", str(ROOT))
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
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


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium, see `browsing.py`."""
    from tests.browsing import open_browser

    driver = open_browser(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()
