"""Settings that methods have in common."""

from dataclasses import dataclass

from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.runtime.settings import setting


@dataclass(frozen=True)
class PoolSettings(ImageSettings):
    """Of what compares images with a pool of strangers and with images of their identity."""

    pool_size: int = setting(10_000, "images in the broadcast sample of strangers", least=1)
    intra_pool_size: int = setting(
        4000,
        "images of its identity that an image is compared with at most, those of the smallest hashes; sdd-fiqa: by "
        "'exact'",
        least=2,
    )
    reference: str = setting(
        "",
        "folder of an earlier result, or the reference/ in it: what is learned is taken from there; default: it is "
        "learned from these images",
        path=True,
    )
    load_feature: bool = setting(
        False, "keep the joined features in memory, spilling to disk", aliases=("-load-feature",)
    )


@dataclass(frozen=True)
class MethodSettings(PoolSettings):
    """Of every label method."""

    half_mates: bool = setting(
        False,
        "an image's mates are those of its half of the identity, by a hash of seed and key, so that pairs across "
        "halves can judge labels that have not seen them",
    )
