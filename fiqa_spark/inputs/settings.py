"""Settings of what is read: images and their features."""

from dataclasses import dataclass
from typing import Protocol

from fiqa_spark.runtime.settings import Settings, setting

_INT64 = 2**63 - 1
FLOAT32, NPY = "float32", "npy"
INT16 = "int16"
PRECISIONS = (FLOAT32, INT16)
ELEMENT_TYPES = (FLOAT32, "float64", "float16", NPY)


@dataclass(frozen=True)
class VectorSettings(Settings):
    """Of everything that reads features."""

    feature_type: str = setting(
        FLOAT32,
        "type of the values of features that are bytes, little-endian; 'npy' is what numpy.save writes",
        choices=ELEMENT_TYPES,
    )


@dataclass(frozen=True)
class ImageSettings(VectorSettings):
    """Of everything that brings images and features together."""

    image_root: str = setting("", "folder that the paths of the image list begin with")
    feature_root: str = setting(
        "", "Parquet data set, tree of .npy files, or one .npy matrix", required=True, path=True
    )
    id_key_index: int = setting(-3, "part of the path, split at '/', that names the identity")
    seed: int = setting(0, "seed of all draws", least=-_INT64 - 1, most=_INT64)


@dataclass(frozen=True)
class RowsSettings(Settings):
    """Of a job that may read a .npy matrix."""

    rows_list: str = setting(
        "", "paths of the rows of a .npy matrix, in order; default: the image list, where there is one", path=True
    )


@dataclass(frozen=True)
class ListSettings(RowsSettings):
    """Of a job that reads an image list."""

    image_list_file: str = setting(
        "", "text with one image path a line, or Parquet with a column 'path'", required=True, path=True
    )


class PathSettings(Protocol):
    """What the parts of a path mean, as the settings of several jobs tell it."""

    @property
    def image_root(self) -> str:
        """As of `ImageSettings`."""

    @property
    def id_key_index(self) -> int:
        """As of `ImageSettings`."""


class FeatureSettings(PathSettings, Protocol):
    """Settings of a job that brings images and features together."""

    @property
    def feature_root(self) -> str:
        """As of `ImageSettings`."""

    @property
    def rows_list(self) -> str:
        """As of `ListSettings`."""

    @property
    def feature_type(self) -> str:
        """As of `VectorSettings`."""


class ImportSettings(PathSettings, Protocol):
    """Settings of a job that turns features of any form into a feature store."""

    @property
    def source(self) -> str:
        """File or folder of the features."""

    @property
    def rows_list(self) -> str:
        """As of `ListSettings`."""

    @property
    def feature_type(self) -> str:
        """As of `VectorSettings`."""

    @property
    def precision(self) -> str:
        """Type of the values that vectors are kept in, one of `PRECISIONS`."""
