"""Margin labels as a job: the result, its summary, and the jobs that take it."""

import json

import pytest

from fiqa_spark import read_labels, schemas
from tests.jobs.inputs import PATHS, refused
from tests.jobs.planted_job import Planted
from tests.jobs.running import message, options

FLAGS = {"method": "margin", "id_key_index": -2, "pool_size": 300}


@pytest.fixture(scope="module")
def margins(tmp_path_factory, run_job):
    """The planted data with margin labels, and what the job said."""
    planted = Planted(tmp_path_factory.mktemp("margins"), identities=40)
    places = {"image_list_file": planted.folder / "images.txt", "feature_root": planted.folder / "features"}
    arguments = options(**places, score_dst=planted.folder / "labels", **FLAGS)
    result = run_job("generate_labels", *arguments, "--report")
    assert result.returncode == 0, result.stderr
    return planted, result


def test_the_result_is_labels_a_reference_a_page_and_a_summary_that_tells_what_predictions_are_worth(spark, margins):
    planted, result = margins
    folder = planted.folder / "labels"
    assert {file.name for file in folder.iterdir()} == {"labels", "reference", "report.html", "summary.json"}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    expected = {
        "ok": planted.counts["ok"],
        "predicted": planted.counts["too_few_images"],
        "missing_feature": planted.counts["missing_feature"],
        "invalid_feature": planted.counts["invalid_feature"],
    }
    assert summary["statuses"] == expected
    numbers = summary["reference"]
    assert numbers["lo"] < numbers["hi"]
    assert numbers["sample_images"] == planted.counts["ok"]
    assert len(numbers["fingerprint"]) == 16
    assert f"the prior explains {max(numbers['r2'], 0):.0%} of what mates tell" in result.stdout
    assert f"{numbers['tau']:.4f}" in result.stdout
    assert "rounds" not in summary["settings"]
    assert summary["settings"]["reference_sample"]["value"] == 100_000
    table = read_labels(spark, str(folder))
    assert table.schema.names == schemas.MARGIN_LABELS.names
    assert table.count() == summary["images"]["distinct"]


@pytest.mark.parametrize("text_format", ["csv", "seed"])
def test_margin_labels_are_exported(margins, run_job, text_format):
    planted, _ = margins
    place = planted.folder / text_format
    result = run_job("export_labels", *options(labels=planted.folder / "labels", format=text_format, dst=place))
    assert result.returncode == 0, result.stderr
    labelled = planted.counts["ok"] + planted.counts["too_few_images"]
    if text_format == "csv":
        first, *lines = place.read_text(encoding="utf-8").splitlines()
        assert first == ",".join(schemas.MARGIN_LABELS.names)
        assert sum(",predicted," in line for line in lines) == planted.counts["too_few_images"]
    else:
        # There are no rounds.
        assert [file.name for file in place.iterdir()] == ["labels.txt"]
        assert len((place / "labels.txt").read_text(encoding="utf-8").splitlines()) == labelled
    assert f"{labelled} with a label" in result.stdout


def test_predicted_labels_are_a_choice_in_an_evaluation(margins, run_job):
    planted, _ = margins
    flags = options(labels=planted.folder / "labels", feature_root=planted.folder / "features", id_key_index=-2)
    result = run_job("evaluate_labels", *flags, *options(dst=planted.folder / "evaluation", predicted="exclude"))
    assert result.returncode == 0, result.stderr
    summary = json.loads((planted.folder / "evaluation" / "summary.json").read_text(encoding="utf-8"))
    # They are included by default, as in the page of the run.
    of_run = json.loads((planted.folder / "labels" / "summary.json").read_text(encoding="utf-8"))["evaluation"]
    pairs = {"include": of_run["pairs"], "exclude": summary["pairs"]}
    # Images without mates make no mated pairs.
    assert pairs["include"]["mated"] == pairs["exclude"]["mated"]
    assert pairs["include"]["non_mated"] > pairs["exclude"]["non_mated"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"method": "margins"}, "choose one of sdd-fiqa, margin"),
        ({"method": "margin", "rounds": 3}, "--rounds 3: is no setting of the method margin; leave it out, or set"),
        ({"method": "margin", "prior_weight": 0}, "--prior-weight 0.0: must be above 0"),
        ({"method": "margin", "reference_sample": 3}, "--reference-sample 3: must be at least 10"),
    ],
)
def test_settings_that_do_not_fit_are_refused(inputs, flags, said):
    inputs.flags.update(flags)
    refused(inputs, said)


def test_a_setting_of_the_other_method_in_the_configuration_is_refused_by_its_key(inputs):
    places = {"image_list_file": inputs.list, "feature_root": inputs.features, "score_dst": inputs.destination}
    result = inputs.run_job(
        "generate_labels", *options(**places, id_key_index=-2, method="margin"), conf=["spark.fiqa.fix-num=3"]
    )
    assert result.returncode == 2
    assert "spark.fiqa.fix-num 3: is no setting of the method margin" in message(result)


def test_a_list_without_mates_is_refused(inputs):
    inputs.write_list(sorted({path.split("/")[0]: path for path in PATHS}.values()))
    inputs.flags["method"] = "margin"
    refused(inputs, "no identity has two images with a usable feature", "give the --reference of an earlier run")
