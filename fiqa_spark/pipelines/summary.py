"""The account of a run: summary.json, and a shorter one for a person."""

import json
import platform
from collections.abc import Iterator
from typing import Any

import numpy
import pandas
import pyarrow
import pyspark
from pyspark.sql import SparkSession

from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.settings import Settings, as_typed, flag, with_origins
from fiqa_spark.version import __version__


def versions(spark: SparkSession) -> dict[str, str]:
    """Versions of everything that the numbers depend on."""
    jvm: Any = spark._jvm
    return {
        "fiqa_spark": __version__,
        "spark": spark.version,
        "pyspark": pyspark.__version__,
        "python": platform.python_version(),
        "java": jvm.System.getProperty("java.version"),
        "numpy": numpy.__version__,
        "pandas": pandas.__version__,
        "pyarrow": pyarrow.__version__,
    }


def what_was_listed(counts: ImageCounts) -> dict[str, Any]:
    """The entries of a summary that tell of the images of the list."""
    return {
        "images": {"distinct": counts.images, "repeated_lines": counts.list_rows - counts.images},
        "identities": counts.identities,
        "statuses": counts.statuses,
    }


def how_it_ran(spark: SparkSession, settings: Settings, steps: Steps) -> dict[str, Any]:
    """The entries of a summary that tell of the run."""
    return {"settings": with_origins(settings), "versions": versions(spark), "seconds": steps.seconds}


def run_facts(spark: SparkSession, settings: Settings) -> dict[str, str]:
    """Settings and versions as lines of a table, name to text."""
    chosen = {
        flag(name): as_typed(entry["value"])
        for name, entry in with_origins(settings).items()
        if entry["value"] not in ("", None)
    }
    return {**chosen, **versions(spark)}


def as_json(summary: dict[str, Any]) -> str:
    """Text of summary.json."""
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"


def for_a_person(summary: dict[str, Any], *lines: str) -> str:
    """A few lines that tell what came out of a run.

    Parameters
    ----------
    summary : dict
        As written to summary.json.
    *lines : str
        What this job has to tell beside what every job tells.
    """
    images = summary["images"]
    shown = [
        f"{images['distinct']} images of {summary['identities']} identities; {images['repeated_lines']} repeated lines",
        "",
        *[f"  {status:<16} {count:>12}" for status, count in summary["statuses"].items()],
        "",
        *lines,
        f"written to {summary['destination']}, partitioned by {summary['partitioned_by']}",
        *run_lines(summary),
    ]
    return "\n".join(shown)


def run_lines(summary: dict[str, Any]) -> Iterator[str]:
    """The lines for a person that tell of the run: seed, settings and seconds."""
    yield f"seed {summary['settings']['seed']['value']}; {_chosen(summary['settings'])}"
    seconds = summary["seconds"]
    yield f"{sum(seconds.values()):.1f} s: " + ", ".join(f"{step} {value:.1f}" for step, value in seconds.items())


def in_a_line(percentiles: dict[str, float], digits: int) -> str:
    """Some percentiles as ``min: 2.11   5%: 7.30   ...``."""
    return "   ".join(f"{name}: {percentiles[key]:.{digits}f}" for name, key in _NAMED_PERCENTILES)


_NAMED_PERCENTILES = (
    ("min", "0"),
    ("5%", "5"),
    ("25%", "25"),
    ("median", "50"),
    ("75%", "75"),
    ("95%", "95"),
    ("max", "100"),
)


def _chosen(settings: dict[str, dict[str, Any]]) -> str:
    """The settings that differ from their defaults, but for the paths."""
    given = [
        f"{flag(name)} {as_typed(entry['value'])} ({entry['origin']})"
        for name, entry in settings.items()
        if entry["origin"] != "default" and not _is_text(entry["value"])
    ]
    return "set: " + ", ".join(given) if given else "all other settings at their defaults"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, tuple) and any(isinstance(item, str) for item in value))
