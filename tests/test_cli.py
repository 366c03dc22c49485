"""The command line: the command `fiqa`, and the one line that tells of an error."""

import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig

import pytest

from fiqa_spark import __version__
from fiqa_spark.cli import console, error_line
from fiqa_spark.errors import DestinationError, FiqaError, InputError, MachineError, NothingUsableError, SettingsError
from fiqa_spark.pipelines.jobs import JOBS, EvaluateLabelsSettings, GenerateLabelsSettings
from tests.jobs.running import ROOT, environment, message, options

DISTRIBUTION = "fiqa-spark"


def fiqa(*words, **changes):
    """Run the command as a process of its own, from this checkout."""
    start = "import sys; from fiqa_spark.cli import console; sys.exit(console())"
    return run([sys.executable, "-c", start, *map(str, words)], **changes)


def run(line, **changes):
    changes = environment(PYTHONPATH=str(ROOT), **changes)
    return subprocess.run(line, env=changes, cwd="/", capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_help_lists_every_job_with_its_purpose(monkeypatch, capsys, words):
    monkeypatch.setattr(sys, "argv", ["fiqa", *words])
    assert console() == 0
    shown = capsys.readouterr()
    listed = re.findall(r"^  fiqa ([a-z-]+) +([A-Z].+)\.$", shown.out, re.MULTILINE)
    assert [name for name, _ in listed] == [name.replace("_", "-") for name in JOBS]
    assert len({purpose for _, purpose in listed}) == len(JOBS)
    assert shown.err == ""


def test_version_is_that_of_the_package(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fiqa", "--version"])
    assert console() == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("words", [["labels"], ["--labels", "x"]])
def test_a_job_that_does_not_exist_is_told_in_one_line_with_those_that_do(monkeypatch, capsys, words):
    monkeypatch.setattr(sys, "argv", ["fiqa", *words])
    assert console() == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    [line] = shown.err.splitlines()
    assert line.startswith(f"fiqa: error: no job {words[0]!r}; use one of generate-labels, ")


@pytest.mark.parametrize("word", ["generate-labels", "export_labels"])
def test_a_job_has_its_own_help_by_either_spelling_of_its_name(word):
    result = fiqa(word, "--help")
    assert result.returncode == 0, result.stderr
    assert f"usage: {word.replace('-', '_')} " in result.stdout
    assert result.stderr == ""


def test_a_flag_that_does_not_exist_is_told_in_one_line_before_java_starts():
    result = fiqa("generate-labels", "--fix-number", "3")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "generate_labels: error: unrecognized arguments: --fix-number 3; see --help\n"


def test_without_spark_submit_and_on_a_cluster_an_error_is_told_in_one_line_and_process_num_said_to_be_unused(tmp_path):
    (tmp_path / "features" / "_delta_log").mkdir(parents=True)
    (tmp_path / "features" / "_delta_log" / f"{0:020d}.json").write_text("{}", encoding="utf-8")
    (tmp_path / "features" / "part-0.parquet").touch()
    (tmp_path / "images.txt").write_text("p0/0.jpg\n", encoding="utf-8")
    places = {"image_list_file": tmp_path / "images.txt", "feature_root": tmp_path / "features"}
    words = options(**places, score_dst=tmp_path / "out", process_num=5)
    # A standalone cluster in the driver's process. Nothing is computed, so that no executor needs to start.
    cluster = "local-cluster[0,1,1024]"
    result = fiqa("generate-labels", *words, PYSPARK_SUBMIT_ARGS=f"--master {cluster} pyspark-shell")
    assert result.returncode == 2, result.stderr
    said = f"generate_labels: error: --feature-root {places['feature_root']}: is a Delta table (it has _delta_log)"
    assert message(result).startswith(said)
    assert f"--process-num 5 is not used: {cluster} decides the number of tasks" in result.stderr
    assert result.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features", "images.txt"]


def test_the_command_is_installed_with_the_package():
    try:
        scripts = importlib.metadata.distribution(DISTRIBUTION).entry_points
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert [(script.name, script.value) for script in scripts] == [("fiqa", "fiqa_spark.cli:console")]
    result = run([os.path.join(sysconfig.get_path("scripts"), "fiqa"), "--version"])
    assert (result.returncode, result.stdout) == (0, f"{__version__}\n"), result.stderr


SETTINGS = GenerateLabelsSettings(
    image_list_file="lists/images.txt",
    feature_root="/data/features",
    score_dst="hdfs:/data/out/",
    rows_list="/data/features/rows.txt",
    id_key_index=0,
)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        pytest.param(
            InputError("no match", setting="feature_root"), "--feature-root /data/features: no match", id="setting"
        ),
        pytest.param(
            InputError("no such", setting="id_key_index"), "--id-key-index 0: no such", id="setting that is 0"
        ),
        pytest.param(
            SettingsError("is empty", setting="image_root"), "--image-root: is empty", id="setting without a value"
        ),
        pytest.param(
            InputError("is missing", setting="ui_list_file"), "--ui-list-file: is missing", id="setting of another job"
        ),
        pytest.param(
            InputError("needs 9 GB", setting="pool_size", value=20, remedy="use 7"),
            "--pool-size 20: needs 9 GB; use 7",
            id="value that the settings do not hold",
        ),
        pytest.param(
            SettingsError("choose one of a, b", setting="estimator", value="c d"),
            "--estimator 'c d': choose one of a, b",
            id="value that is a text",
        ),
        pytest.param(
            InputError("damaged", path="/data/features/a/1.parquet", remedy="write it again"),
            "--feature-root /data/features/a/1.parquet: damaged; write it again",
            id="path below that of a setting",
        ),
        pytest.param(
            InputError("damaged", path="file:///data/features/1.parquet"),
            "--feature-root file:///data/features/1.parquet: damaged",
            id="path with a scheme",
        ),
        pytest.param(
            InputError("is full", path="hdfs://name:8020/data/out"),
            "--score-dst hdfs://name:8020/data/out: is full",
            id="path with a scheme and a host",
        ),
        pytest.param(
            InputError("no such file", path="lists/images.txt"),
            "--image-list-file lists/images.txt: no such file",
            id="relative path",
        ),
        pytest.param(
            InputError("no such file", path=f"file:{os.getcwd()}/lists/images.txt"),
            f"--image-list-file file:{os.getcwd()}/lists/images.txt: no such file",
            id="absolute path of a relative one",
        ),
        pytest.param(
            InputError("is no text", path="/data/features/rows.txt"),
            "--rows-list /data/features/rows.txt: is no text",
            id="path of the nearest of two settings",
        ),
        pytest.param(
            InputError("no such file", path="/data/features2"),
            "/data/features2: no such file",
            id="path that only begins like that of a setting",
        ),
        pytest.param(
            InputError("3 paths", setting="image_list_file", path="/data/features/rows.txt"),
            "--image-list-file /data/features/rows.txt: 3 paths",
            id="setting beside a path of another",
        ),
        pytest.param(
            DestinationError("exists", setting="score_dst", path="/data/features", remedy="add `overwrite`"),
            "--score-dst /data/features: exists; add --overwrite",
            id="destination below the features",
        ),
        pytest.param(
            DestinationError("No space left on device", remedy="make room"),
            "No space left on device; make room",
            id="destination that is not known",
        ),
        pytest.param(
            InputError("round 1 of 12: no spread"), "round 1 of 12: no spread", id="nothing that is to blame alone"
        ),
        pytest.param(
            MachineError("no Java in PATH", remedy="install one"), "no Java in PATH; install one", id="machine"
        ),
        pytest.param(
            InputError(
                "`ui_centroid` is given too", setting="seed", value=7, remedy="set `image_root` or `feature_root`"
            ),
            "--seed 7: --ui-centroid is given too; set --image-root or --feature-root",
            id="other settings in text and remedy",
        ),
        pytest.param(
            InputError("no column `path`, nor `rounds2`", remedy="rename `Path`"),
            "no column `path`, nor `rounds2`; rename `Path`",
            id="words in backticks that are no settings",
        ),
        pytest.param(
            InputError("no such file", path="/data/features/`seed`/a b"),
            "--feature-root /data/features/`seed`/a b: no such file",
            id="path with backticks",
        ),
        pytest.param(
            SettingsError("no job has such a setting", key="spark.fiqa.colour", value="3", remedy="remove it"),
            "spark.fiqa.colour '3': no job has such a setting; remove it",
            id="key of the configuration",
        ),
        pytest.param(
            SettingsError("must be at least 1", key="spark.fiqa.rounds", setting="rounds", value=0),
            "spark.fiqa.rounds 0: must be at least 1",
            id="key of a setting",
        ),
        pytest.param(InputError("two\n  lines", remedy="write\n\tone"), "two lines; write one", id="several lines"),
        pytest.param(
            NothingUsableError("none of 3", setting="feature_root", remedy="look").with_keys("p/0", "q/0"),
            "--feature-root /data/features: none of 3 (list key 'p/0', feature key 'q/0'); look",
            id="nothing usable",
        ),
    ],
)
def test_the_line_of_an_error_names_the_flag_its_value_and_the_way_out(error, shown):
    assert error_line("generate_labels", error, SETTINGS) == f"generate_labels: error: {shown}"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (InputError("is no CSV", path="/sets/b/1.csv"), "--labels /sets/b/1.csv: is no CSV"),
        (InputError("is no CSV", path="/sets/a/1.csv"), "--labels /sets/a/1.csv: is no CSV"),
        (InputError("no value", setting="labels"), "--labels name=/sets/a /sets/b: no value"),
        (InputError("no value", setting="at_fmr"), "--at-fmr 0.01 0.001: no value"),
    ],
)
def test_a_setting_of_several_values_is_named_by_any_of_them(error, shown):
    settings = EvaluateLabelsSettings(labels=("name=/sets/a", "/sets/b"), dst="/out", feature_root="/f")
    assert error_line("job", error, settings) == f"job: error: {shown}"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (SettingsError("must be at least 1", setting="fix_num", value=0), "--fix-num 0: must be at least 1"),
        (FiqaError("no such file", path="/data"), "/data: no such file"),
        (
            SettingsError("`ui_centroid` is given too", setting="ui_list_file", path="a"),
            "--ui-list-file a: --ui-centroid",
        ),
    ],
)
def test_an_error_before_the_settings_are_known_is_told_too(error, shown):
    assert error_line("job", error, None).startswith(f"job: error: {shown}")
