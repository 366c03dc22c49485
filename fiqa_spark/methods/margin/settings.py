"""Settings of the margin labels."""

from dataclasses import dataclass

from fiqa_spark.methods.settings import MethodSettings, PoolSettings
from fiqa_spark.runtime.settings import setting

LEARNED_WITH = ("seed", "pool_size", "reference_sample", "prior_weight", "half_mates")
"""What that which is learned depends on."""


@dataclass(frozen=True)
class MarginReferenceSettings(PoolSettings):
    """Of what margins are measured by."""

    reference_sample: int = setting(100_000, "images of whole identities to learn from", least=10)
    prior_weight: float = setting(
        0.1, "what an image's own feature counts beside its mates, of which a good one counts 1", above=0, most=1000
    )


@dataclass(frozen=True)
class MarginSettings(MarginReferenceSettings, MethodSettings):
    """How margin labels are computed from two DataFrames; see `fiqa_spark.generate_labels`."""
