"""Settings of an evaluation."""

from dataclasses import dataclass

from fiqa_spark.errors import SettingsError
from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.runtime.settings import setting


@dataclass(frozen=True)
class EvaluationSettings(ImageSettings):
    """How label sets are compared; see `fiqa_spark.evaluation`."""

    pairs_file: str = setting("", "CSV with path_a, path_b and same (1 or 0); default: pairs are drawn", path=True)
    mated_per_identity: int = setting(20, "mated pairs drawn of an identity at most", least=1, most=1000)
    non_mated: int = setting(1_000_000, "non-mated pairs drawn at most", least=1, most=20_000_000)
    error: tuple[str, ...] = setting(("fnmr",), "errors to look at", choices=("fnmr", "fmr"))
    starting_error: tuple[float, ...] = setting(
        (0.05, 0.1), "errors before any discard, each the start of a curve", above=0, most=0.99
    )
    at_fmr: tuple[float, ...] = setting(
        (0.01, 0.001), "FMRs that fix the threshold of further curves of FNMR", above=0, most=0.99
    )
    discard_limit: tuple[float, ...] = setting(
        (0.2, 0.3, 1.0), "discards up to which the area under a curve is taken", above=0, most=1
    )
    predicted: str = setting(
        "include",
        "'exclude' leaves out margin labels that come from the image's own feature alone, having no mates",
        choices=("include", "exclude"),
    )
    convention: str = setting(
        "fixed",
        "'recomputed' takes the threshold anew from the pairs left, every 5 %, for curves at an FMR",
        choices=("fixed", "recomputed"),
    )

    def __post_init__(self) -> None:
        by_fmr = "fnmr" in self.error and self.at_fmr
        if self.convention == "recomputed" and not by_fmr:
            raise SettingsError(
                "recomputed is about FNMR at an FMR", setting="convention", remedy="give fnmr in `error`, and `at_fmr`"
            )
        if not self.error or not self.discard_limit:
            empty = "discard_limit" if self.error else "error"
            raise SettingsError("has no value", setting=empty, remedy="give one at least")
        if not by_fmr and not self.starting_error:
            raise SettingsError(
                "no curve is asked for",
                setting="starting_error",
                remedy="give a value, or fnmr in `error` and `at_fmr`",
            )
