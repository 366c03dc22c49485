import json
import os
import shutil
import subprocess
import time
from typing import NamedTuple

import numpy as np
import pytest
from pyspark import SparkConf

from fiqa_spark.cli import parse_flags, resolved_settings
from tests.jobs.bare_checkout import bare_checkout
from tests.jobs.planted_job import assert_same_labels
from tests.jobs.running import options
from tests.processes import LOOPBACK, descendants, listening_addresses

ASKS_LINUX = os.path.exists("/proc/net/tcp")
ON_TWO_CORES = ("spark.master=local[2]", "spark.sql.shuffle.partitions=4")


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
    """A process of its own that labelled the planted data, some settings of which came from the configuration."""

    events: str
    """What Spark noted of it."""
    listening: set
    """Addresses at which any of its processes listened."""


@pytest.fixture(scope="module")
def configured(planted, chmod, tmp_path_factory):
    """The settings of the reference, from a checkout alone."""
    checkout, changes = bare_checkout(tmp_path_factory.mktemp("bare"))
    events, said = tmp_path_factory.mktemp("events"), tmp_path_factory.mktemp("said") / "stderr.txt"
    of_the_job = ("spark.fiqa.rounds=2", "spark.fiqa.fix-num=24", "spark.fiqa.id-key-index=-2")
    log = ("spark.eventLog.enabled=true", "spark.eventLog.compress=false", f"spark.eventLog.dir={events}")
    conf = [word for entry in (*ON_TWO_CORES, *of_the_job, *log) for word in ("--conf", entry)]
    flags = planted.arguments("configured", process_num=3, partition_by="identity")
    del flags[flags.index("--id-key-index") : flags.index("--id-key-index") + 2]
    line = ["spark-submit", *conf, "jobs/generate_labels.py", *map(str, flags)]
    changes["PATH"] = f"{chmod}{os.pathsep}{changes['PATH']}"
    listening = set()
    with said.open("w") as stderr:
        places = {"stdout": subprocess.DEVNULL, "stderr": stderr, "start_new_session": True}
        process = subprocess.Popen(line, cwd=checkout, env=changes, **places)
        while process.poll() is None:
            listening |= set(listening_addresses(descendants(process.pid))) if ASKS_LINUX else set()
            time.sleep(1)
    assert process.returncode == 0, said.read_text(encoding="utf-8")
    texts = [path.read_text(encoding="utf-8") for path in events.rglob("*") if path.is_file()]
    return Configured("".join(texts), listening)


def test_from_a_bare_checkout_settings_come_from_flag_then_configuration_then_default(
    spark, planted, reference, configured
):
    settings = json.loads((planted.folder / "configured" / "summary.json").read_text(encoding="utf-8"))["settings"]
    assert settings["rounds"] == {"value": 4, "origin": "flag"}
    assert settings["fix_num"] == {"value": 24, "origin": "configuration"}
    assert settings["id_key_index"] == {"value": -2, "origin": "configuration"}
    assert settings["min_images"] == {"value": 2, "origin": "default"}
    assert_same_labels(planted.labels(spark, "configured"), reference[0])


def test_no_process_is_started_for_the_folder_of_an_identity(planted, configured, chmod):
    assert len(list((planted.folder / "configured" / "labels").glob("identity=*"))) == 30
    calls = (chmod / "calls").read_text(encoding="utf-8")
    # Hadoop starts one for every folder and file that it makes itself.
    assert ".configured" in calls
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


def test_labels_are_the_same_where_features_are_loaded_and_in_buckets(spark, planted, reference, run_job):
    result = run_job("generate_labels", *planted.arguments("loaded", partition_by="bucket"), "-load-feature")
    assert result.returncode == 0, result.stderr
    assert_same_labels(planted.labels(spark, "loaded"), reference[0])
    assert list((planted.folder / "loaded" / "labels").glob("identity_bucket=*"))
