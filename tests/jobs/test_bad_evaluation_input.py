"""Each bad input of an evaluation: one line that names the option, the value and the way out; nothing written."""

import os

import pytest

from tests.jobs.evaluating import QUALITIES, Evaluating
from tests.jobs.inputs import PATHS, refused
from tests.labelling import embeddings_of

MATED = [("p0/0.jpg", "p0/1.jpg", 1), ("p1/0.jpg", "p1/1.jpg", 1)]


@pytest.fixture
def evaluating(tmp_path, run_job):
    return Evaluating(tmp_path, run_job)


def test_mated_pairs_only(evaluating):
    evaluating.write_pairs(MATED)
    refused(evaluating, f"--pairs-file {evaluating.pairs}: no non-mated pair", "give --at-fmr without a value")


def test_labels_in_a_pipe(evaluating):
    evaluating.labels.unlink()
    os.mkfifo(evaluating.labels)
    refused(evaluating, f"--labels {evaluating.labels}: is a pipe", "write what it gives to a file")


def test_labels_of_one_image_of_each_identity(evaluating):
    evaluating.write_labels({path: value for path, value in QUALITIES.items() if path.endswith("/0.jpg")})
    parts = ("--id-key-index -2: no mated pair can be compared, and --error fnmr needs some", "set --error to what")
    refused(evaluating, *parts, "so that identities have several images")


def test_a_matrix_without_its_rows(evaluating):
    evaluating.write_matrix(embeddings_of(PATHS))
    refused(evaluating, "--rows-list", "is missing", evaluating.features)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--starting-error", "0"), "--starting-error 0.0: must be above 0"),
        (("--starting-error", "0.1", "1e-1"), "--starting-error: 0.1 is given twice"),
        (("--discard-limit", "1.5"), "--discard-limit 1.5: must be at most 1"),
        (("--error", "far"), "--error 'far': choose one of fnmr, fmr"),
        (
            ("--error", "fmr", "--convention", "recomputed"),
            "--convention: recomputed is about FNMR at an FMR; give fnmr in --error, and --at-fmr",
        ),
        (("--error", "fmr", "--starting-error"), "--starting-error: no curve is asked for"),
        (("--error",), "--error: has no value; give one at least"),
        (("--labels",), "--labels: is empty"),
    ],
)
def test_settings_that_do_not_go_together(evaluating, words, said):
    evaluating.words = words
    refused(evaluating, said)


def test_a_destination_that_holds_the_labels(evaluating):
    (evaluating.destination / "labels").mkdir(parents=True)
    evaluating.labels.rename(evaluating.destination / "labels" / "scores.txt")
    evaluating.labels = evaluating.destination / "labels" / "scores.txt"
    evaluating.destination = evaluating.labels.parent
    evaluating.flags["overwrite"] = True
    refused(evaluating, f"--dst {evaluating.destination}: holds 'scores.txt', which is no result of this job")


def test_a_destination_that_holds_something_else(evaluating):
    evaluating.destination.mkdir()
    (evaluating.destination / "labels").mkdir()
    evaluating.flags["overwrite"] = True
    refused(evaluating, f"--dst {evaluating.destination}: holds 'labels', which is no result of this job")


def test_judges_that_are_none(evaluating):
    evaluating.words = ("--judge", f"a={evaluating.features}")
    refused(evaluating, "--judge: --feature-root is given too", "name those features as a judge as well")
    evaluating.flags["feature_root"] = None
    evaluating.words = ()
    refused(evaluating, "--feature-root: must be given", "or --judge")
    evaluating.words = ("--judge", f"a={evaluating.folder}/nothing", f"b={evaluating.features}")
    refused(evaluating, f"--judge {evaluating.folder}/nothing: no such file or folder")


def test_a_judge_without_features_of_the_images(evaluating):
    folder = evaluating.folder / "other"
    folder.mkdir()
    other = Evaluating(folder, evaluating.run_job)
    other.write_features(embeddings_of([f"elsewhere/{path}" for path in PATHS]))
    evaluating.flags["feature_root"] = None
    evaluating.words = ("--judge", f"a={evaluating.features}", f"b={other.features}")
    refused(evaluating, f"--judge {other.features}: ", "'elsewhere/p0/0'", "or the features to the folder")


def test_pairs_across_halves_that_are_listed(evaluating):
    evaluating.words = ("--pairs", "across-halves")
    evaluating.write_pairs(MATED)
    refused(evaluating, "--pairs 'across-halves': is about pairs that are drawn", "leave one of them out")


def test_fnmr_wanted_at_no_fmr(evaluating):
    evaluating.words = ("--at-fmr", "--target-fnmr", "0.1")
    del evaluating.flags["at_fmr"]
    refused(evaluating, "--target-fnmr", "none is given", "give --at-fmr a value")
