import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr, wasserstein_distance

from tests.benchmarks.synthetic_data import write_scattered_parquet
from tests.jobs.running import ROOT


@pytest.fixture(scope="module")
def labels(written):
    """Path to what the script writes of an image."""
    line = [sys.executable, "-m", "tests.benchmarks.afternoon_script", "images.txt", "features", "labels.parquet"]
    run = subprocess.run(
        [*line[:3], *(str(written / name) for name in line[3:])], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return pq.read_table(written / "labels.parquet").to_pandas().set_index("path")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Identities of 1 to 60 images."""
    folder = write_scattered_parquet(
        tmp_path_factory.mktemp("scattered"), np.array([1, 2, 5, *range(8, 61, 4)]), dimension=16
    )
    with open(folder / "images.txt", "a", encoding="utf-8") as lines:
        lines.write("person_0000005/without_feature.jpg\nperson_0000005/000000.jpg\n")
    return folder


def exact_distances(folder):
    """Path to the distance of all mated and all non-mated similarities of an image."""
    features = pq.read_table(folder / "features").to_pandas()
    vectors = np.stack(features["feature"]).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    identities, similarities = features["path"].str.split("/").str[0].to_numpy(), vectors @ vectors.T
    distances = {}
    for place, (path, identity) in enumerate(zip(features["path"], identities, strict=True)):
        mated = (identities == identity) & (np.arange(len(identities)) != place)
        if mated.any():
            row = similarities[place]
            distances[f"{path}.jpg"] = wasserstein_distance(row[mated], row[identities != identity])
    return distances


def test_labels_of_the_script_are_those_of_the_method(written, labels):
    exact = exact_distances(written)
    assert len(labels) == len(exact) + 1
    assert set(labels.index[labels["label"].isna()]) == {"person_0000000/000000.jpg"}
    seen = labels.loc[list(exact)]
    assert spearmanr(seen["label"], list(exact.values()))[0] > 0.98
    assert seen["distance"].mean() == pytest.approx(np.mean(list(exact.values())), rel=0.03)
    assert 0 <= seen["label"].min() < seen["label"].max() <= 100


def test_each_image_keeps_its_identity(labels):
    assert (labels.index.str.split("/").str[0] == labels["identity"].astype(str)).all()
