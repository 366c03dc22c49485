import functools
import os
import pathlib
import subprocess
import sys
import time
import venv

import pytest

from fiqa_spark.pipelines.jobs import JOBS
from tests.jobs.inputs import refused
from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import ROOT, environment, submit
from tests.processes import LOOPBACK, descendants, listening_addresses

FEW_PARTITIONS = ("--conf", "spark.sql.shuffle.partitions=4")


@pytest.fixture
def bare_checkout(tmp_path):
    """The jobs and the package alone, and an interpreter that has the dependencies but not the package."""
    checkout = tmp_path / "checkout"
    for path in [*ROOT.glob("jobs/*.py"), *ROOT.glob("fiqa_spark/**/*.py"), *ROOT.glob("fiqa_spark/**/*.html")]:
        copy = checkout / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    venv.create(tmp_path / "venv", with_pip=False)
    # A folder named in a .pth file is searched, but its own .pth files, the package's among them, are not read.
    packages = next(path for path in sys.path if (pathlib.Path(path) / "pyspark").is_dir())
    next((tmp_path / "venv").glob("lib/python*/site-packages")).joinpath("dependencies.pth").write_text(packages)
    changes = environment()
    changes["PATH"] = f"{tmp_path}/venv/bin:{packages}/pyspark/bin:{changes['PATH']}"
    changes["SPARK_HOME"] = f"{packages}/pyspark"
    return checkout, changes


def test_a_bare_checkout_needs_no_installation(bare_checkout):
    checkout, changes = bare_checkout
    line = ["python", "-c", "import numpy, pandas, pyarrow, pyspark, fiqa_spark"]
    imported = subprocess.run(line, cwd="/", env=changes, capture_output=True, text=True, check=False)
    assert "No module named 'fiqa_spark'" in imported.stderr
    # How a file finds the package is the same by spark-submit, which takes seconds to start Java.
    for job in JOBS:
        line = ["python", f"jobs/{job}.py", "--help"]
        shown = subprocess.run(line, cwd=checkout, env=changes, capture_output=True, text=True, check=False)
        assert shown.returncode == 0, shown.stderr
        assert f"usage: {job}" in shown.stdout


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="asks Linux for the open ports")
def test_from_a_bare_checkout_labels_are_the_same_and_nothing_listens_beyond_loopback(
    spark, planted, reference, bare_checkout
):
    checkout, changes = bare_checkout
    line = list(map(str, ("spark-submit", *FEW_PARTITIONS, "jobs/generate_labels.py", *planted.arguments("bare"))))
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(line, cwd=checkout, env=changes, start_new_session=True, **silent)
    seen = []
    while process.poll() is None:
        seen += listening_addresses(descendants(process.pid))
        time.sleep(1)
    assert process.returncode == 0
    assert seen
    assert set(seen) <= LOOPBACK
    assert_same_labels(planted.labels(spark, "bare"), reference[0])


def test_on_a_cluster_bad_input_is_told_as_in_local_mode_and_process_num_is_said_to_be_unused(inputs):
    (inputs.features / "_delta_log").mkdir()
    (inputs.features / "_delta_log" / f"{0:020d}.json").write_text("{}", encoding="utf-8")
    # A standalone cluster in the driver's process. Nothing is computed, so that no executor needs to start.
    inputs.run_job = functools.partial(submit, conf=("spark.master=local-cluster[0,1,1024]",))
    inputs.flags["process_num"] = 5
    result = refused(inputs, f"--feature-root {inputs.features}: is a Delta table (it has _delta_log)")
    assert "--process-num 5 is not used: local-cluster[0,1,1024] decides the number of tasks" in result.stderr
