"""Quality and recognizability of face images, out of the embeddings of a face recognition model, with Apache Spark."""

import importlib

from fiqa_spark.version import __version__

# Loaded when first asked for: the kernels, and the search for a Java, must work where there is no Spark.
_PLACES = {
    "FiqaError": "fiqa_spark.errors",
    "LabelSettings": "fiqa_spark.settings",
    "RecognizabilitySettings": "fiqa_spark.settings",
    "generate_labels": "fiqa_spark.pipelines.generate_labels",
    "read_labels": "fiqa_spark.result_store",
    "read_recognizability": "fiqa_spark.result_store",
    "score_recognizability": "fiqa_spark.pipelines.score_recognizability",
}
__all__ = [
    "FiqaError",
    "LabelSettings",
    "RecognizabilitySettings",
    "__version__",
    "generate_labels",
    "read_labels",
    "read_recognizability",
    "score_recognizability",
]


def __getattr__(name):
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
