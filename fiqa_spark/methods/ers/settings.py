"""Settings of the recognizability scores, ERS."""

from dataclasses import dataclass

from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.runtime.settings import setting

LINKAGES = ("single", "average", "complete")


@dataclass(frozen=True)
class RecognizabilitySettings(ImageSettings):
    """How recognizability is scored from two DataFrames; see `fiqa_spark.score_recognizability`."""

    cluster_sample: int = setting(20_000, "images in the sample that is clustered", least=30, most=200_000)
    cluster_per_identity: int = setting(2, "images of an identity in that sample at most", least=1)
    linkage: str = setting(
        "single", "how similar clusters are: as their nearest, all or farthest pairs", choices=LINKAGES
    )
    cluster_threshold: float = setting(0.5, "similarity at which clusters are joined", least=-1, most=1)
    gamma: float = setting(0.6, "score from which an image is recognizable", least=0, most=2)
    no_clip: bool = setting(False, "let scores be above 1 where an image is opposite to the UI centroid")
