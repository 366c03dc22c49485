import json
import pathlib
import signal
import subprocess
import sys
import time
import venv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_labels
from tests.jobs.running import ROOT, command, environment, options, submit
from tests.planted_data import write_planted_data

FLAGS = {"id_key_index": -2, "rounds": 4, "pool_size": 200}


class Planted:
    """A small data set on disk, and the job run on it."""

    def __init__(self, folder, **size):
        self.folder = folder
        self.counts = write_planted_data(folder, **{"identities": 30, "dimension": 16, **size})

    def arguments(self, destination, **changes):
        places = {
            "image_list_file": self.folder / "images.txt",
            "feature_root": self.folder / "features",
            "score_dst": self.folder / destination,
        }
        return options(**{**places, **FLAGS, **changes})

    def labels(self, spark, destination):
        return {row.path: row for row in read_labels(spark, str(self.folder / destination)).collect()}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return Planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def reference(spark, planted):
    result = submit("generate_labels", *planted.arguments("reference"))
    assert result.returncode == 0, result.stderr
    return planted.labels(spark, "reference"), result


def assert_same_labels(found, reference):
    assert found.keys() == reference.keys()
    for path, row in found.items():
        assert row.status == reference[path].status
        assert row.label == pytest.approx(reference[path].label, abs=1e-3)


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
    assert sorted(path.name for path in (planted.folder / "reference").iterdir()) == ["labels", "summary.json"]
    assert not [path.name for path in planted.folder.iterdir() if path.name.startswith(".")]


def test_settings_come_from_flag_then_configuration_then_default(planted):
    conf = ("spark.fiqa.rounds=2", "spark.fiqa.fix-num=7", "spark.fiqa.id-key-index=-2")
    flags = planted.arguments("configured", rounds=3)
    del flags[flags.index("--id-key-index") : flags.index("--id-key-index") + 2]
    result = submit("generate_labels", *flags, conf=conf)
    assert result.returncode == 0, result.stderr
    settings = json.loads((planted.folder / "configured" / "summary.json").read_text(encoding="utf-8"))["settings"]
    assert settings["rounds"] == {"value": 3, "origin": "flag"}
    assert settings["fix_num"] == {"value": 7, "origin": "configuration"}
    assert settings["id_key_index"] == {"value": -2, "origin": "configuration"}
    assert settings["min_images"] == {"value": 2, "origin": "default"}


def features_of(planted):
    table = pq.read_table(planted.folder / "features" / "part-0.parquet")
    return table["path"].to_pylist(), table["feature"].to_pylist()


def as_tree(planted, folder):
    for number, (path, feature) in enumerate(zip(*features_of(planted), strict=True)):
        file = folder / f"{path}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        # float64 and a leading axis of 1 are forms that extractors write.
        np.save(file, np.array(feature, [np.float32, np.float64][number % 2])[None if number % 3 else slice(None)])
    return {"feature_root": folder}


def as_matrix(planted, folder):
    paths, features = features_of(planted)
    folder.mkdir()
    np.save(folder / "features.npy", np.array(features, np.float32))
    lines = "".join(f"/faces/{path}.jpg\t{number}\n" for number, path in enumerate(paths))
    (folder / "rows.txt").write_text(lines, encoding="utf-8")
    return {"feature_root": folder / "features.npy", "rows_list": folder / "rows.txt", "image_root": "/faces"}


def as_imported_tree(planted, folder):
    source = as_tree(planted, folder / "tree")["feature_root"]
    return imported(folder, source=source)


def as_imported_matrix(planted, folder):
    folder.mkdir()
    matrix = as_matrix(planted, folder / "matrix")
    return imported(
        folder, source=matrix["feature_root"], rows_list=matrix["rows_list"], image_root=matrix["image_root"]
    )


def as_imported_parquet(planted, folder):
    return imported(folder, source=planted.folder / "features")


def imported(folder, **flags):
    result = submit("import_features", *options(**flags, dst=folder / "store"))
    assert result.returncode == 0, result.stderr
    assert "features of length 16" in result.stdout
    return {"feature_root": folder / "store"}


@pytest.mark.parametrize("form", [as_tree, as_matrix, as_imported_tree, as_imported_matrix, as_imported_parquet])
def test_every_form_of_features_gives_the_same_labels(spark, planted, reference, tmp_path, form):
    flags = form(planted, tmp_path / "features")
    result = submit("generate_labels", *planted.arguments(form.__name__, **flags))
    assert result.returncode == 0, result.stderr
    assert_same_labels(planted.labels(spark, form.__name__), reference[0])


def test_a_parquet_list_with_absolute_paths_gives_the_same_labels(spark, planted, reference, tmp_path):
    paths = (planted.folder / "images.txt").read_text(encoding="utf-8").split()
    table = pa.table({"path": [f"/faces/{path}" for path in paths], "identity": [path.split("/")[0] for path in paths]})
    pq.write_table(table, tmp_path / "list.parquet")
    flags = {"image_list_file": tmp_path / "list.parquet", "image_root": "/faces/", "id_key_index": 0}
    result = submit("generate_labels", *planted.arguments("by_parquet", **flags))
    assert result.returncode == 0, result.stderr
    found = {path.removeprefix("/faces/"): row for path, row in planted.labels(spark, "by_parquet").items()}
    assert_same_labels(found, reference[0])


@pytest.mark.parametrize("words", [["-load-feature"], ["--load-feature", "False"]])
def test_load_feature_is_understood_in_all_its_forms(spark, planted, reference, words):
    destination = "loaded" + "".join(words)
    result = submit("generate_labels", *planted.arguments(destination, partition_by="bucket"), *words)
    assert result.returncode == 0, result.stderr
    assert_same_labels(planted.labels(spark, destination), reference[0])
    assert list((planted.folder / destination / "labels").glob("identity_bucket=*"))


def test_process_num_is_the_number_of_parallel_tasks(spark, planted, reference, tmp_path):
    words = planted.arguments("parallel", process_num=3, partition_by="bucket")
    result = submit("generate_labels", *words, conf=("spark.eventLog.enabled=true", f"spark.eventLog.dir={tmp_path}"))
    assert result.returncode == 0, result.stderr
    events = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert '"spark.master":"local[3]"' in events
    assert_same_labels(planted.labels(spark, "parallel"), reference[0])


def test_overwrite_replaces_the_old_result(spark, planted):
    for seed in (1, 2):
        words = planted.arguments("replaced", seed=seed, partition_by="bucket")
        result = submit("generate_labels", *words, "--overwrite")
        assert result.returncode == 0, result.stderr
    summary = json.loads((planted.folder / "replaced" / "summary.json").read_text(encoding="utf-8"))
    assert summary["settings"]["seed"]["value"] == 2
    assert not list(planted.folder.glob(".replaced*"))


def wait_for(condition, process):
    """Wait until a condition holds while a process runs."""
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    raise AssertionError("nothing happened within a minute")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_nothing_and_running_it_again_works(spark, planted, reference, number):
    destination = f"killed-{number}"
    line = command("generate_labels", *planted.arguments(destination))
    process = subprocess.Popen(
        line, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(lambda: list(planted.folder.glob(f".{destination}.*.incomplete/_owner.json")), process)
    subprocess.run(["kill", f"-{int(number)}", "--", f"-{process.pid}"], check=True)
    process.wait(60)
    assert not (planted.folder / destination).exists()
    result = submit("generate_labels", *planted.arguments(destination))
    assert result.returncode == 0, result.stderr
    assert_same_labels(planted.labels(spark, destination), reference[0])
    assert not list(planted.folder.glob(f".{destination}*"))


def test_a_killed_run_with_overwrite_leaves_the_old_result(spark, planted, reference):
    words = planted.arguments("kept", partition_by="bucket")
    assert submit("generate_labels", *words).returncode == 0
    process = subprocess.Popen(
        command("generate_labels", *words, "--overwrite", "--seed", "5"),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: list(planted.folder.glob(".kept.*.incomplete/_owner.json")), process)
    assert_same_labels(planted.labels(spark, "kept"), reference[0])
    subprocess.run(["kill", "-9", "--", f"-{process.pid}"], check=True)
    process.wait(60)
    assert_same_labels(planted.labels(spark, "kept"), reference[0])


@pytest.fixture
def bare_checkout(tmp_path):
    """The jobs and the package alone, and an interpreter that has the dependencies but not the package."""
    checkout = tmp_path / "checkout"
    for path in [*ROOT.glob("jobs/*.py"), *ROOT.glob("fiqa_spark/**/*.py")]:
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

    def spark_submit(*words):
        line = ["spark-submit", *map(str, words)]
        return subprocess.run(line, cwd=checkout, env=changes, capture_output=True, text=True, timeout=300, check=False)

    for job in ("generate_labels", "import_features", "export_labels"):
        shown = spark_submit(f"jobs/{job}.py", "--help")
        assert shown.returncode == 0, shown.stderr
        assert f"usage: {job}" in shown.stdout
    result = spark_submit("jobs/generate_labels.py", *planted.arguments("bare"))
    assert result.returncode == 0, result.stderr
    assert_same_labels(planted.labels(spark, "bare"), reference[0])


def test_process_num_is_said_to_be_unused_where_spark_submit_decides(planted):
    # A standalone cluster in one process tree: two executors of one core each.
    result = submit(
        "generate_labels",
        *planted.arguments("cluster", process_num=5),
        conf=("spark.master=local-cluster[2,1,1024]", "spark.executor.memory=1g"),
    )
    assert "--process-num 5 is not used" in result.stderr
    assert result.returncode == 0, result.stderr
