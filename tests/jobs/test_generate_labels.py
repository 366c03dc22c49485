"""The job's result and summary, and a run of the demo as a process of its own, from a bare checkout."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time
from typing import NamedTuple

import numpy as np
import pytest
from pyspark import SparkConf

from fiqa_spark import read_labels
from fiqa_spark.cli import parse_flags, resolved_settings
from tests.jobs.bare_checkout import bare_checkout
from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import CLASSES, ONE_COLLECTOR, QUICK_JAVA, options
from tests.processes import LOOPBACK, descendants, listening_addresses

ASKS_LINUX = os.path.exists("/proc/net/tcp")
CONFIGURATION = {
    "spark.sql.shuffle.partitions": 4,
    "spark.fiqa.process-num": 3,
    "spark.fiqa.id-key-index": -1,
    "spark.fiqa.fix-num": 20,
    "spark.fiqa.partition-by": "identity",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
}


def test_every_image_has_one_row_with_label_or_reason(planted, reference):
    rows, _ = reference
    statuses = [row.status for row in rows.values()]
    assert {status: statuses.count(status) for status in planted.counts} == planted.counts
    assert all((row.label is None) == (row.status != "ok") for row in rows.values())


def test_the_summary_tells_the_run(planted, reference):
    rows, result = reference
    summary = json.loads((planted.folder / "reference" / "summary.json").read_text(encoding="utf-8"))
    labels = [row.label for row in rows.values() if row.label is not None]
    assert summary["statuses"] == {**planted.counts, "no_identity": 0}
    assert summary["images"] == {"distinct": len(rows), "repeated_lines": 0}
    assert summary["identities"] == 30
    assert summary["partitioned_by"] == "identity"
    assert summary["settings"]["rounds"] == {"value": 4, "origin": "flag"}
    assert summary["settings"]["seed"] == {"value": 0, "origin": "default"}
    assert len(summary["round_min"]) == len(summary["round_max"]) == 4
    assert all(low < high for low, high in zip(summary["round_min"], summary["round_max"], strict=True))
    assert summary["label_percentiles"]["0"] == min(labels)
    assert summary["label_percentiles"]["100"] == max(labels)
    assert summary["label_percentiles"]["50"] == pytest.approx(np.median(labels), abs=1)
    assert {"fiqa_spark", "spark", "python", "java", "numpy"} <= summary["versions"].keys()
    assert {"reading the list", "computing distances", "writing labels"} <= summary["seconds"].keys()
    assert f"{len(rows)} images of 30 identities" in result.stdout
    assert "partitioned by identity" in result.stdout


def test_only_the_result_is_left_behind(planted, reference):
    assert sorted(path.name for path in (planted.folder / "reference").iterdir()) == [
        "labels",
        "reference",
        "summary.json",
    ]
    assert not list(planted.folder.glob(".reference*"))


@pytest.fixture(scope="module")
def chmod(tmp_path_factory):
    """Folder of a chmod that notes in the file ``calls`` what it is given."""
    folder = tmp_path_factory.mktemp("chmod")
    text = f"""#!/bin/sh\necho "$@" >> '{folder}/calls'\nexec '{shutil.which("chmod")}' "$@"\n"""
    (folder / "chmod").write_text(text, encoding="utf-8")
    (folder / "chmod").chmod(0o755)
    return folder


class Configured(NamedTuple):
    """A process of its own, the demo, that labelled planted data; some of its settings came from the configuration."""

    data: pathlib.Path
    """Folder of the planted data, and of the labels."""
    shown: str
    """What the demo showed."""
    events: str
    """What Spark noted of it."""
    listening: set
    """Addresses at which any of its processes listened."""


@pytest.fixture(scope="module")
def configured(chmod, tmp_path_factory):
    """The demo from a checkout alone, by Spark's defaults but for what the configuration sets."""
    checkout, changes = bare_checkout(tmp_path_factory.mktemp("bare"), "tests/demo.py", "tests/planted_data.py")
    events, said = tmp_path_factory.mktemp("events"), tmp_path_factory.mktemp("said")
    entries = {**CONFIGURATION, "spark.eventLog.dir": events}
    (checkout / "own.conf").write_text("".join(f"{key} {value}\n" for key, value in entries.items()), encoding="utf-8")
    changes["PATH"] = f"{chmod}{os.pathsep}{changes['PATH']}"
    changes["SPARK_SUBMIT_OPTS"] = f"{QUICK_JAVA} {ONE_COLLECTOR} {CLASSES}"
    listening = set()
    with (said / "stdout").open("w") as stdout, (said / "stderr").open("w") as stderr:
        places = {"stdout": stdout, "stderr": stderr, "start_new_session": True}
        process = subprocess.Popen(["python", "tests/demo.py", "own.conf"], cwd=checkout, env=changes, **places)
        while process.poll() is None:
            listening |= set(listening_addresses(descendants(process.pid))) if ASKS_LINUX else set()
            time.sleep(1)
    assert process.returncode == 0, (said / "stderr").read_text(encoding="utf-8")
    texts = [path.read_text(encoding="utf-8") for path in events.rglob("*") if path.is_file()]
    shown = (said / "stdout").read_text(encoding="utf-8")
    return Configured(checkout / "build" / "demo", shown, "".join(texts), listening)


def test_the_demo_shows_labels_that_follow_the_planted_quality(configured):
    assert "images of 100 identities" in configured.shown
    for status in ("ok", "missing_feature", "invalid_feature", "too_few_images"):
        count = re.search(rf"^  {status} +(\d+)$", configured.shown, re.MULTILINE)
        assert int(count[1]) > 0, configured.shown
    assert len(re.findall(r"^  person_\d+/\d+\.jpg ", configured.shown, re.MULTILINE)) == 20
    spearman = re.search(r"Spearman of labels and planted quality over \d+ images: (0\.\d+)", configured.shown)
    assert float(spearman[1]) > 0.85


def test_from_a_bare_checkout_settings_come_from_flag_then_configuration_then_default(configured):
    settings = json.loads((configured.data / "labels" / "summary.json").read_text(encoding="utf-8"))["settings"]
    assert settings["id_key_index"] == {"value": -2, "origin": "flag"}
    assert settings["fix_num"] == {"value": 20, "origin": "configuration"}
    assert settings["min_images"] == {"value": 2, "origin": "default"}


def test_no_process_is_started_for_the_folder_of_an_identity(configured, chmod):
    identities = {path.split("/")[0] for path in (configured.data / "images.txt").read_text("utf-8").split()}
    folders = {folder.name for folder in (configured.data / "labels" / "labels").glob("identity=*")}
    assert folders == {f"identity={identity}" for identity in identities}
    calls = (chmod / "calls").read_text(encoding="utf-8")
    # Hadoop starts one for every folder and file that it makes itself.
    assert ".labels" in calls
    assert "identity=" not in calls


def test_process_num_is_the_number_of_parallel_tasks(configured):
    assert '"spark.master":"local[3]"' in configured.events


@pytest.mark.skipif(not ASKS_LINUX, reason="asks Linux for the open ports")
def test_nothing_listens_beyond_loopback(configured):
    assert configured.listening
    assert configured.listening <= LOOPBACK


@pytest.mark.parametrize(
    ("words", "is_loaded"), [(["-load-feature"], True), (["--load-feature", "False"], False), ([], False)]
)
def test_load_feature_is_understood_in_all_its_forms(words, is_loaded):
    required = options(image_list_file="a", feature_root="b", score_dst="c")
    flags = parse_flags("generate_labels", [*required, *words])
    assert resolved_settings("generate_labels", flags, SparkConf(False)).load_feature is is_loaded


def test_labels_are_the_same_in_another_process_from_loaded_features_and_in_buckets(spark, configured, run_job):
    data = configured.data
    places = {"image_list_file": data / "images.txt", "feature_root": data / "features", "score_dst": data / "loaded"}
    words = options(**places, id_key_index=-2, fix_num=20, partition_by="bucket")
    result = run_job("generate_labels", *words, "-load-feature")
    assert result.returncode == 0, result.stderr
    found, expected = (
        {row.path: row for row in read_labels(spark, str(data / name)).collect()} for name in ("loaded", "labels")
    )
    assert_same_labels(found, expected)
    assert list((data / "loaded" / "labels").glob("identity_bucket=*"))
