"""Quality and recognizability of face images, out of the embeddings of a face recognition model, with Apache Spark."""

import importlib
from typing import TYPE_CHECKING, Any

from fiqa_spark.version import __version__

if TYPE_CHECKING:
    from fiqa_spark.errors import FiqaError
    from fiqa_spark.methods.ers.settings import RecognizabilitySettings
    from fiqa_spark.methods.identities.results import Audit, read_audit
    from fiqa_spark.methods.identities.settings import AuditSettings
    from fiqa_spark.methods.margin.settings import MarginSettings
    from fiqa_spark.methods.results import read_labels, read_recognizability
    from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
    from fiqa_spark.methods.selection.settings import SelectionSettings
    from fiqa_spark.pipelines.audit_identities import audit_identities
    from fiqa_spark.pipelines.generate_labels import generate_labels
    from fiqa_spark.pipelines.score_recognizability import score_recognizability
    from fiqa_spark.pipelines.select_images import select_images

# Loaded when first asked for: the kernels, and the search for a Java, must work where there is no Spark.
_MODULES = {
    "Audit": "methods.identities.results",
    "AuditSettings": "methods.identities.settings",
    "FiqaError": "errors",
    "LabelSettings": "methods.sdd_fiqa.settings",
    "MarginSettings": "methods.margin.settings",
    "RecognizabilitySettings": "methods.ers.settings",
    "SelectionSettings": "methods.selection.settings",
    "audit_identities": "pipelines.audit_identities",
    "generate_labels": "pipelines.generate_labels",
    "read_audit": "methods.identities.results",
    "read_labels": "methods.results",
    "read_recognizability": "methods.results",
    "score_recognizability": "pipelines.score_recognizability",
    "select_images": "pipelines.select_images",
}
__all__ = [
    "Audit",
    "AuditSettings",
    "FiqaError",
    "LabelSettings",
    "MarginSettings",
    "RecognizabilitySettings",
    "SelectionSettings",
    "__version__",
    "audit_identities",
    "generate_labels",
    "read_audit",
    "read_labels",
    "read_recognizability",
    "score_recognizability",
    "select_images",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"fiqa_spark.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
