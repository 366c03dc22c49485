import json
import os
import shutil
import signal
import subprocess
import time

from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import command, environment


def wait_for(condition, process):
    """Wait until a condition holds while a process runs."""
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    raise AssertionError("nothing happened within a minute")


def test_a_terminated_run_leaves_nothing(planted):
    destination = "terminated"
    line = command("generate_labels", *planted.arguments(destination))
    process = subprocess.Popen(
        line, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(lambda: list(planted.folder.glob(f".{destination}.*.incomplete")), process)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)
    assert not (planted.folder / destination).exists()


def test_a_killed_run_with_overwrite_leaves_the_old_result_and_a_whole_one_replaces_it(
    spark, planted, reference, run_job
):
    shutil.copytree(planted.folder / "reference", planted.folder / "kept")
    words = planted.arguments("kept", partition_by="bucket")
    process = subprocess.Popen(
        command("generate_labels", *words, "--overwrite", "--seed", "5"),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: list(planted.folder.glob(".kept.*.incomplete")), process)
    assert_same_labels(planted.labels(spark, "kept"), reference[0])
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    assert_same_labels(planted.labels(spark, "kept"), reference[0])
    again = run_job("generate_labels", *planted.arguments("kept", seed=2, partition_by="bucket"), "--overwrite")
    assert again.returncode == 0, again.stderr
    summary = json.loads((planted.folder / "kept" / "summary.json").read_text(encoding="utf-8"))
    assert summary["settings"]["seed"]["value"] == 2
    labels = planted.labels(spark, "kept")
    assert any(row.label != labels[path].label for path, row in reference[0].items())
    assert not list(planted.folder.glob(".kept*"))
