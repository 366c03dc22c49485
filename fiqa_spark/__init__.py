"""Quality and recognizability of face images, out of the embeddings of a face recognition model, with Apache Spark."""

import importlib
from typing import TYPE_CHECKING, Any

from fiqa_spark.version import __version__

if TYPE_CHECKING:
    from fiqa_spark.errors import FiqaError
    from fiqa_spark.methods.ers.settings import RecognizabilitySettings
    from fiqa_spark.methods.margin.settings import MarginSettings
    from fiqa_spark.methods.results import read_labels, read_recognizability
    from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
    from fiqa_spark.pipelines.generate_labels import generate_labels
    from fiqa_spark.pipelines.score_recognizability import score_recognizability

# Loaded when first asked for: the kernels, and the search for a Java, must work where there is no Spark.
_MODULES = {
    "FiqaError": "errors",
    "LabelSettings": "methods.sdd_fiqa.settings",
    "MarginSettings": "methods.margin.settings",
    "RecognizabilitySettings": "methods.ers.settings",
    "generate_labels": "pipelines.generate_labels",
    "read_labels": "methods.results",
    "read_recognizability": "methods.results",
    "score_recognizability": "pipelines.score_recognizability",
}
__all__ = [
    "FiqaError",
    "LabelSettings",
    "MarginSettings",
    "RecognizabilitySettings",
    "__version__",
    "generate_labels",
    "read_labels",
    "read_recognizability",
    "score_recognizability",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"fiqa_spark.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
