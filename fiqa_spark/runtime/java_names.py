"""Classes of Java that PySpark uses for every column, found once: by itself it asks Java anew each time.

Java looks for a bare name in every package of every archive, and for a method among all of its class.
"""

from typing import Any

from py4j.java_gateway import JavaClass, JavaMember
from pyspark.sql import SparkSession

_FUNCTIONS, _PYTHON_UTILS = "org.apache.spark.sql.functions", "org.apache.spark.api.python.PythonUtils"
# How PySpark names them.
_NAMES = {"functions": _FUNCTIONS, _FUNCTIONS: _FUNCTIONS, "PythonUtils": _PYTHON_UTILS}


class _KnownClass(JavaClass):
    """A class whose methods are asked for once."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if isinstance(found, JavaMember):
            # Python calls this function only for what an object lacks.
            setattr(self, name, found)
        return found


def remember_names(spark: SparkSession) -> None:
    """Find these classes now, for as long as the Java process lasts; a second call changes nothing."""
    jvm: Any = spark._jvm
    for name, full_name in _NAMES.items():
        if name not in vars(jvm):
            setattr(jvm, name, _KnownClass(full_name, jvm._gateway_client))
