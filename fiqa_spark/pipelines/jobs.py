"""The one list of jobs, each with its settings; the pipeline of a job's name is what it runs."""

from dataclasses import dataclass

from fiqa_spark.errors import SettingsError
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.settings import FLOAT32, PRECISIONS, ListSettings, RowsSettings, VectorSettings
from fiqa_spark.methods.ers.settings import RecognizabilitySettings
from fiqa_spark.methods.identities.settings import AuditSettings
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from fiqa_spark.methods.selection.settings import SelectionSettings
from fiqa_spark.runtime.settings import OverwriteSettings, ParallelSettings, Settings, fields_of, setting

METHODS: dict[str, type[LabelSettings] | type[MarginSettings]] = {"sdd-fiqa": LabelSettings, "margin": MarginSettings}
"""Name of each method that labels images to its settings."""


@dataclass(frozen=True)
class PartitionSettings(Settings):
    """Of a job that writes a row an image."""

    partition_by: str = setting(
        "auto",
        "one folder an identity, or buckets of identities; auto: folders up to 1,000 identities",
        choices=("auto", "identity", "bucket"),
    )


@dataclass(frozen=True)
class ResultSettings(PartitionSettings):
    """Of a job that writes a quality an image."""

    score_dst: str = setting(
        "", "folder to write the result and summary.json to", required=True, path=True, destination=True
    )


@dataclass(frozen=True)
class GenerateLabelsSettings(
    LabelSettings, MarginSettings, OverwriteSettings, ParallelSettings, ResultSettings, ListSettings
):
    """Label the quality of face images from their embeddings: settings of `jobs/generate_labels.py`."""

    method: str = setting("sdd-fiqa", "how images are labelled", choices=tuple(METHODS))
    report: bool = setting(False, "write report.html too, a page that shows how good the labels are")
    update: str = setting(
        "",
        "folder of an earlier result of the same reference: labels of identities whose images have not changed are "
        "taken over from there, and the reference too unless another folder is given for that",
        path=True,
    )

    def __post_init__(self) -> None:
        for name in sorted(self.unused & self.origins.keys()):
            raise SettingsError(
                f"is no setting of the method {self.method}",
                setting=name,
                value=getattr(self, name),
                remedy=f"leave it out, or set `method` {_method_of(name)}",
            )

    @property
    def unused(self) -> frozenset[str]:
        """Names of the fields of other methods."""
        return _names(*METHODS.values()) - _names(METHODS[self.method])


def _method_of(name: str) -> str:
    """The first method that has a setting."""
    return next(method for method, settings in METHODS.items() if name in _names(settings))


def _names(*settings: type[Settings]) -> frozenset[str]:
    return frozenset(item.name for each in settings for item in fields_of(each))


@dataclass(frozen=True)
class ScoreRecognizabilitySettings(
    RecognizabilitySettings, OverwriteSettings, ParallelSettings, ResultSettings, ListSettings
):
    """Score which faces can be recognized at all (ERS): settings of `jobs/score_recognizability.py`."""

    ui_list_file: str = setting(
        "", "list of images known to be unrecognizable; default: found by clustering", path=True
    )
    ui_centroid: str = setting("", "ui_centroid.npy of an earlier run; default: found by clustering", path=True)
    templates: bool = setting(False, "write a template of every identity to templates/ too")

    def __post_init__(self) -> None:
        if self.ui_list_file and self.ui_centroid:
            raise SettingsError(
                "`ui_centroid` is given too",
                setting="ui_list_file",
                path=self.ui_list_file,
                remedy="give the one that shall count",
            )


@dataclass(frozen=True)
class AuditIdentitiesSettings(AuditSettings, OverwriteSettings, ParallelSettings, PartitionSettings, ListSettings):
    """Find images under a wrong name, and people under two: settings of `jobs/audit_identities.py`."""

    dst: str = setting(
        "", "folder to write the tables of the audit and summary.json to", required=True, path=True, destination=True
    )
    report: bool = setting(False, "write report.html too, a page that shows what was found")


@dataclass(frozen=True)
class EvaluateLabelsSettings(OverwriteSettings, ParallelSettings, RowsSettings, EvaluationSettings):
    """Compare label sets by error-versus-discard curves: settings of `jobs/evaluate_labels.py`."""

    labels: tuple[str, ...] = setting(
        (),
        "folders that generate_labels or score_recognizability wrote, texts of 'path score', CSV files; each as "
        "NAME=PATH or PATH",
        required=True,
        path=True,
    )
    dst: str = setting(
        "",
        "folder to write report.html, the curves and summary.json to",
        required=True,
        path=True,
        destination=True,
    )


@dataclass(frozen=True)
class ImportFeaturesSettings(OverwriteSettings, ParallelSettings, RowsSettings, VectorSettings):
    """Turn features of any form into Parquet vectors: settings of `jobs/import_features.py`."""

    source: str = setting("", "tree of .npy files, one .npy matrix, or a Parquet data set", required=True, path=True)
    image_root: str = setting("", "folder that the paths in --rows-list begin with, if they are paths of images")
    id_key_index: int = setting(-3, "part of the path, split at '/', by which vectors are put together")
    precision: str = setting(
        FLOAT32,
        "type of the values that vectors are kept in: 'int16' takes half the space, and moves a label by 0.02 at most",
        choices=PRECISIONS,
    )
    dst: str = setting("", "folder to write the Parquet vectors to", required=True, path=True, destination=True)


@dataclass(frozen=True)
class ExportLabelsSettings(OverwriteSettings):
    """Write labels as text for those who train on them: settings of `jobs/export_labels.py`."""

    labels: str = setting("", "folder that generate_labels or score_recognizability wrote", required=True, path=True)
    format: str = setting("", "text format to write", required=True, choices=("tface", "seed", "csv", "jsonl"))
    dst: str = setting("", "file to write; a folder for 'seed'", required=True, path=True, destination=True)
    image_root: str = setting("", "folder put before relative paths")
    image_list_file: str = setting("", "write in the order of this list; default: by path", path=True)


@dataclass(frozen=True)
class SelectImagesSettings(SelectionSettings, OverwriteSettings, ParallelSettings):
    """Choose the images to train on, as a list that every job reads: settings of `jobs/select_images.py`."""

    labels: str = setting("", "folder that generate_labels wrote", required=True, path=True)
    dst: str = setting(
        "",
        "folder to write the list to, with what was dropped and summary.json; --image-list-file reads it as it is",
        required=True,
        path=True,
        destination=True,
    )
    audit: str = setting("", "folder that audit_identities wrote about the same list", path=True)
    recognizability: str = setting("", "folder that score_recognizability wrote about the same list", path=True)
    image_list_file: str = setting(
        "", "the list of the labels, where it lies now; default: where their summary.json says", path=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_given(audit=bool(self.audit), recognizability=bool(self.recognizability))


JOBS: dict[str, type[Settings]] = {
    "generate_labels": GenerateLabelsSettings,
    "score_recognizability": ScoreRecognizabilitySettings,
    "audit_identities": AuditIdentitiesSettings,
    "evaluate_labels": EvaluateLabelsSettings,
    "import_features": ImportFeaturesSettings,
    "export_labels": ExportLabelsSettings,
    "select_images": SelectImagesSettings,
}
"""Name of each job to its settings."""
