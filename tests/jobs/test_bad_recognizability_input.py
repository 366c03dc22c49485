"""Each bad input of the scores: one line that names the option, the value and the way out; exit code 2; no result."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.image_list import identified_images
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.methods.ers.settings import RecognizabilitySettings
from fiqa_spark.methods.ers.ui_centroid import centroid_of_images
from tests.jobs.inputs import PATHS, refused
from tests.jobs.running import ROOT
from tests.labelling import DIMENSION, embeddings_of, features_frame, images_frame


@pytest.fixture
def scoring(inputs):
    """Sound inputs with a centroid, which 16 images are too few to find."""
    inputs.job = "score_recognizability"
    del inputs.flags["pool_size"]
    inputs.flags["ui_centroid"] = inputs.folder / "ui_centroid.npy"
    np.save(inputs.flags["ui_centroid"], np.ones(DIMENSION))
    return inputs


def without_centroid(scoring, **flags):
    del scoring.flags["ui_centroid"]
    scoring.flags.update(flags)
    return scoring


def ui_list(scoring, lines):
    place = scoring.folder / "known.txt"
    place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return without_centroid(scoring, ui_list_file=place)


def test_too_few_images_for_a_cluster(scoring):
    figures = "among 8 images of 4 identities", "30 images of 10 identities are needed; as these are too few"
    refused(without_centroid(scoring), "--cluster-threshold 0.5", *figures, "give --ui-list-file or --ui-centroid")


def test_a_list_and_a_centroid_at_once(scoring):
    scoring.flags["ui_list_file"] = scoring.list
    refused(scoring, "--ui-list-file", scoring.list, "--ui-centroid is given too")


def test_no_such_centroid(scoring):
    scoring.flags["ui_centroid"] = scoring.folder / "none.npy"
    refused(scoring, f"--ui-centroid {scoring.folder}/none.npy: no such file", "of an earlier run")


def test_a_centroid_that_is_a_folder(scoring):
    scoring.flags["ui_centroid"] = scoring.folder
    refused(scoring, f"--ui-centroid {scoring.folder}: is a folder", "ui_centroid.npy in it")


def test_a_centroid_in_a_pipe(scoring):
    scoring.flags["ui_centroid"] = scoring.folder / "pipe.npy"
    os.mkfifo(scoring.flags["ui_centroid"])
    refused(scoring, "--ui-centroid", "pipe.npy: is a pipe or a device")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (np.array([{"a": 1}], dtype=object), "holds pickled objects, which are never loaded"),
        (np.ones((3, DIMENSION)), f"shape (3, {DIMENSION}); expected (dimension,)"),
        (np.ones(DIMENSION, int), "dtype int64; expected float16, float32 or float64"),
        (np.zeros(DIMENSION), "is zero or not finite; give a vector that has a direction"),
        (np.full(DIMENSION, np.nan), "is zero or not finite"),
    ],
    ids=["pickled", "matrix", "integers", "zero", "nan"],
)
def test_a_centroid_that_is_none(scoring, content, said):
    np.save(scoring.flags["ui_centroid"], content)
    refused(scoring, f"--ui-centroid {scoring.flags['ui_centroid']}: ", said)


def test_a_centroid_of_the_length_of_few_features(scoring):
    vectors = embeddings_of(PATHS)
    vectors["p0/0.jpg"] = vectors["p0/0.jpg"][:7]
    scoring.write_features(vectors)
    np.save(scoring.flags["ui_centroid"], np.ones(7))
    refused(
        scoring, "--ui-centroid", "has 7 values, and 15 of 16 features have another length", "give that of the model"
    )


def test_a_truncated_centroid(scoring):
    file = scoring.flags["ui_centroid"]
    file.write_bytes(file.read_bytes()[:-10])
    refused(scoring, f"--ui-centroid {file}: truncated, 182 of 192 bytes")


def test_a_list_of_known_images_that_climbs_out_of_its_root(scoring):
    refused(ui_list(scoring, ["p0/../../etc/passwd"]), "--ui-list-file", "climbs out of its root")


@pytest.fixture(scope="module")
def some_features(spark):
    """Features of the paths, two of one key, and two that are opposite."""
    vectors = embeddings_of(PATHS)
    first = vectors["p0/0.jpg"]
    vectors |= {"p1/0.png": first, "p2/left.jpg": first, "p2/right.jpg": -first}
    return keyed_features(features_frame(spark, vectors), -2)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "none of 0 images has a feature"),
        (["p0/none.jpg", "elsewhere.jpg"], "none of 2 images has a feature that can be used, 0 have one at all"),
        (["p1/0.jpg"], "2 features for 1 images"),
        (["p2/left.jpg", "p2/right.jpg"], "is zero or not finite"),
    ],
    ids=["empty", "without features", "two features", "opposite"],
)
def test_known_images_that_make_no_centroid(spark, some_features, lines, said):
    images = identified_images(images_frame(spark, lines), RecognizabilitySettings(id_key_index=-2), -2)
    with pytest.raises(InputError, match=said) as told:
        centroid_of_images(images, some_features, "known.txt")
    assert told.value.setting == "ui_list_file"


def test_no_such_list_of_known_images(scoring):
    without_centroid(scoring, ui_list_file=scoring.folder / "none.txt")
    refused(scoring, f"--ui-list-file {scoring.folder}/none.txt: no such file")


def test_no_such_list(scoring):
    scoring.list.unlink()
    refused(scoring, "--image-list-file", scoring.list, "no such file")


def test_empty_list(scoring):
    scoring.write_list([])
    refused(scoring, f"--image-list-file {scoring.list}: no image in the list")


def test_one_identity_is_told_where_a_cluster_is_looked_for_and_scored_where_it_is_not(scoring):
    scoring.flags["id_key_index"] = 0
    scoring.write_list([f"data/{path}" for path in PATHS])
    scoring.write_features({f"data/{path}": vector for path, vector in embeddings_of(PATHS).items()})
    scored = scoring.run()
    assert scored.returncode == 0, scored.stderr
    assert "16 images of 1 identities" in scored.stdout
    scoring.flags["overwrite"] = True
    result = without_centroid(scoring).run()
    assert result.returncode == 2
    assert "--id-key-index 0: every image has the identity 'data'" in result.stderr


def test_no_feature_matched(scoring):
    scoring.write_features({f"elsewhere/{path}": vector for path, vector in embeddings_of(PATHS).items()})
    keys = "list key 'p0/0'", "feature key 'elsewhere/p0/0'"
    refused(without_centroid(scoring), f"--feature-root {scoring.features}: ", *keys, "set --image-root")


def test_every_feature_invalid(scoring):
    scoring.write_features({path: vector * np.nan for path, vector in embeddings_of(PATHS).items()})
    refused(scoring, "16 invalid_feature", "list key 'p0/0'")


def test_destination_that_exists(scoring):
    scoring.destination.mkdir()
    (scoring.destination / "summary.json").write_text("{}", encoding="utf-8")
    refused(scoring, "--score-dst", "exists and holds 'summary.json'", "--overwrite")


def test_labels_at_the_destination_are_never_replaced_by_scores(scoring):
    (scoring.destination / "labels").mkdir(parents=True)
    scoring.flags["overwrite"] = True
    refused(scoring, "--score-dst", "holds 'labels', which is no result of this job and will not be replaced")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("cluster_sample", 29, "must be at least 30"),
        ("cluster_sample", 200_001, "must be at most 200000"),
        ("cluster_per_identity", 0, "must be at least 1"),
        ("cluster_threshold", 1.5, "must be at most 1"),
        ("cluster_threshold", "nan", "must be at least -1"),
        ("gamma", "much", "not a number"),
        ("gamma", -0.1, "must be at least 0"),
        ("linkage", "ward", "choose one of single, average, complete"),
    ],
)
def test_settings_out_of_range(scoring, name, value, said):
    scoring.flags[name] = value
    refused(scoring, f"--{name.replace('_', '-')}", value, said)


def test_without_scipy_the_way_out_is_told(tmp_path):
    import numpy

    packages = pathlib.Path(numpy.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (packages / name).exists():
            (tmp_path / name).symlink_to(packages / name)
    program = "from fiqa_spark.methods.ers.clustering import check_scipy; check_scipy()"
    line = [sys.executable, "-S", "-c", program]
    changes = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    result = subprocess.run(line, env={**os.environ, **changes}, capture_output=True, text=True, check=False)
    assert "MachineError: SciPy is missing" in result.stderr
    assert "pip install scipy, or give `ui_centroid` or `ui_list_file`" in result.stderr
