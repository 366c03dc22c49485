"""What a reader tells of one form of features, and what it is told."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from fiqa_spark.inputs.feature_files import FoundFiles
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.placed_vectors import PlacedVectors
from fiqa_spark.runtime.storage import Storage


class Source(NamedTuple):
    """Features on disk."""

    spark: SparkSession
    storage: Storage
    path: str
    """File or folder, as the user wrote it."""
    found: FoundFiles
    """The files that lie there."""
    example: str
    """Qualified path of one feature file."""
    id_key_index: int
    """Part of the key that names the identity."""
    image_root: str
    """Folder that the paths of images begin with; may be empty."""
    rows_list: str
    """List of the rows of a matrix; may be empty."""
    feature_type: str
    """Type of the values of features that are bytes, of `settings.ELEMENT_TYPES`."""

    @property
    def is_folder(self) -> bool:
        """Whether the features are files in a folder."""
        return self.found.is_folder

    @property
    def example_key(self) -> str:
        """Path of the example below a folder, without extension."""
        below = self.example[len(self.storage.qualified(self.path)) + 1 :]
        return posixpath.splitext(below)[0]


class Wanted(NamedTuple):
    """Images whose features are wanted; a form that can spare the others does."""

    images: DataFrame
    """Column `path`, a row a line of the image list."""
    beside: DataFrame | None
    """Column `path`: images that are wanted beside those of the list."""
    are_rows: bool
    """Whether `images` names the rows of a matrix that has no list of its own."""


class Vectors(NamedTuple):
    """Vectors to be written as a feature store."""

    table: DataFrame
    """`path` (the key), `feature` (binary or array<float>), `problem` (why a feature has no vector)."""
    rows: int
    """About how many there are."""
    dimension: int
    """Length of most of them, as far as a look at one tells it."""


@dataclass(frozen=True)
class Reader:
    """One form of features: how it is recognised and how it is read.

    Parameters
    ----------
    suffix : str
        Extension of its files.
    recognises : callable
        Whether a source, whose files have the form of that extension, is of this one; called only if no earlier reader
        said so.
    vectors : callable
        Vectors of a source, to be written as a feature store: those of the wanted images at least, all if nothing is
        told of these.
    features : callable, optional
        Features where they lie; default: they have to be imported first, and are many small files or one matrix.
    placed : callable, optional
        Where the vectors of a source stand in files that workers read by themselves; None if they cannot.
    """

    suffix: str
    recognises: Callable[[Source], bool]
    vectors: Callable[[Source, Wanted | None], Vectors]
    features: Callable[[Source], Features] | None = None
    placed: Callable[[Source], PlacedVectors | None] | None = None
