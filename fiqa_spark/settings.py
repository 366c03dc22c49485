"""Settings of every job: one frozen dataclass a job, with validation and the origin of each value."""

import dataclasses
import difflib
import os
import re
import shlex
import typing
from dataclasses import dataclass, field

from fiqa_spark.errors import SettingsError

CONF_PREFIX = "spark.fiqa."
_INT32, _INT64 = 2**31 - 1, 2**63 - 1
LINKAGES = ("single", "average", "complete")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:(//[^/]*)?(?=/)")


def _setting(default, text, **rules):
    """A field with its help text and rules.

    `required`; `least` and `most`, the range of a number; `above`, a bound that it must be above; `choices`; `aliases`;
    `place`, that data is read or written there. A field of type ``tuple[float, ...]`` takes several values, which obey
    these rules one by one.
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

    report: bool = _setting(False, "write report.html too, a page that shows how good the labels are")


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
class EvaluationSettings(_ImageSettings):
    """How label sets are compared; see `fiqa_spark.evaluation`."""

    pairs_file: str = _setting("", "CSV with path_a, path_b and same (1 or 0); default: pairs are drawn", place=True)
    mated_per_identity: int = _setting(20, "mated pairs drawn of an identity at most", least=1, most=1000)
    non_mated: int = _setting(1_000_000, "non-mated pairs drawn at most", least=1, most=20_000_000)
    error: tuple[str, ...] = _setting(("fnmr",), "errors to look at", choices=("fnmr", "fmr"))
    starting_error: tuple[float, ...] = _setting(
        (0.05, 0.1), "errors before any discard, each the start of a curve", above=0, most=0.99
    )
    at_fmr: tuple[float, ...] = _setting(
        (0.01, 0.001), "FMRs that fix the threshold of further curves of FNMR", above=0, most=0.99
    )
    discard_limit: tuple[float, ...] = _setting(
        (0.2, 0.3, 1.0), "discards up to which the area under a curve is taken", above=0, most=1
    )
    convention: str = _setting(
        "fixed",
        "'recomputed' takes the threshold anew from the pairs left, every 5 %, for curves at an FMR",
        choices=("fixed", "recomputed"),
    )

    def __post_init__(self):
        by_fmr = "fnmr" in self.error and self.at_fmr
        if self.convention == "recomputed" and not by_fmr:
            raise SettingsError("--convention recomputed: is about FNMR at an FMR; give fnmr in --error, and --at-fmr")
        if not self.error or not self.discard_limit:
            raise SettingsError(f"{'--discard-limit' if self.error else '--error'}: give a value at least")
        if not by_fmr and not self.starting_error:
            raise SettingsError(
                "--starting-error: no curve is asked for; give a value, or fnmr in --error and --at-fmr"
            )


@dataclass(frozen=True)
class EvaluateLabelsSettings(EvaluationSettings):
    """Compare label sets by error-versus-discard curves: settings of `jobs/evaluate_labels.py`."""

    labels: tuple[str, ...] = _setting(
        (),
        "folders that generate_labels or score_recognizability wrote, texts of 'path score', CSV files; each as "
        "NAME=PATH or PATH",
        required=True,
        place=True,
    )
    rows_list: str = _setting("", "paths of the rows of a .npy matrix, in order", place=True)
    dst: str = _setting("", "folder to write report.html, the curves and summary.json to", required=True, place=True)
    process_num: int = _setting(None, "parallel tasks in local mode; default: one a core", least=1, most=10_000)
    overwrite: bool = _setting(False, "replace the result of an earlier run once the new one is complete")


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


JOB_SETTINGS = (
    GenerateLabelsSettings,
    ScoreRecognizabilitySettings,
    EvaluateLabelsSettings,
    ImportFeaturesSettings,
    ExportLabelsSettings,
)


def fields_of(settings):
    """The fields of a settings class or object that a user sets."""
    return [item for item in dataclasses.fields(settings) if "help" in item.metadata]


def kind_of(item):
    """Type of the one or several values of a field, and whether there may be several."""
    several = typing.get_args(item.type)
    return (several[0], True) if several else (item.type, False)


def flag(name):
    """The command-line flag of a field: `fix_num` is `--fix-num`."""
    return "--" + name.replace("_", "-")


def resolve(settings_class, flags, configuration):
    """Take every setting from its flag, else from the Spark configuration, else from its default.

    Parameters
    ----------
    settings_class : type
        A dataclass of this module.
    flags : dict
        Field name to text, or list of texts where several values may be given; only for the flags that were given.
    configuration : dict of str to str
        Spark configuration; keys that begin with ``spark.fiqa.`` are read, ``spark.fiqa.fix-num`` for `fix_num`.
        Several values stand in one text, split and quoted as a shell does it.

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
    """The value of a field from its text, or from several, checked against the field's rules."""
    kind, has_several = kind_of(item)
    if not has_several:
        return _parsed_one(item, kind, text, label)
    values = tuple(_parsed_one(item, kind, each, label) for each in _texts(text, label))
    if not values and item.metadata.get("required"):
        raise SettingsError(f"{label} is empty: {item.metadata['help']}")
    repeated = next((value for value in values if values.count(value) > 1), None)
    if repeated is not None:
        raise SettingsError(f"{label}: {repeated} is given twice; give it once")
    return values


def _texts(text, label):
    """The texts of several values."""
    if not isinstance(text, str):
        return text
    try:
        return shlex.split(text)
    except ValueError as error:
        raise SettingsError(f"{label} {text!r}: {error}; quote values as in a shell") from None


def _parsed_one(item, kind, text, label):
    if kind is bool:
        value = {"true": True, "false": False}.get(str(text).lower())
        if value is None:
            raise SettingsError(f"{label} {text!r}: use True or False")
        return value
    if kind in (int, float):
        return _parsed_number(item, kind, text, label)
    choices = item.metadata.get("choices")
    if choices and text not in choices:
        raise SettingsError(f"{label} {text!r}: choose one of {', '.join(choices)}")
    if not text and item.metadata.get("required"):
        raise SettingsError(f"{label} is empty: {item.metadata['help']}")
    return text


def _parsed_number(item, kind, text, label):
    try:
        value = kind(text)
    except ValueError:
        raise SettingsError(f"{label} {text!r}: not a {'whole ' if kind is int else ''}number") from None
    above = item.metadata.get("above")
    if above is not None and not value > above:
        raise SettingsError(f"{label} {value}: must be above {above}")
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


def with_flag(message, settings, *, of_destination=False):
    """A message for the command line, which knows flags, from one that knows a path or a flag alone.

    ``--feature-root: text`` gets its value, ``--feature-root /data: text``; ``/data/1.parquet: text`` gets the flag
    that named the data, ``--feature-root /data/1.parquet: text``.
    """
    alone = re.match("--([a-z-]+): ", message)
    if alone:
        value = getattr(settings, alone[1].replace("-", "_"), None)
        return f"--{alone[1]} {as_typed(value)}: {message[alone.end() :]}" if value else message
    path = _SCHEME.sub("", message)
    places = [item for item in fields_of(settings) if item.metadata.get("place")]
    named = [item for item in places if item.name.endswith("dst")] if of_destination else places
    forms = [
        (form, item) for item in named for place in _places(getattr(settings, item.name)) for form in _forms(place)
    ]
    above = [(len(form), flag(item.name)) for form, item in forms if path.startswith((f"{form}/", f"{form}: "))]
    return f"{max(above)[1]} {message}" if above else message


def as_typed(value):
    """A value as it stands on the command line; several with spaces between them."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _places(value):
    """Places that a setting names, those of ``NAME=PATH`` too."""
    if isinstance(value, str):
        return [value] if value else []
    return [place for text in value for place in (text, text.partition("=")[2]) if place]


def _forms(place):
    """Ways in which a message may name a place."""
    return _SCHEME.sub("", place).rstrip("/"), os.path.abspath(place)
