"""Settings of a selection, and which of them contradict one another."""

from dataclasses import dataclass

from fiqa_spark import schemas
from fiqa_spark.errors import SettingsError
from fiqa_spark.runtime.settings import Settings, as_typed, setting

_INT64 = 2**63 - 1
_OF_AUDIT = ("drop", "move_suggested", "merge_identities")


@dataclass(frozen=True)
class SelectionSettings(Settings):
    """Which images of a list are kept, and under which identity."""

    least_label: float | None = setting(None, "drop images whose label is lower, or that have none", least=0, most=100)
    least_ers: float | None = setting(None, "drop images whose ERS is lower, or that have none", least=0, most=2)
    drop: tuple[str, ...] = setting((), "drop images of these verdicts of the audit", choices=schemas.DROPPED_VERDICTS)
    move_suggested: bool = setting(
        False, "images of the verdict 'other' are kept under the identity that the audit suggests"
    )
    merge_identities: bool = setting(False, "names that the audit takes for one person become one identity")
    per_identity_most: int | None = setting(None, "keep so many images of an identity, the best labels", least=1)
    per_identity_least: int | None = setting(
        None, "drop identities of which fewer images are left, when all else is done", least=1
    )
    most: int | None = setting(None, "keep so many images, the best labels of all", least=1)
    seed: int = setting(0, "seed of the hashes by which equal labels are told apart", least=-_INT64 - 1, most=_INT64)

    def __post_init__(self) -> None:
        if self.move_suggested and schemas.OTHER in self.drop:
            raise SettingsError(
                f"would keep the images that `drop` {schemas.OTHER} drops",
                setting="move_suggested",
                remedy="leave one of the two out",
            )
        least, most = self.per_identity_least, self.per_identity_most
        if least is not None and most is not None and least > most:
            raise SettingsError(
                f"is above `per_identity_most` {most}, and no identity could have both",
                setting="per_identity_least",
                value=least,
                remedy="lower it, or raise the other",
            )

    def check_given(self, *, audit: bool, recognizability: bool) -> None:
        """Raise SettingsError for a setting that needs what is not given, and for what is given that none needs.

        Parameters
        ----------
        audit, recognizability : bool
            Whether there is one.
        """
        of_audit = next((name for name in _OF_AUDIT if getattr(self, name)), None)
        of_ers = "least_ers" if self.least_ers is not None else None
        needs = (
            ("audit", audit, of_audit, "`drop`, `move_suggested` or `merge_identities`"),
            ("recognizability", recognizability, of_ers, "`least_ers`"),
        )
        for name, is_given, user, users in needs:
            if user and not is_given:
                value = as_typed(getattr(self, user))
                remedy = f"give `{name}`, or leave it out"
                raise SettingsError(f"needs `{name}`", setting=user, value=value, remedy=remedy)
            if is_given and not user:
                raise SettingsError("plays no part", setting=name, remedy=f"add {users}, or leave it out")
