"""The result that `--update` names: what it was labelled with has to be what this run labels with."""

import json
from typing import Any

from pyspark.sql import SparkSession

from fiqa_spark.errors import InputError, SettingsError
from fiqa_spark.methods.references import FOLDER as REFERENCE_FOLDER
from fiqa_spark.methods.references import Reference
from fiqa_spark.methods.results import LABELS, MARGIN_LABELS, read_result
from fiqa_spark.methods.updates import IDENTITY_IN_KEY, Earlier
from fiqa_spark.pipelines.job_run import SUMMARY_FILE
from fiqa_spark.pipelines.jobs import METHODS, GenerateLabelsSettings
from fiqa_spark.runtime.settings import as_typed, fields_of
from fiqa_spark.runtime.storage import Storage

_SETTING = "update"
_REMEDY = "give the folder that generate_labels wrote, or leave it out"
# All other settings of a method change labels.
_WITHOUT_INFLUENCE = frozenset({"feature_root", "reference", "load_feature"})
_PARTS = (LABELS.folder, REFERENCE_FOLDER, SUMMARY_FILE)


def check_parts(storage: Storage, folder: str) -> None:
    """Raise InputError unless a folder holds a whole result."""
    missing = next((name for name in _PARTS if not storage.exists(f"{folder.rstrip('/')}/{name}")), None)
    if missing:
        raise InputError(f"no {missing} there", setting=_SETTING, path=folder, remedy=_REMEDY)


def open_earlier(
    spark: SparkSession, storage: Storage, settings: GenerateLabelsSettings, reference: Reference
) -> Earlier:
    """The earlier result that settings name.

    Parameters
    ----------
    settings : GenerateLabelsSettings
        With those of the reference.
    reference : Reference
        By which labels of this run are measured.

    Raises
    ------
    FiqaError
        If it is none, was measured by another reference, or with other settings that change labels.
    """
    folder = settings.update
    check_parts(storage, folder)
    fingerprint, earlier_settings, were_cut, identity_in_key = _facts(storage, folder)
    if fingerprint != reference.fingerprint:
        raise InputError(
            f"its labels were measured by the reference {fingerprint}, and that of this run is {reference.fingerprint}",
            setting=_SETTING,
            path=folder,
            remedy="give an earlier result of the same reference, or leave it out",
        )
    _check_settings(settings, earlier_settings)
    kind = MARGIN_LABELS if settings.method == "margin" else LABELS
    return Earlier(folder, read_result(spark, folder, kind)[0], were_cut, identity_in_key)


def _facts(storage: Storage, folder: str) -> tuple[str, dict[str, Any], bool, int | None]:
    """Fingerprint of the reference, settings, whether labels were cut, and where keys tell the identity."""
    path = f"{folder.rstrip('/')}/{SUMMARY_FILE}"
    try:
        summary = json.loads(storage.read_text(path))
        fingerprint = str(summary["reference"]["fingerprint"])
        values = {name: entry["value"] for name, entry in summary["settings"].items()}
        return fingerprint, values, summary["labels_cut"] != 0, summary.get(IDENTITY_IN_KEY)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"not the summary of labels ({reason})", setting=_SETTING, path=path, remedy=_REMEDY) from None


def _check_settings(settings: GenerateLabelsSettings, earlier: dict[str, Any]) -> None:
    """Raise SettingsError where a setting that changes labels is another than that of the earlier result."""
    for item in fields_of(METHODS[settings.method]):
        name, own = item.name, getattr(settings, item.name)
        if name in _WITHOUT_INFLUENCE or name not in earlier or _as_meant(own) == _as_meant(earlier[name]):
            continue
        value = as_typed(earlier[name])
        raise SettingsError(
            f"the labels of `update` were computed with {value or 'none'}",
            setting=name,
            value=own,
            remedy=f"{f'give {value}' if value else 'leave it out'}, or leave `update` out",
        )


def _as_meant(value: Any) -> Any:
    """The value of a setting; a folder is the same with a slash at its end and without."""
    return value.rstrip("/") if isinstance(value, str) else value
