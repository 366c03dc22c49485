"""Each bad input of an evaluation: one line that names the option, the value and the way out; nothing written."""

import os

import pytest

from tests.jobs.evaluating import QUALITIES, Evaluating
from tests.jobs.inputs import PATHS, refused
from tests.labelling import embeddings_of

MATED = [("p0/0.jpg", "p0/1.jpg", 1), ("p1/0.jpg", "p1/1.jpg", 1)]
NON_MATED = [("p0/0.jpg", "p1/1.jpg", 0), ("p2/0.jpg", "p1/1.jpg", 0)]


@pytest.fixture
def evaluating(tmp_path, run_job):
    return Evaluating(tmp_path, run_job)


def test_pairs_with_unknown_paths_only(evaluating):
    evaluating.write_pairs([(f"elsewhere/{a}", f"elsewhere/{b}", same) for a, b, same in MATED])
    parts = (f"--pairs-file {evaluating.pairs}: no pair is left to compare (2 in_no_label_set", "'elsewhere/p0/0'")
    refused(evaluating, *parts, "set --image-root")


def test_mated_pairs_only(evaluating):
    evaluating.write_pairs(MATED)
    refused(evaluating, f"--pairs-file {evaluating.pairs}: no non-mated pair", "give --at-fmr without a value")


def test_non_mated_pairs_only(evaluating):
    evaluating.write_pairs(NON_MATED)
    refused(evaluating, f"--pairs-file {evaluating.pairs}: no mated pair", "--error fnmr needs some", "set --error")


def test_quality_that_is_constant_over_the_pairs(evaluating):
    evaluating.write_labels({**dict.fromkeys(PATHS, 50), "p3/0.jpg": 60})
    evaluating.write_pairs(MATED + NON_MATED)
    refused(evaluating, f"--labels {evaluating.labels}: the lower label of every pair is 50", "give labels that differ")


def test_label_sets_of_other_images(evaluating):
    other = evaluating.folder / "others.txt"
    other.write_text("".join(f"x/{path} 1\n" for path in PATHS))
    evaluating.flags["labels"] = evaluating.labels
    evaluating.words = ("--labels", str(evaluating.labels), str(other))
    refused(
        evaluating, "--labels", "no image has a label in every set", "'p0/0' in scores.txt", "'x/p0/0' in others.txt"
    )


def test_labels_of_images_without_features(evaluating):
    evaluating.write_labels({f"x/{path}": value for path, value in QUALITIES.items()})
    refused(evaluating, f"--feature-root {evaluating.features}: no feature matched an image", "list key 'x/p0/")


def test_labels_in_a_pipe(evaluating):
    evaluating.labels.unlink()
    os.mkfifo(evaluating.labels)
    refused(evaluating, f"--labels {evaluating.labels}: is a pipe", "write what it gives to a file")


def test_labels_of_one_image_of_each_identity(evaluating):
    evaluating.write_labels({path: value for path, value in QUALITIES.items() if path.endswith("/0.jpg")})
    refused(evaluating, "--id-key-index -2: no mated pair can be compared", "so that identities have several images")


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


def test_labels_whose_paths_name_no_identity(evaluating):
    evaluating.flags["id_key_index"] = -3
    refused(evaluating, "--id-key-index -3: no image with a label in every set has an identity", "use -2")


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
    evaluating.words = ("--judge", f"a={evaluating.features}", f"b={evaluating.folder}/nothing")
    refused(evaluating, "nothing: no such file or folder")


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


def test_groups_of_other_images(evaluating):
    groups = evaluating.folder / "groups.csv"
    groups.write_text("path,group\nelsewhere/9.jpg,a\n", encoding="utf-8")
    evaluating.flags["groups"] = groups
    refused(evaluating, f"--groups {groups}: names no", "'elsewhere/9'", "set --image-root")
