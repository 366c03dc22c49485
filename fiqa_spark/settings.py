"""Settings of every job: one frozen dataclass a job, with validation and the origin of each value."""

import dataclasses
import difflib
import os
import re
from dataclasses import dataclass, field

from fiqa_spark.errors import SettingsError

CONF_PREFIX = "spark.fiqa."
_INT32, _INT64 = 2**31 - 1, 2**63 - 1
LINKAGES = ("single", "average", "complete")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:(//[^/]*)?(?=/)")


def _setting(default, text, **rules):
    """A field with its help text and rules.

    `required`; `least` and `most`, the range of a number; `choices`; `aliases`; `place`, that data is read or written
    there.
    """
    return field(default=default, metadata={"help": text, **rules})


@dataclass(frozen=True)
class _Settings:
    origins: dict = field(default_factory=dict, kw_only=True, repr=False, compare=False)
    """Field name to ``"flag"`` or ``"configuration"``, for values that are not the defaults."""


@dataclass(frozen=True)
class _ImageSettings(_Settings):
    image_root: str = _setting("", "folder that the paths of the image list begin with")
    feature_root: str = _setting(
        "", "Parquet data set, tree of .npy files, or one .npy matrix", required=True, place=True
    )
    id_key_index: int = _setting(-3, "part of the path, split at '/', that names the identity")
    seed: int = _setting(0, "seed of all draws", least=-_INT64 - 1, most=_INT64)


@dataclass(frozen=True)
class _RunSettings(_Settings):
    image_list_file: str = _setting(
        "", "text with one image path a line, or Parquet with a column 'path'", required=True, place=True
    )
    rows_list: str = _setting("", "paths of the rows of a .npy matrix, in order; default: the image list", place=True)
    score_dst: str = _setting("", "folder to write the result and summary.json to", required=True, place=True)
    partition_by: str = _setting(
        "auto", "one folder an identity, or buckets of identities", choices=("auto", "identity", "bucket")
    )
    process_num: int = _setting(None, "parallel tasks in local mode; default: one a core", least=1, most=10_000)
    overwrite: bool = _setting(False, "replace the result of an earlier run once the new one is complete")


@dataclass(frozen=True)
class LabelSettings(_ImageSettings):
    """How labels are computed from two DataFrames; see `fiqa_spark.generate_labels`."""

    fix_num: int = _setting(24, "comparisons on either side, an image and round", least=1)
    rounds: int = _setting(12, "rounds to average over", least=1, most=1000)
    estimator: str = _setting(
        "sampled", "'exact' compares with all images of the identity and the whole pool", choices=("sampled", "exact")
    )
    intra_pool_size: int = _setting(
        4000,
        "images of its identity that 'exact' compares an image with at most, those of the smallest hashes",
        least=2,
    )
    pool_size: int = _setting(10_000, "images in the broadcast sample of strangers", least=1)
    min_images: int = _setting(2, "usable images that an identity needs for labels", least=2)
    normalize: str = _setting(
        "per-round", "scale every round to 0..100, or the mean distance once", choices=("per-round", "final")
    )
    load_feature: bool = _setting(
        False, "keep the joined features in memory, spilling to disk", aliases=("-load-feature",)
    )

    @property
    def rounds_computed(self):
        """Number of distances an image: the exact estimator needs one."""
        return 1 if self.estimator == "exact" else self.rounds

    @property
    def mates_at_most(self):
        """Number of images of an identity, the first in hash order, that its images can be compared with."""
        return self.intra_pool_size if self.estimator == "exact" else self.rounds * (self.fix_num + 1)


@dataclass(frozen=True)
class GenerateLabelsSettings(LabelSettings, _RunSettings):
    """Label the quality of face images from their embeddings (SDD-FIQA): settings of `jobs/generate_labels.py`."""


@dataclass(frozen=True)
class RecognizabilitySettings(_ImageSettings):
    """How recognizability is scored from two DataFrames; see `fiqa_spark.score_recognizability`."""

    cluster_sample: int = _setting(20_000, "images in the sample that is clustered", least=30, most=200_000)
    cluster_per_identity: int = _setting(2, "images of an identity in that sample at most", least=1)
    linkage: str = _setting(
        "single", "how similar clusters are: as their nearest, all or farthest pairs", choices=LINKAGES
    )
    cluster_threshold: float = _setting(0.5, "similarity at which clusters are joined", least=-1, most=1)
    gamma: float = _setting(0.6, "score from which an image is recognizable", least=0, most=2)
    no_clip: bool = _setting(False, "let scores be above 1 where an image is opposite to the UI centroid")


@dataclass(frozen=True)
class ScoreRecognizabilitySettings(RecognizabilitySettings, _RunSettings):
    """Score which faces can be recognized at all (ERS): settings of `jobs/score_recognizability.py`."""

    ui_list_file: str = _setting(
        "", "list of images known to be unrecognizable; default: found by clustering", place=True
    )
    ui_centroid: str = _setting("", "ui_centroid.npy of an earlier run; default: found by clustering", place=True)
    templates: bool = _setting(False, "write a template of every identity to templates/ too")

    def __post_init__(self):
        if self.ui_list_file and self.ui_centroid:
            raise SettingsError(
                f"--ui-list-file {self.ui_list_file}: --ui-centroid is given too; give the one that shall count"
            )


@dataclass(frozen=True)
class ImportFeaturesSettings(_Settings):
    """Turn features of any form into Parquet vectors: settings of `jobs/import_features.py`."""

    source: str = _setting("", "tree of .npy files, one .npy matrix, or a Parquet data set", required=True, place=True)
    rows_list: str = _setting("", "paths of the rows of a .npy matrix, in order", place=True)
    image_root: str = _setting("", "folder that the paths in --rows-list begin with, if they are paths of images")
    id_key_index: int = _setting(-3, "part of the path, split at '/', by which vectors are put together")
    dst: str = _setting("", "folder to write the Parquet vectors to", required=True, place=True)
    process_num: int = _setting(None, "parallel tasks in local mode; default: one a core", least=1, most=10_000)
    overwrite: bool = _setting(False, "replace what an earlier run wrote once the new data set is complete")


@dataclass(frozen=True)
class ExportLabelsSettings(_Settings):
    """Write labels as text for those who train on them: settings of `jobs/export_labels.py`."""

    labels: str = _setting("", "folder that generate_labels or score_recognizability wrote", required=True, place=True)
    format: str = _setting("", "text format to write", required=True, choices=("tface", "seed", "csv", "jsonl"))
    dst: str = _setting("", "file to write; a folder for 'seed'", required=True, place=True)
    image_root: str = _setting("", "folder put before relative paths")
    image_list_file: str = _setting("", "write in the order of this list; default: by path", place=True)
    overwrite: bool = _setting(False, "replace an existing file")


JOB_SETTINGS = (GenerateLabelsSettings, ScoreRecognizabilitySettings, ImportFeaturesSettings, ExportLabelsSettings)


def fields_of(settings):
    """The fields of a settings class or object that a user sets."""
    return [item for item in dataclasses.fields(settings) if "help" in item.metadata]


def flag(name):
    """The command-line flag of a field: `fix_num` is `--fix-num`."""
    return "--" + name.replace("_", "-")


def resolve(settings_class, flags, configuration):
    """Take every setting from its flag, else from the Spark configuration, else from its default.

    Parameters
    ----------
    settings_class : type
        A dataclass of this module.
    flags : dict of str to str
        Field name to text, only for the flags that were given.
    configuration : dict of str to str
        Spark configuration; keys that begin with ``spark.fiqa.`` are read, ``spark.fiqa.fix-num`` for `fix_num`.

    Returns
    -------
    settings_class

    Raises
    ------
    SettingsError
        If a value is missing, malformed or out of range, or a ``spark.fiqa.`` key belongs to no job.
    """
    configured = _configured(configuration)
    values, origins = {}, {}
    for item in fields_of(settings_class):
        for origin, texts in (("flag", flags), ("configuration", configured)):
            if item.name in texts:
                label = flag(item.name) if origin == "flag" else CONF_PREFIX + item.name.replace("_", "-")
                values[item.name] = _parsed(item, texts[item.name], label)
                origins[item.name] = origin
                break
        else:
            if item.metadata.get("required"):
                raise SettingsError(f"{flag(item.name)} is missing: {item.metadata['help']}")
    return settings_class(**values, origins=origins)


def _configured(configuration):
    """Field name to text for the `spark.fiqa.` keys, every one of which must be known to some job."""
    known = {item.name for job in JOB_SETTINGS for item in fields_of(job)}
    found = {}
    for key, text in configuration.items():
        if not key.startswith(CONF_PREFIX):
            continue
        name = key[len(CONF_PREFIX) :].replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {CONF_PREFIX}{near[0].replace('_', '-')}?" if near else "remove it"
            raise SettingsError(f"{key}: no job has such a setting (value {text!r}); {hint}")
        found[name] = text
    return found


def _parsed(item, text, label):
    """The value of a field from its text, checked against the field's rules."""
    if item.type is bool:
        value = {"true": True, "false": False}.get(str(text).lower())
        if value is None:
            raise SettingsError(f"{label} {text!r}: use True or False")
        return value
    if item.type in (int, float):
        return _parsed_number(item, text, label)
    choices = item.metadata.get("choices")
    if choices and text not in choices:
        raise SettingsError(f"{label} {text!r}: choose one of {', '.join(choices)}")
    if not text and item.metadata.get("required"):
        raise SettingsError(f"{label} is empty: {item.metadata['help']}")
    return text


def _parsed_number(item, text, label):
    try:
        value = item.type(text)
    except ValueError:
        raise SettingsError(f"{label} {text!r}: not a {'whole ' if item.type is int else ''}number") from None
    least, most = item.metadata.get("least", -_INT32), item.metadata.get("most", _INT32)
    # Not within any range is what is not a number at all.
    if not least <= value <= most:
        bound = f"at most {most}" if value > most else f"at least {least}"
        raise SettingsError(f"{label} {value}: must be {bound}")
    return value


def checked(settings):
    """The same settings if every value obeys its rules, for callers that fill in the dataclass themselves.

    Raises
    ------
    SettingsError
        If a value is malformed or out of range.
    """
    values = {}
    for item in fields_of(settings):
        value = getattr(settings, item.name)
        values[item.name] = value if value in ("", None) else _parsed(item, value, item.name)
    return dataclasses.replace(settings, **values)


def with_origins(settings):
    """Settings as JSON-ready entries: name to value and origin, which is ``"default"`` unless a user set it."""
    return {
        item.name: {"value": getattr(settings, item.name), "origin": settings.origins.get(item.name, "default")}
        for item in fields_of(settings)
    }


def with_flag(message, settings):
    """A message for the command line, which knows flags, from one that knows a path or a flag alone.

    ``--feature-root: text`` gets its value, ``--feature-root /data: text``; ``/data/1.parquet: text`` gets the flag
    that named the data, ``--feature-root /data/1.parquet: text``.
    """
    alone = re.match("--([a-z-]+): ", message)
    if alone:
        value = getattr(settings, alone[1].replace("-", "_"), None)
        return f"--{alone[1]} {value}: {message[alone.end() :]}" if value else message
    path = _SCHEME.sub("", message)
    places = [item for item in fields_of(settings) if item.metadata.get("place") and getattr(settings, item.name)]
    forms = [(form, item) for item in places for form in _forms(getattr(settings, item.name))]
    above = [(len(form), flag(item.name)) for form, item in forms if path.startswith((f"{form}/", f"{form}: "))]
    return f"{max(above)[1]} {message}" if above else message


def _forms(place):
    """Ways in which a message may name a place."""
    return _SCHEME.sub("", place).rstrip("/"), os.path.abspath(place)
