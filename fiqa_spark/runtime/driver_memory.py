"""Memory that Python may use in the process of the driver, beside Java."""

import os
import pathlib
import resource
from collections.abc import Iterator
from typing import Any

from pyspark.sql import SparkSession

from fiqa_spark.runtime.yarn import is_application_master

_CGROUP = pathlib.Path("/sys/fs/cgroup")
# Limit and account of a group of processes, such as a container, in the second and the first version of the interface.
_LIMITS = (
    (_CGROUP / "memory.max", _CGROUP / "memory.stat", "anon "),
    (_CGROUP / "memory/memory.limit_in_bytes", _CGROUP / "memory/memory.stat", "total_rss "),
)
# What Java needs beside its heap, as a share of it; so much, and at least so many MiB, Spark adds by default.
_OTHER_NEEDS, _OVERHEAD_MIB = 0.1, 384


def free_bytes(spark: SparkSession) -> int:
    """Bytes that Python may take before the system or YARN would end the process.

    Returns
    -------
    int
        The least of what is free on the machine, in the group of processes, and, where the driver runs in a container
        of YARN, in that part of the container that is not Java's.
    """
    bounds = [_free_on_machine(), *_free_in_group()]
    if is_application_master(spark._jvm):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        bounds.append(_beside_java(spark) - own)
    return max(0, min(bounds))


def _free_on_machine() -> int:
    meminfo = pathlib.Path("/proc/meminfo")
    if meminfo.exists():
        return 1024 * _number_after(meminfo.read_text(encoding="utf-8"), "MemAvailable:")
    # Other systems do not tell what is free, but how much there is.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _free_in_group() -> Iterator[int]:
    for limit, account, used in _LIMITS:
        if limit.exists() and (text := limit.read_text(encoding="utf-8").strip()).isdigit():
            yield int(text) - _number_after(account.read_text(encoding="utf-8"), used)


def _number_after(text: str, name: str) -> int:
    """The number behind a name at the start of a line."""
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name))


def _beside_java(spark: SparkSession) -> int:
    """Bytes of the driver's container that neither Java's heap nor its other needs, a tenth of it, take."""
    configuration = spark.sparkContext.getConf()
    java: Any = spark._jvm

    def mebibytes(key: str, default: str) -> int:
        return java.org.apache.spark.network.util.JavaUtils.byteStringAsMb(configuration.get(key, default))

    others = int(_OTHER_NEEDS * mebibytes("spark.driver.memory", "1g"))
    return (mebibytes("spark.driver.memoryOverhead", f"{max(_OVERHEAD_MIB, others)}m") - others) << 20
