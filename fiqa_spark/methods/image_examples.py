"""A few of the images and identities that a run has to look at once more, gathered where results are computed."""

from collections.abc import Iterable, Mapping

import numpy as np

from fiqa_spark import schemas
from fiqa_spark.matching.identity_batches import Rows
from fiqa_spark.methods.identity_folders import is_no_name

_MISSING, _NO_NAMES, _NOT_ASCII = "paths_without_feature", "identities_that_are_no_names", "identities_not_ascii"
NAMES = (_MISSING, _NO_NAMES, _NOT_ASCII)
"""Names of what `examples_of` gathers."""


def examples_of(rows: Rows, statuses: np.ndarray, firsts: list[int]) -> dict[str, Iterable[str]]:
    """For `packed`: paths of images without a feature, and identities that a folder may not be named after.

    Parameters
    ----------
    statuses : ndarray of object, shape (rows,)
    firsts : list of int
        Numbers of the rows whose identity has not come before.
    """
    identities = rows.column(schemas.IDENTITY)[firsts].tolist()
    return {
        _MISSING: rows.column(schemas.PATH)[statuses == schemas.MISSING_FEATURE].tolist(),
        _NO_NAMES: filter(is_no_name, identities),
        _NOT_ASCII: (identity for identity in identities if not identity.isascii()),
    }


def missing_paths(examples: Mapping[str, list[str]]) -> list[str]:
    """Paths of a few images without a feature."""
    return examples[_MISSING]


def unfit_identity(examples: Mapping[str, list[str]], *, only_ascii: bool) -> str | None:
    """An identity that no folder can be named after, where names may hold other letters than ASCII's or not."""
    found = [*examples[_NO_NAMES], *(examples[_NOT_ASCII] if only_ascii else ())]
    return found[0] if found else None
