"""What every settings class has in common: rules of a field, where its value comes from, and how it is shown.

Knows no job: a settings class stands in the package that it rules, and `pipelines.jobs` lists the jobs.
"""

import dataclasses
import difflib
import os
import shlex
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fiqa_spark.errors import SettingsError

CONF_PREFIX = "spark.fiqa."
_INT32 = 2**31 - 1

SettingsClass = TypeVar("SettingsClass", bound="Settings")
# What stands on a command line or in the Spark configuration for one field.
Text = str | list[str]


def setting(default: Any, text: str, **rules: Any) -> Any:
    """A field with its help text and rules.

    Parameters
    ----------
    text : str
        Shown by ``--help``.
    **rules
        `required`; `least` and `most`, the range of a number; `above`, a bound that it must be above; `choices`;
        `aliases`; `path`, that data is read or written there; `destination`, that the result is. A field of type
        ``tuple[float, ...]`` takes several values, which obey these rules one by one.
    """
    return field(default=default, metadata={"help": text, **rules})


@dataclass(frozen=True)
class Settings:
    """Base of all settings."""

    origins: dict[str, str] = field(default_factory=dict, kw_only=True, repr=False, compare=False)
    """Field name to ``"flag"`` or ``"configuration"``, for values that are not the defaults."""

    @property
    def unused(self) -> frozenset[str]:
        """Names of the fields that play no part with the others as they are."""
        return frozenset()


@dataclass(frozen=True)
class OverwriteSettings(Settings):
    """Of a job that writes a result."""

    overwrite: bool = setting(False, "replace the result of an earlier run once the new one is complete")


@dataclass(frozen=True)
class ParallelSettings(Settings):
    """Of a job that computes in many tasks."""

    process_num: int | None = setting(None, "parallel tasks in local mode; default: one a core", least=1, most=10_000)


def fields_of(settings: Settings | type[Settings]) -> list[dataclasses.Field]:
    """The fields of a settings class or object that a user sets."""
    return [item for item in dataclasses.fields(settings) if "help" in item.metadata]


def kind_of(item: dataclasses.Field) -> tuple[type, bool]:
    """Type of the one or several values of a field, and whether there may be several."""
    inner = typing.get_args(item.type)
    # The others are tuple[float, ...] and int | None.
    return (inner[0], inner[-1] is Ellipsis) if inner else (typing.cast(type, item.type), False)


def flag(name: str) -> str:
    """The command-line flag of a field: `fix_num` is ``--fix-num``."""
    return "--" + name.replace("_", "-")


def resolve(
    settings_class: type[SettingsClass],
    flags: Mapping[str, Text],
    configuration: Mapping[str, str],
    known: Iterable[str],
) -> SettingsClass:
    """Take every setting from its flag, else from the Spark configuration, else from its default.

    Parameters
    ----------
    flags : dict
        Field name to text, or list of texts where several values may be given; only for the flags that were given.
    configuration : dict of str to str
        Spark configuration; keys that begin with ``spark.fiqa.`` are read, ``spark.fiqa.fix-num`` for `fix_num`.
        Several values stand in one text, split and quoted as a shell does it.
    known : iterable of str
        Names of the settings of all jobs, any of which the configuration may hold.

    Raises
    ------
    SettingsError
        If a value is missing, malformed or out of range, or a ``spark.fiqa.`` key belongs to no job.
    """
    configured = _configured(configuration, set(known))
    given = {**configured, **flags}
    values, origins = {}, {}
    try:
        for item in fields_of(settings_class):
            if item.name in given:
                values[item.name] = _parsed(item, given[item.name])
                origins[item.name] = "flag" if item.name in flags else "configuration"
            elif _is_required(item):
                raise _lacks_value("is missing", item)
        return settings_class(**values, origins=origins)
    except SettingsError as error:
        if error.setting and error.setting in configured and error.setting not in flags:
            error.key = _key(error.setting)
        raise


def _key(name: str) -> str:
    """The key of the Spark configuration that a setting has."""
    return CONF_PREFIX + name.replace("_", "-")


def _configured(configuration: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """Field name to text for the `spark.fiqa.` keys, every one of which must be known to some job."""
    configured = {}
    for key, text in configuration.items():
        if not key.startswith(CONF_PREFIX):
            continue
        name = key[len(CONF_PREFIX) :].replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {_key(near[0])}?" if near else "remove it"
            raise SettingsError("no job has such a setting", key=key, value=text, remedy=hint)
        configured[name] = text
    return configured


def _is_required(item: dataclasses.Field) -> bool:
    return item.metadata.get("required", False)


def _lacks_value(problem: str, item: dataclasses.Field) -> SettingsError:
    return SettingsError(problem, setting=item.name, remedy=f"give the {item.metadata['help']}")


def _parsed(item: dataclasses.Field, text: Any) -> Any:
    """The value of a field from its text, or from several, checked against the field's rules."""
    kind, has_several = kind_of(item)
    if not has_several:
        return _parsed_one(item, kind, text)
    values = tuple(_parsed_one(item, kind, one) for one in _split(item, text))
    if not values and _is_required(item):
        raise _lacks_value("is empty", item)
    repeated = next((value for value in values if values.count(value) > 1), None)
    if repeated is not None:
        raise SettingsError(f"{repeated} is given twice", setting=item.name, remedy="give it once")
    return values


def _split(item: dataclasses.Field, text: Text) -> Iterable[str]:
    """The texts of several values."""
    if not isinstance(text, str):
        return text if isinstance(text, Iterable) else (text,)
    try:
        return shlex.split(text)
    except ValueError as error:
        problem = str(error).lower()
        raise SettingsError(problem, setting=item.name, value=text, remedy="quote values as in a shell") from None


def _parsed_one(item: dataclasses.Field, kind: type, text: Any) -> Any:
    if kind is bool:
        truth = {"true": True, "false": False}.get(str(text).lower())
        if truth is None:
            raise SettingsError("use True or False", setting=item.name, value=text)
        return truth
    if kind in (int, float):
        return _parsed_number(item, kind, text)
    choices = item.metadata.get("choices")
    if choices and text not in choices:
        raise SettingsError(f"choose one of {', '.join(choices)}", setting=item.name, value=text)
    path = os.fspath(text) if isinstance(text, os.PathLike) else text
    if not isinstance(path, str):
        raise SettingsError("not a text", setting=item.name, value=text)
    if not path and _is_required(item):
        raise _lacks_value("is empty", item)
    # NumPy has a class of its own for text.
    return str(path)


def _parsed_number(item: dataclasses.Field, kind: type, text: Any) -> float:
    try:
        # By way of text, as int(2.7) would be 2.
        number = kind(str(text))
    except ValueError:
        whole = "whole " if kind is int else ""
        raise SettingsError(f"not a {whole}number", setting=item.name, value=text) from None
    above = item.metadata.get("above")
    if above is not None and not number > above:
        raise SettingsError(f"must be above {above}", setting=item.name, value=number)
    least, most = item.metadata.get("least", -_INT32), item.metadata.get("most", _INT32)
    # Not within any range is what is not a number at all.
    if not least <= number <= most:
        bound = f"at most {most}" if number > most else f"at least {least}"
        raise SettingsError(f"must be {bound}", setting=item.name, value=number)
    return number


def checked(settings: SettingsClass, *classes: type[Settings]) -> SettingsClass:
    """The same settings if every value obeys its rules, for callers that fill in the dataclass themselves.

    Parameters
    ----------
    *classes : type
        One of which they must be settings of; default: any.

    Raises
    ------
    SettingsError
        If they are others, or a value is malformed or out of range.
    """
    if classes and not isinstance(settings, classes):
        given = settings.__name__ if isinstance(settings, type) else type(settings).__name__
        remedy = f"give {' or '.join(f'{each.__name__}(...)' for each in classes)}"
        raise SettingsError(f"is {given}, not settings of this function", setting="settings", remedy=remedy)
    values = {item.name: _checked(item, getattr(settings, item.name)) for item in fields_of(settings)}
    return dataclasses.replace(settings, **values)


def _checked(item: dataclasses.Field, value: Any) -> Any:
    """A value that is set in code; one that is unset stays so."""
    has_none = item.default is None or item.default == ""
    is_unset = value is None or (isinstance(value, str) and value == "")
    return item.default if is_unset and has_none else _parsed(item, value)


def with_origins(settings: Settings) -> dict[str, dict[str, Any]]:
    """Settings as JSON-ready entries: name to value and origin, which is ``"default"`` unless a user set it.

    Those that play no part are left out.
    """
    return {
        item.name: {"value": getattr(settings, item.name), "origin": settings.origins.get(item.name, "default")}
        for item in fields_of(settings)
        if item.name not in settings.unused
    }


def destination_of(settings: Settings) -> tuple[str, str]:
    """Name and value of the setting that tells where the result goes."""
    name = next(item.name for item in fields_of(settings) if item.metadata.get("destination"))
    return name, getattr(settings, name)


def as_typed(value: Any) -> str:
    """A value as it stands on the command line; several with spaces between them."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
