"""Settings of the SDD-FIQA labels."""

from dataclasses import dataclass

from fiqa_spark.methods.settings import MethodSettings
from fiqa_spark.runtime.settings import setting

LEARNED_WITH = ("seed", "pool_size", "fix_num", "rounds", "estimator", "normalize", "half_mates")
"""What the range of the distances depends on."""


@dataclass(frozen=True)
class LabelSettings(MethodSettings):
    """How labels are computed from two DataFrames; see `fiqa_spark.generate_labels`."""

    fix_num: int = setting(24, "comparisons on either side, an image and round", least=1)
    rounds: int = setting(12, "rounds to average over", least=1, most=1000)
    estimator: str = setting(
        "sampled", "'exact' compares with all images of the identity and the whole pool", choices=("sampled", "exact")
    )
    min_images: int = setting(
        2, "usable images that an identity, or its half with `half_mates`, needs for labels", least=2
    )
    normalize: str = setting(
        "per-round", "scale every round to 0..100, or the mean distance once", choices=("per-round", "final")
    )

    @property
    def rounds_computed(self) -> int:
        """Number of distances an image: the exact estimator needs one."""
        return 1 if self.estimator == "exact" else self.rounds

    @property
    def max_intra(self) -> int:
        """Number of images of an identity, the first in hash order, that its images can be compared with."""
        return self.intra_pool_size if self.estimator == "exact" else self.rounds * (self.fix_num + 1)
