"""The account of a run: summary.json, and a shorter one for a person."""

import json
import platform

import numpy
import pandas
import pyarrow
import pyspark
from pyspark.sql import Observation
from pyspark.sql import functions as F

from fiqa_spark.runtime.settings import as_typed, flag, with_origins
from fiqa_spark.version import __version__

_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


class Percentiles:
    """Percentiles of a column, gathered while its rows are written rather than in a pass of their own.

    Parameters
    ----------
    name : str
        Name of the column, of doubles.
    """

    def __init__(self, name):
        self._name, self._seen = name, Observation()

    def observed(self, table):
        """The same rows.

        Parameters
        ----------
        table : DataFrame
            With the column.

        Returns
        -------
        DataFrame
        """
        shares, value = [percent / 100 for percent in _PERCENTILES], F.col(self._name)
        # As text, since Spark 3.5 hands an observed array over as an object of Java.
        inner = F.to_json(F.percentile_approx(value, shares, 10_000)).alias("inner")
        return table.observe(self._seen, F.min(value).alias("least"), inner, F.max(value).alias("most"))

    def values(self):
        """Percentiles, each within a ten-thousandth of its rank, once all rows have been computed.

        Returns
        -------
        dict of str to float
            ``"0"`` is the smallest and ``"100"`` the largest value.
        """
        seen = self._seen.get
        values = [seen["least"], *json.loads(seen["inner"]), seen["most"]]
        return dict(zip(map(str, (0, *_PERCENTILES, 100)), values, strict=True))


def versions(spark):
    """Versions of everything that the numbers depend on."""
    return {
        "fiqa_spark": __version__,
        "spark": spark.version,
        "pyspark": pyspark.__version__,
        "python": platform.python_version(),
        "java": spark._jvm.System.getProperty("java.version"),
        "numpy": numpy.__version__,
        "pandas": pandas.__version__,
        "pyarrow": pyarrow.__version__,
    }


def what_was_listed(counts):
    """The entries of a summary that tell of the images of the list."""
    return {
        "images": {"distinct": counts.images, "repeated_lines": counts.list_rows - counts.images},
        "identities": counts.identities,
        "statuses": counts.statuses,
    }


def how_it_ran(spark, settings, steps):
    """The entries of a summary that tell of the run."""
    return {"settings": with_origins(settings), "versions": versions(spark), "seconds": steps.seconds}


def run_facts(spark, settings):
    """Settings and versions as lines of a table, name to text."""
    chosen = {
        flag(name): as_typed(entry["value"])
        for name, entry in with_origins(settings).items()
        if entry["value"] not in ("", None)
    }
    return {**chosen, **versions(spark)}


def as_json(summary):
    """Text of summary.json."""
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"


def for_a_person(summary, *lines):
    """A few lines that tell what came out of a run.

    Parameters
    ----------
    summary : dict
        As written to summary.json.
    *lines : str
        What this job has to tell beside what every job tells.

    Returns
    -------
    str
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


def run_lines(summary):
    """The lines for a person that tell of the run: seed, settings and seconds."""
    yield f"seed {summary['settings']['seed']['value']}; {_chosen(summary['settings'])}"
    seconds = summary["seconds"]
    yield f"{sum(seconds.values()):.1f} s: " + ", ".join(f"{step} {value:.1f}" for step, value in seconds.items())


def in_a_line(percentiles, digits):
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


def _chosen(settings):
    """The settings that differ from their defaults, but for the paths."""
    given = [
        f"{flag(name)} {as_typed(entry['value'])} ({entry['origin']})"
        for name, entry in settings.items()
        if entry["origin"] != "default" and not _is_text(entry["value"])
    ]
    return "set: " + ", ".join(given) if given else "all other settings at their defaults"


def _is_text(value):
    return isinstance(value, str) or (isinstance(value, tuple) and any(isinstance(each, str) for each in value))
