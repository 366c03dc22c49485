"""Settings of the SDD-FIQA labels."""

from dataclasses import dataclass

from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.runtime.settings import setting


@dataclass(frozen=True)
class LabelSettings(ImageSettings):
    """How labels are computed from two DataFrames; see `fiqa_spark.generate_labels`."""

    fix_num: int = setting(24, "comparisons on either side, an image and round", least=1)
    rounds: int = setting(12, "rounds to average over", least=1, most=1000)
    estimator: str = setting(
        "sampled", "'exact' compares with all images of the identity and the whole pool", choices=("sampled", "exact")
    )
    intra_pool_size: int = setting(
        4000,
        "images of its identity that 'exact' compares an image with at most, those of the smallest hashes",
        least=2,
    )
    pool_size: int = setting(10_000, "images in the broadcast sample of strangers", least=1)
    min_images: int = setting(2, "usable images that an identity needs for labels", least=2)
    normalize: str = setting(
        "per-round", "scale every round to 0..100, or the mean distance once", choices=("per-round", "final")
    )
    load_feature: bool = setting(
        False, "keep the joined features in memory, spilling to disk", aliases=("-load-feature",)
    )

    @property
    def rounds_computed(self) -> int:
        """Number of distances an image: the exact estimator needs one."""
        return 1 if self.estimator == "exact" else self.rounds

    @property
    def max_intra(self) -> int:
        """Number of images of an identity, the first in hash order, that its images can be compared with."""
        return self.intra_pool_size if self.estimator == "exact" else self.rounds * (self.fix_num + 1)
