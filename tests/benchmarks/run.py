"""The benchmark: python -m tests.benchmarks.run [--data FOLDER] [--shrink N] [--results FOLDER]."""

import argparse
import collections
import dataclasses
import os
import pathlib

import numpy as np

from fiqa_spark.pipelines.jobs import ImportFeaturesSettings
from tests.benchmarks import report
from tests.benchmarks.arithmetic import floor_microseconds, kernel_microseconds
from tests.benchmarks.commands import (
    AUDIT_STEP,
    audited,
    given_centroid,
    imported,
    labelled,
    largest_label_difference,
    scored,
    scripted,
    told,
)
from tests.benchmarks.fits import fitted
from tests.benchmarks.identity_search import SIZES, measured_alone
from tests.benchmarks.official_loop import loop_seconds
from tests.benchmarks.synthetic_data import long_tailed_sizes, write_scattered_parquet

_DIMENSION, _SMALL_DIMENSION = 512, 128
_PRECISIONS = ("float32", "int16")
_SIZES = (250_000, 1_000_000, 2_000_000)
_BESIDE_SCRIPT = _SIZES[1]
_LOOP_SIZES = (2_000, 10_000, 20_000)
_MANY_IDENTITIES, _FEW_IMAGES, _USUAL_IMAGES = 5_000_000, 3, 20
_HUGE_IDENTITY = 300_000
_MARGIN = ("--method", "margin")
_LINES = ("jobs", "margin", "ers")
"""What straight lines are laid through, by the time of the whole command."""


def main():
    parser = argparse.ArgumentParser(description="Measure the jobs against the arithmetic that they cannot do without.")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("build/benchmark"), help="folder for data")
    parser.add_argument("--shrink", type=int, default=1, help="divide all sizes by this, for a look at the benchmark")
    parser.add_argument("--results", type=pathlib.Path, help="folder of this run's results, and of the last one's")
    arguments = parser.parse_args()
    results = arguments.results or (report.RESULTS if arguments.shrink == 1 else None)
    last = report.last_run(results) if results else None
    found = Benchmark(arguments.data.resolve(), arguments.shrink).measured()
    print(report.table(found, last))
    if results:
        report.write(results, found, last)
        print(f"\nwritten to {results}")


class Benchmark:
    """All measurements, in the order in which they are made.

    Parameters
    ----------
    data : Path
        Folder for the data, which stays there for the next run.
    shrink : int
        Divides all sizes.
    """

    def __init__(self, data, shrink):
        self._data, self._shrink, self._cores = data, shrink, len(os.sched_getaffinity(0))
        fields = {field.name: field.default for field in dataclasses.fields(ImportFeaturesSettings)}
        self._precision = fields["precision"]

    def measured(self):
        """All figures of a run, JSON-ready."""
        self._data.mkdir(parents=True, exist_ok=True)
        found = {"machine": report.machine(self._cores)}
        found["floor"] = told("floor", floor_microseconds(self._cores, _DIMENSION))
        found["kernels"] = told("kernels", kernel_microseconds(self._cores, _DIMENSION))
        found["loop"] = [told("loop", _loop(images)) for images in _LOOP_SIZES]
        found |= self._of_sizes()
        found["search"] = [told("search", measured_alone(identities // self._shrink)) for identities in SIZES]
        smallest = self._images(_SIZES[0])
        folder, store = self._scattered(smallest), self._store(smallest)
        found["exact"] = labelled(folder, store, self._data / "labels", "--estimator", "exact")
        found["scores"] = self._scores()
        sizes = np.append(long_tailed_sizes(self._images(_SIZES[1])), _HUGE_IDENTITY // self._shrink)
        folder = write_scattered_parquet(self._data / f"skewed-{sizes.sum()}", sizes, dimension=_DIMENSION)
        found["skewed"] = labelled(folder, folder / "features", self._data / "labels")
        found |= self._many_identities()
        # Last, as long after the first time as can be, to see how far apart two runs of one command are.
        found["again"] = self._again(found)
        return found

    def _images(self, images):
        return images // self._shrink

    def _scattered(self, images):
        folder = self._data / f"scattered-{images}"
        return write_scattered_parquet(folder, long_tailed_sizes(images), dimension=_DIMENSION)

    def _store(self, images, precision=None):
        return self._data / f"store-{precision or self._precision}-{images}"

    def _of_sizes(self):
        """What is measured at several sizes, and the straight lines through it."""
        of, default = collections.defaultdict(list), self._precision
        for images in map(self._images, _SIZES):
            self._add_size(images, of)
        lines = {key: {"runs": runs, "fit": fitted(runs, self._cores)} for key, runs in of.items() if key[0] in _LINES}
        place, scripts = _SIZES.index(_BESIDE_SCRIPT), of["script", "plain"]
        jobs = {"store": lines["jobs", default], "plain": lines["jobs", "plain"]}
        steps = [{"images": run["images"], "seconds": run["steps"][AUDIT_STEP]} for run in of["audit", "store"]]
        return {
            "import": of["import", default],
            "jobs": jobs,
            "margin": {form: lines["margin", form] for form in ("store", "plain")},
            "ers": {"store": lines["ers", "store"]},
            "audit": {
                "store": {"runs": of["audit", "store"], "step": {"runs": steps, "fit": fitted(steps, self._cores)}}
            },
            "afternoon": {
                form: {"job": jobs[form]["runs"][place], "script": script}
                for form, script in zip(("store", "plain"), scripts, strict=True)
            },
            "default_precision": default,
            "precision": {each: {"import": of["import", each], **lines["jobs", each]} for each in _PRECISIONS},
            "label_difference": max(of["difference", "store"]),
        }

    def _add_size(self, images, of):
        """Add the runs of one size, those that are compared one after the other: they meet the machine in one mood."""
        folder, store = self._scattered(images), self._store(images)
        plain, destination = folder / "features", self._data / "labels"
        for each in _PRECISIONS:
            of["import", each].append(imported(folder, self._store(images, each), "--precision", each))
        for each in _PRECISIONS:
            of["jobs", each].append(labelled(folder, self._store(images, each), self._data / f"labels-{each}"))
        self._add_script(folder, images, of)
        of["jobs", "plain"].append(labelled(folder, plain, destination))
        self._add_script(folder, images, of)
        for form, features in (("store", store), ("plain", plain)):
            of["margin", form].append(labelled(folder, features, destination, *_MARGIN))
        of["ers", "store"].append(scored(folder, store, self._data / "scores", *self._centroid()))
        of["audit", "store"].append(audited(folder, store, self._data / "audit"))
        difference = largest_label_difference(*(self._data / f"labels-{each}" for each in _PRECISIONS))
        of["difference", "store"].append(told("largest difference of labels", difference))

    def _add_script(self, folder, images, of):
        if images == self._images(_BESIDE_SCRIPT):
            of["script", "plain"].append(scripted(folder, self._data / "script.parquet"))

    def _centroid(self):
        return given_centroid(self._data, _DIMENSION)

    def _scores(self):
        """Recognizability in other ways than by a given centroid from the store."""
        images, destination = self._images(_SIZES[1]), self._data / "scores"
        folder, store, given = self._scattered(images), self._store(images), self._centroid()
        return {
            "given centroid, plain Parquet": scored(folder, folder / "features", destination, *given),
            "given centroid, templates too, feature store": scored(folder, store, destination, *given, "--templates"),
            # Nothing is unrecognizable here; at this threshold all images are one cluster, which takes the most time.
            "centroid to be found, feature store": scored(folder, store, destination, "--cluster-threshold", 0),
        }

    def _many_identities(self):
        found = {"many": {}, "many_margin": {}}
        for name, size in (("of_3", _FEW_IMAGES), ("of_20", _USUAL_IMAGES)):
            identities = _MANY_IDENTITIES * _FEW_IMAGES // size // self._shrink
            folder = self._data / f"{identities}-identities-of-{size}"
            write_scattered_parquet(folder, np.full(identities, size), dimension=_SMALL_DIMENSION)
            for kind, words in (("many", ()), ("many_margin", _MARGIN)):
                found[kind][name] = labelled(folder, folder / "features", self._data / "labels", *words)
        return found

    def _again(self, found):
        """Commands that have run before, with what they took both times."""
        images, destination = self._images(_SIZES[0]), self._data / "labels"
        folder, store = self._scattered(images), self._store(images)
        plain = folder / "features"
        before = {f"{of} {form}": found[of][form]["runs"][0] for of in _LINES for form in found[of]}
        before["import"] = found["import"][0]
        after = {
            "import": imported(folder, store, "--precision", self._precision),
            "jobs store": labelled(folder, store, destination),
            "jobs plain": labelled(folder, plain, destination),
            "margin store": labelled(folder, store, destination, *_MARGIN),
            "margin plain": labelled(folder, plain, destination, *_MARGIN),
            "ers store": scored(folder, store, self._data / "scores", *self._centroid()),
        }
        pairs = {name: [before[name], run] for name, run in after.items()}
        return pairs | {"script": [found["afternoon"][form]["script"] for form in ("store", "plain")]}


def _loop(images):
    seconds, processor = loop_seconds(long_tailed_sizes(images), _DIMENSION)
    return {
        "images": images,
        "seconds": seconds,
        "processor_seconds": processor,
        "microseconds": 1e6 * seconds / images,
    }


if __name__ == "__main__":
    main()
