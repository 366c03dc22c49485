"""Quality labels for face images, out of the embeddings of a face recognition model, with Apache Spark."""

from fiqa_spark.errors import FiqaError
from fiqa_spark.label_store import read_labels
from fiqa_spark.pipelines.generate_labels import generate_labels
from fiqa_spark.settings import LabelSettings
from fiqa_spark.version import __version__

__all__ = ["FiqaError", "LabelSettings", "__version__", "generate_labels", "read_labels"]
