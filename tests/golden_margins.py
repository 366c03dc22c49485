"""Margins of real faces that a second program computed in float64, of three models; where the data is at hand."""

import csv
import zlib
from typing import NamedTuple

import numpy as np
import pytest

from tests.conftest import ROOT

DATA = ROOT.parent / "shared" / "data"
at_hand = pytest.mark.skipif(not DATA.exists(), reason="the golden data is not beside the checkout")

COLUMNS = ("mates", "stranger_similarity", "prior", "margin", "margin_std", "label")


class Learned(NamedTuple):
    """What the other program learned from all images."""

    lo: float
    hi: float
    penalty: float
    r2: float
    sigma: float
    tau: float


LEARNED = {
    "lfw": Learned(-0.098381, 0.827822, 30, 0.76811, 0.084092, 0.11975),
    "lfw_edgeface": Learned(0.071161, 0.827248, 30, 0.20736, 0.076787, 0.121537),
    "lfw_ncnn": Learned(0.00999, 0.831288, 100, 0.73546, 0.079562, 0.084384),
}


class GoldenFaces(NamedTuple):
    """Images of whole identities, one identity after the other."""

    paths: list
    features: np.ndarray
    """float32, shape (images, dimension); their norms tell of quality in one model alone."""
    identities: np.ndarray
    """Number of each image's identity, in ascending order."""
    folds: np.ndarray
    """Fold of each image's identity."""
    expected: dict
    """Of each of `COLUMNS` the values, float64, shape (images,)."""
    learned: Learned


def golden_faces(model: str) -> GoldenFaces:
    """The images with their features by a model, a key of `LEARNED`."""
    with open(DATA / model / "margin.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names, identities = np.unique([row["path"].split("/")[-2] for row in rows], return_inverse=True)
    order = np.argsort(identities, kind="stable")
    folds = np.array([zlib.crc32(name.encode()) % 5 for name in names.tolist()])[identities]
    features = np.load(DATA / model / "features.npy", allow_pickle=False)
    expected = {column: np.array([float(row[column]) for row in rows])[order] for column in COLUMNS}
    paths = [rows[row]["path"] for row in order]
    return GoldenFaces(paths, features[order], identities[order], folds[order], expected, LEARNED[model])
