"""What every method that labels images hands over."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.methods.references import Reference
from fiqa_spark.methods.results import Kind


class Labelling(NamedTuple):
    """Labels and what was learned on the way to them."""

    labels: DataFrame
    """The columns of the schema of `kind`, and `identity_key`."""
    kind: Kind
    counts: ImageCounts
    partitions: int
    """Number of partitions by identity that the labels lie in."""
    reference: Reference
    """What they are measured by."""
    facts: dict[str, Any]
    """What the summary tells of them, JSON-ready."""
    told: tuple[str, ...]
    """Lines that tell a person of them."""


def images_beyond(images: int, intra_pool_size: int) -> Iterator[str]:
    """The line that tells of images that have more mates than they were compared with, if there are any."""
    if images:
        yield (
            f"{images} images are of identities with more than {intra_pool_size} images, and were compared with so "
            "many of them"
        )
