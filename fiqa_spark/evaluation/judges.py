"""Judges: features of several models, each of which says how good label sets are, and whose labels it has seen."""

import contextlib
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fiqa_spark.errors import FiqaError, InputError
from fiqa_spark.evaluation.label_sets import LabelSet, named_paths
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.features import Features
from fiqa_spark.methods.references import FOLDER as REFERENCE_FOLDER
from fiqa_spark.methods.references import Reference, are_of_model, first_vectors, read_reference
from fiqa_spark.runtime.storage import Storage

_log = logging.getLogger("fiqa_spark")
_SUMMARY = "summary.json"
_SUMMARY_BYTES_AT_MOST = 64 << 20


class Judge(NamedTuple):
    """Features that judge label sets."""

    name: str
    path: str


class MadeOf(NamedTuple):
    """What a label set tells of the features that it was made from."""

    label_set: str
    reference: Reference | None
    """By which its labels are measured; None where the set has none."""
    feature_root: str
    """Where its features lay; empty where the set does not tell."""
    half_mates: bool | None
    """Whether labels come from mates of the same half of an identity alone; None where they come from no mates."""
    seed: int | None = None
    """By which identities are cut in two; None where the set does not tell."""


def named_judges(storage: Storage, settings: EvaluationSettings) -> list[Judge]:
    """The judges in the order in which they were named.

    Raises
    ------
    InputError
        If two have one name, or an entry names nothing.
    """
    if not settings.judge:
        return [Judge(storage.parent_and_name(settings.feature_root)[1] or "features", settings.feature_root)]
    named = named_paths(storage, settings.judge, setting="judge", what="judge")
    return [Judge(*each) for each in dict.fromkeys(named)]


@contextlib.contextmanager
def naming(judge: Judge, settings: EvaluationSettings) -> Iterator[None]:
    """What is wrong with the features inside is told of the judge, where judges are named."""
    try:
        yield
    except FiqaError as error:
        if settings.judge and error.setting == "feature_root":
            error.setting, error.path = "judge", error.path or judge.path
            error.remedy = error.remedy and error.remedy.replace("`feature_root`", "the features")
        raise


def made_of(storage: Storage, sets: list[LabelSet]) -> list[MadeOf]:
    """What folders of results tell of the features that labels were made from; of other sets nothing is known."""
    return [_made_of(storage, labels) for labels in sets]


def _made_of(storage: Storage, labels: LabelSet) -> MadeOf:
    folder = labels.path.rstrip("/")
    summary = f"{folder}/{_SUMMARY}"
    if not storage.is_folder(folder):
        return MadeOf(labels.name, None, "", half_mates=None)
    settings = _settings_in(storage.head(summary, _SUMMARY_BYTES_AT_MOST)) if storage.exists(summary) else {}
    reference = _reference_in(storage, folder)
    root, halves, seed = (settings.get(name, {}).get("value") for name in ("feature_root", "half_mates", "seed"))
    return MadeOf(labels.name, reference, str(root or ""), half_mates=halves, seed=seed)


def _reference_in(storage: Storage, folder: str) -> Reference | None:
    """The reference of a result; None, with a warning, where it cannot be read, without which labels can be judged."""
    if not storage.exists(f"{folder}/{REFERENCE_FOLDER}"):
        return None
    try:
        return read_reference(storage, folder)
    except InputError as error:
        _log.warning("%s: cannot tell what features the labels were made from: %s", folder, error.text)
        return None


def _place(storage: Storage, path: str) -> str:
    """A path to be compared with others; that of another file system as it stands."""
    return (path if ":" in path else storage.qualified(path)).rstrip("/")


def _settings_in(content: bytes) -> dict[str, Any]:
    """The settings that a summary tells; none where it is no summary of this program."""
    try:
        settings = json.loads(content.decode("utf-8"))["settings"]
        return {name: entry for name, entry in settings.items() if isinstance(entry, dict)}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def sets_made_from(storage: Storage, judge: Judge, features: Features, sets: Sequence[MadeOf]) -> tuple[str, ...]:
    """Names of the label sets that were made from the features of a judge, or from others of its model.

    Parameters
    ----------
    features : Features
        Of the judge.
    """
    place = _place(storage, judge.path)
    with_reference = any(each.reference for each in sets)
    embeddings = first_vectors(features) if with_reference else None
    return tuple(
        each.label_set
        for each in sets
        if (each.feature_root and _place(storage, each.feature_root) == place)
        or (each.reference and embeddings is not None and are_of_model(embeddings, each.reference))
    )
