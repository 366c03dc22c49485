"""The account of a run: summary.json, and a shorter one for a person."""

import json
import platform

import numpy
import pandas
import pyarrow
import pyspark
from pyspark.sql import Observation
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.settings import flag
from fiqa_spark.version import __version__

_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


class LabelPercentiles:
    """Percentiles of labels, gathered while these are written rather than in a pass of their own."""

    def __init__(self):
        self._seen = Observation()

    def observed(self, labels):
        """The same rows.

        Parameters
        ----------
        labels : DataFrame
            With the schema `schemas.LABELS`.

        Returns
        -------
        DataFrame
        """
        shares, label = [percent / 100 for percent in _PERCENTILES], F.col(schemas.LABEL)
        # As text, since Spark 3.5 hands an observed array over as an object of Java.
        inner = F.to_json(F.percentile_approx(label, shares, 10_000)).alias("inner")
        return labels.observe(self._seen, F.min(label).alias("least"), inner, F.max(label).alias("most"))

    def values(self):
        """Percentiles, each within a ten-thousandth of its rank, once all rows have been computed.

        Returns
        -------
        dict of str to float
            ``"0"`` is the smallest and ``"100"`` the largest label.
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


def as_json(summary):
    """Text of summary.json."""
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"


def for_a_person(summary):
    """A few lines that tell what came out of a run of generate_labels.

    Parameters
    ----------
    summary : dict
        As written to summary.json.

    Returns
    -------
    str
    """
    images, percentiles = summary["images"], summary["label_percentiles"]
    beyond = summary["images_beyond_intra_pool"]
    lines = [
        f"{images['distinct']} images of {summary['identities']} identities; {images['repeated_lines']} repeated lines",
        "",
        *[f"  {status:<16} {count:>12}" for status, count in summary["statuses"].items()],
        "",
        "labels     " + "   ".join(f"{name}: {percentiles[key]:.2f}" for name, key in _NAMED_PERCENTILES),
        *(
            [
                f"{beyond} images are of identities with more than {summary['settings']['intra_pool_size']['value']} "
                "images, and were compared with so many of them"
            ]
            if beyond
            else []
        ),
        f"distances  {min(summary['round_min']):.4f} to {max(summary['round_max']):.4f}",
        f"written to {summary['destination']}, partitioned by {summary['partitioned_by']}",
        f"seed {summary['settings']['seed']['value']}; {_chosen(summary['settings'])}",
        f"{sum(summary['seconds'].values()):.1f} s: "
        + ", ".join(f"{k} {v:.1f}" for k, v in summary["seconds"].items()),
    ]
    return "\n".join(lines)


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
        f"{flag(name)} {entry['value']} ({entry['origin']})"
        for name, entry in settings.items()
        if entry["origin"] != "default" and not isinstance(entry["value"], str)
    ]
    return "set: " + ", ".join(given) if given else "all other settings at their defaults"
