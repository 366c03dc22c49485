"""What the user can mend: each of these ends a job with one line on stderr and exit code 2."""

from typing import Any

# What a notebook hands over where a job has a path.
_IN_A_NOTEBOOK = {"image_list_file": "images", "feature_root": "features"}


class FiqaError(Exception):
    """Root of all errors that tell the user what to mend.

    An error carries facts, and whoever shows it puts them into words: the command line adds the flag and its value, a
    notebook names the argument. In `text` and `remedy` the name of a setting stands in backticks.

    Parameters
    ----------
    text : str
        What is wrong, with the value seen.
    setting : str, optional
        Name of the setting that is to blame.
    value : object, optional
        Its value, where the settings do not tell it.
    path : str, optional
        File or folder that is to blame.
    remedy : str, optional
        The way out.
    """

    def __init__(
        self,
        text: str,
        *,
        setting: str | None = None,
        value: object = None,
        path: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(text)
        self.text, self.setting, self.value, self.path, self.remedy = text, setting, value, path, remedy

    def __str__(self) -> str:
        subject = " ".join(filter(None, (self.shown_name, self.shown_value)))
        return f"{subject}: {self.sentence}" if subject else self.sentence

    @property
    def shown_name(self) -> str | None:
        """What a notebook calls the setting that is to blame; None if none is known."""
        return _IN_A_NOTEBOOK.get(self.setting, self.setting) if self.setting else None

    @property
    def shown_value(self) -> str | None:
        """The path or value that is to blame; None if neither is known."""
        if self.path is not None or self.value is None:
            return self.path
        return repr(self.value) if isinstance(self.value, str) else str(self.value)

    @property
    def sentence(self) -> str:
        """What is wrong and the way out."""
        return f"{self.text}; {self.remedy}" if self.remedy else self.text


class SettingsError(FiqaError):
    """Raised when a setting is unknown, missing or out of range.

    Parameters
    ----------
    key : str, optional
        Key of the Spark configuration that the value comes from.
    **facts
        As of every `FiqaError`.
    """

    def __init__(self, text: str, *, key: str | None = None, **facts: Any) -> None:
        super().__init__(text, **facts)
        self.key = key

    @property
    def shown_name(self) -> str | None:
        """The key of the Spark configuration, or the name of the setting; None if neither is known."""
        return self.key or super().shown_name


class InputError(FiqaError):
    """Raised when the image list or the features cannot be used as they are."""


class NothingUsableError(InputError):
    """Raised when no image is left that a result could be computed for; one key of either side helps to see why."""

    def with_keys(self, listed: str, feature: str) -> "NothingUsableError":
        """The same error, which shows one key of the list beside one key of the features."""
        text = f"{self.text} (list key {listed!r}, feature key {feature!r})"
        return NothingUsableError(text, setting=self.setting, value=self.value, path=self.path, remedy=self.remedy)


class DestinationError(FiqaError):
    """Raised when the result cannot be written where it was asked for."""


class MachineError(FiqaError):
    """Raised when the machine lacks what the job needs: a Java of the right version, memory, room for its files."""
