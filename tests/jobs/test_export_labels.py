import csv
import json

import numpy as np
import pytest

from fiqa_spark import read_labels, schemas
from fiqa_spark.errors import InputError
from fiqa_spark.methods.result_files import write_result
from fiqa_spark.pipelines.text_formats import check_paths
from tests.jobs.running import message, options

PATHS = ["b/2.jpg", "a/1.jpg", 'c/"x", y.jpg', "é/漢 1.jpg", " d/1.jpg", "a/2.jpg"]
PLAIN = ["b/2.jpg", "a/1.jpg", "a/2.jpg"]


@pytest.fixture(scope="module")
def folder(spark, tmp_path_factory):
    """Labels of all paths, of plain ones, and lists that name them in another order."""
    folder = tmp_path_factory.mktemp("export")
    for name, paths in (("all", PATHS), ("plain", PLAIN)):
        rows = [
            (path, path.split("/")[0], 10.0 * number, "ok", 0.5, 0.25, 3, 24, [float(number), 1e-4])
            for number, path in enumerate(paths)
        ]
        rows.append(("z/none.jpg", "z", None, "too_few_images", None, None, 0, 0, None))
        table = spark.createDataFrame(rows, schemas.LABELS)
        write_result(table, schemas.LABELS, str(folder / name / "labels"), "identity", len(rows))
        lines = "".join(f"{path}\t0\n" for path in ["z/none.jpg", *paths[::-1], paths[0], "unknown.jpg"])
        (folder / f"{name}.txt").write_text(lines, encoding="utf-8")
    return folder


def export(run_job, folder, labels, text_format, *, destination=None, **changes):
    place = folder / (destination or f"{labels}.{text_format}")
    flags = {"labels": folder / labels, "format": text_format, "dst": place}
    return run_job(
        "export_labels", *options(**{**flags, "image_list_file": folder / f"{labels}.txt", **changes})
    ), place


def test_tface_lines_are_absolute_paths_and_scores_in_the_order_of_a_list_that_is_read_in_several_pieces(
    folder, run_job
):
    # Small files are read in other pieces than alone.
    others = [f"others/{number:040d}.jpg\n" for number in range(4000)]
    lines = [*others[:3000], f"{PLAIN[2]}\n", *others[3000:], f"{PLAIN[0]}\n", "z/none.jpg\n", f"{PLAIN[1]}\n"]
    (folder / "long.txt").write_text("".join(lines), encoding="utf-8")
    changes = {"image_root": "/faces", "image_list_file": folder / "long.txt"}
    result, place = export(run_job, folder, "plain", "tface", **changes)
    assert result.returncode == 0, result.stderr
    lines = ["/faces/a/2.jpg\t20.000000", "/faces/b/2.jpg\t0.000000", "/faces/a/1.jpg\t10.000000"]
    assert place.read_text(encoding="utf-8") == "".join(f"{line}\n" for line in lines)
    assert "4 images, 3 with a label and 1 without" in result.stdout
    assert not list(folder.glob(".plain*"))


def test_seed_is_a_file_a_round_and_one_of_labels(folder, run_job):
    result, place = export(run_job, folder, "plain", "seed")
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in place.iterdir()) == ["labels.txt", "score_0.txt", "score_1.txt"]
    for name, scores in (("labels.txt", (20, 10, 0)), ("score_0.txt", (2, 1, 0)), ("score_1.txt", (1e-4,) * 3)):
        rows = [line.split(" ") for line in (place / name).read_text(encoding="utf-8").splitlines()]
        assert [row[0] for row in rows] == PLAIN[::-1]
        np.testing.assert_allclose([float(row[1]) for row in rows], scores, atol=1e-6)


@pytest.mark.lowest_versions
def test_csv_holds_every_image_and_any_path(folder, run_job):
    result, place = export(run_job, folder, "all", "csv")
    assert result.returncode == 0, result.stderr
    with place.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["z/none.jpg", *PATHS[::-1]]
    assert (rows[0]["label"], rows[0]["status"]) == ("", "too_few_images")
    assert [float(row["label"]) for row in rows[1:]] == [50, 40, 30, 20, 10, 0]


def test_json_lines_hold_every_column(folder, spark, run_job):
    result, place = export(run_job, folder, "all", "jsonl")
    assert result.returncode == 0, result.stderr
    objects = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    assert [item["path"] for item in objects] == ["z/none.jpg", *PATHS[::-1]]
    stored = {row.path: row.asDict() for row in read_labels(spark, str(folder / "all")).collect()}
    for item in objects[1:]:
        item["round_labels"] = np.float32(item["round_labels"]).tolist()
    assert objects == [stored[item["path"]] for item in objects]


def test_a_path_with_white_space_is_refused_by_name(spark):
    labels = spark.createDataFrame([(path,) for path in PATHS], "path string")
    with pytest.raises(InputError, match=r"path ' d/1\.jpg' has white space"):
        check_paths(labels, absolute=False)


def test_a_relative_path_is_refused_for_tface(folder, run_job):
    result, place = export(run_job, folder, "plain", "tface", destination="relative")
    assert result.returncode == 2
    assert "'a/1.jpg' is not absolute; set --image-root" in message(result)
    assert not place.exists()


def test_labels_that_are_not_there_are_told(folder, run_job):
    result, _ = export(run_job, folder, "none", "csv", image_list_file=folder / "all.txt")
    assert result.returncode == 2
    assert f"--labels {folder / 'none'}: no labels and no recognizability there" in message(result)


def test_a_folder_of_something_else_than_labels_is_told(folder, spark, run_job):
    features = folder / "features"
    spark.createDataFrame([("a/1", [1.0])], "path string, feature array<float>").write.parquet(str(features))
    destination = folder / "none.csv"
    result = run_job("export_labels", *options(labels=features, format="csv", dst=destination))
    assert result.returncode == 2, result.stderr
    assert f"--labels {features}: no column 'label' and no column 'ers', it has path, feature" in message(result)
    assert not destination.exists()
