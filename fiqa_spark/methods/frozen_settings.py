"""Settings of a run that takes what is learned from an earlier one: what that was learned with is not to be chosen."""

import dataclasses
from typing import TypeVar

from fiqa_spark.errors import SettingsError
from fiqa_spark.methods.references import Reference
from fiqa_spark.runtime.settings import Settings, as_typed, checked, fields_of

_OwnSettings = TypeVar("_OwnSettings", bound=Settings)
_ORIGIN = "reference"


def frozen(settings: _OwnSettings, reference: Reference, method: str) -> _OwnSettings:
    """The same settings with those of a reference.

    Parameters
    ----------
    method : str
        What these settings, or their defaults, ask for.

    Raises
    ------
    SettingsError
        If another value was given for one of them.
    """
    fixed = dict(reference.settings)
    has_method = any(item.name == "method" for item in fields_of(settings))
    if has_method:
        fixed["method"] = reference.method
    elif reference.method != method:
        raise SettingsError(
            f"the reference is of the method {reference.method}, and these settings are of {method}",
            setting="reference",
            value=getattr(settings, "reference"),  # noqa: B009 - not every class of settings has it.
            remedy="give the settings of that method",
        )
    known = {item.name: item for item in fields_of(settings)}
    for name, value in fixed.items():
        own = getattr(settings, name)
        is_given = name in settings.origins or own != known[name].default
        if is_given and own != value:
            raise SettingsError(
                f"the reference was learned with {as_typed(value)}", setting=name, value=own, remedy="leave it out"
            )
    taken = {name: _ORIGIN for name, value in fixed.items() if value != known[name].default}
    return checked(dataclasses.replace(settings, **fixed, origins={**settings.origins, **taken}))
