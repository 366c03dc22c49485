import os
import pathlib
import subprocess
import sys
import time
import venv

import pytest

from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import ROOT, environment, submit
from tests.processes import LOOPBACK, descendants, listening_addresses


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


def test_a_bare_checkout_needs_no_installation(spark, planted, reference, bare_checkout):
    checkout, changes = bare_checkout
    line = ["python", "-c", "import numpy, pandas, pyarrow, pyspark, fiqa_spark"]
    imported = subprocess.run(line, cwd="/", env=changes, capture_output=True, text=True, check=False)
    assert "No module named 'fiqa_spark'" in imported.stderr

    def run(*words):
        line = list(map(str, words))
        return subprocess.run(line, cwd=checkout, env=changes, capture_output=True, text=True, timeout=300, check=False)

    for job in ("generate_labels", "score_recognizability", "evaluate_labels", "import_features", "export_labels"):
        # How a file finds the package is the same by spark-submit, which takes seconds to start Java.
        shown = run("python", f"jobs/{job}.py", "--help")
        assert shown.returncode == 0, shown.stderr
        assert f"usage: {job}" in shown.stdout
    result = run("spark-submit", "jobs/generate_labels.py", *planted.arguments("bare"))
    assert result.returncode == 0, result.stderr
    assert_same_labels(planted.labels(spark, "bare"), reference[0])


def test_process_num_is_said_to_be_unused_and_labels_are_the_same_on_two_executors(spark, planted, reference):
    # A standalone cluster in one process tree: two executors of one core each.
    result = submit(
        "generate_labels",
        *planted.arguments("cluster", process_num=5),
        conf=("spark.master=local-cluster[2,1,1024]", "spark.executor.memory=1g"),
    )
    assert result.returncode == 0, result.stderr
    assert "--process-num 5 is not used" in result.stderr
    assert_same_labels(planted.labels(spark, "cluster"), reference[0])


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="asks Linux for the open ports")
def test_nothing_listens_beyond_loopback_by_default(planted):
    line = ["spark-submit", str(ROOT / "jobs" / "generate_labels.py"), *planted.arguments("listening")]
    process = subprocess.Popen(
        line, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    seen = []
    while process.poll() is None:
        seen += listening_addresses(descendants(process.pid))
        time.sleep(0.3)
    assert process.returncode == 0
    assert seen
    assert set(seen) <= LOOPBACK
