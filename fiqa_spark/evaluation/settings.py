"""Settings of an evaluation."""

import math
from dataclasses import dataclass

from fiqa_spark.errors import SettingsError
from fiqa_spark.inputs.settings import ImageSettings
from fiqa_spark.runtime.settings import setting

ACROSS_HALVES = "across-halves"
MIN, PRODUCT = "min", "product"
ERRORS_OF_A_THRESHOLD = 30
"""Non-mated pairs above a threshold, without which it is not sure enough to tell of an FMR."""
_NON_MATED, _NON_MATED_AT_MOST, _MARGIN = 1_000_000, 20_000_000, 1.05


def pairs_of_fmr(fmr: float) -> int:
    """Non-mated pairs that the threshold of an FMR needs."""
    return math.ceil(ERRORS_OF_A_THRESHOLD / fmr)


@dataclass(frozen=True)
class EvaluationSettings(ImageSettings):
    """How label sets are compared; see `fiqa_spark.evaluation`."""

    feature_root: str = setting("", "features that judge all label sets, unless `judge` gives others", path=True)
    judge: tuple[str, ...] = setting(
        (),
        "features of several models, each of which judges all label sets, as NAME=FEATURES; default: those of "
        "`feature_root`",
        path=True,
    )
    pairs: str = setting(
        "any",
        "mated pairs that are drawn; 'across-halves' takes those that labels of `half_mates` have not seen",
        choices=("any", ACROSS_HALVES),
    )
    pairs_file: str = setting("", "CSV with path_a, path_b and same (1 or 0); default: pairs are drawn", path=True)
    mated_per_identity: int = setting(20, "mated pairs drawn of an identity at most", least=1, most=1000)
    non_mated: int = setting(
        _NON_MATED,
        "non-mated pairs drawn at most; unless given, more where the smallest FMR asked for needs them: 30 above its "
        "threshold, up to 20000000 pairs",
        least=1,
        most=_NON_MATED_AT_MOST,
    )
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
    pair_quality: str = setting(
        MIN,
        "quality of a pair by the labels of its two images",
        choices=(MIN, "mean", PRODUCT, "max"),
    )
    target_fnmr: tuple[float, ...] = setting(
        (), "FNMRs for which the least label is looked for that keeps them at each of `at_fmr`", above=0, most=0.99
    )
    groups: str = setting(
        "", "CSV with the columns path or identity, and group: labels and errors are told by group", path=True
    )
    convention: str = setting(
        "fixed",
        "'recomputed' takes the threshold anew from the pairs left, every 5 %, for curves at an FMR",
        choices=("fixed", "recomputed"),
    )

    @property
    def wanted_non_mated(self) -> int:
        """Non-mated pairs to draw at most: `non_mated` if a user set it, else at least what the smallest FMR needs."""
        if "non_mated" in self.origins or self.non_mated != _NON_MATED:
            return self.non_mated
        fmrs = (
            *(self.at_fmr if "fnmr" in self.error else ()),
            *(self.starting_error if "fmr" in self.error else ()),
        )
        # Some more, as images may lack a feature.
        needed = math.ceil(_MARGIN * max(map(pairs_of_fmr, fmrs), default=0))
        return min(max(self.non_mated, needed), _NON_MATED_AT_MOST)

    def __post_init__(self) -> None:
        self._check_judges_and_pairs()
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
        if self.target_fnmr and not self.at_fmr:
            raise SettingsError(
                "an FNMR is that at an FMR, and none is given", setting="target_fnmr", remedy="give `at_fmr` a value"
            )

    def _check_judges_and_pairs(self) -> None:
        if not self.feature_root and not self.judge:
            raise SettingsError(
                "must be given", setting="feature_root", remedy="give the features that judge the labels, or `judge`"
            )
        if self.feature_root and self.judge:
            raise SettingsError(
                "`feature_root` is given too", setting="judge", remedy="name those features as a judge as well"
            )
        if self.pairs_file and self.pairs != "any":
            raise SettingsError(
                "is about pairs that are drawn, and `pairs_file` is given",
                setting="pairs",
                value=self.pairs,
                remedy="leave one of them out",
            )
