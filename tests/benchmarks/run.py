"""The benchmark: python -m tests.benchmarks.run [--data FOLDER] [--shrink N]."""

import argparse
import os
import pathlib
import shutil

import numpy as np

from tests.benchmarks import report
from tests.benchmarks.arithmetic import floor_microseconds, kernel_microseconds
from tests.benchmarks.identity_search import SIZES, measured_alone
from tests.benchmarks.measured_runs import measured_job
from tests.benchmarks.official_loop import loop_seconds
from tests.benchmarks.synthetic_data import long_tailed_sizes, write_scattered_parquet

_DIMENSION, _SMALL_DIMENSION = 512, 128
_METHODS = ("sdd-fiqa", "margin")
_SIZES = (250_000, 1_000_000, 2_000_000)
_LOOP_SIZES = (2_000, 10_000, 20_000)
_MANY_IDENTITIES, _FEW_IMAGES, _USUAL_IMAGES = 5_000_000, 3, 20
_HUGE_IDENTITY = 300_000


def main():
    parser = argparse.ArgumentParser(description="Measure the jobs against the arithmetic that they cannot do without.")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("build/benchmark"), help="folder for data")
    parser.add_argument("--shrink", type=int, default=1, help="divide all sizes by this, for a look at the benchmark")
    arguments = parser.parse_args()
    found = measured(arguments.data.resolve(), arguments.shrink)
    print(report.table(found))
    if arguments.shrink == 1:
        report.write(found)
        print(f"\nwritten to {report.RESULTS}")


def measured(data, shrink):
    """All figures of a run, JSON-ready."""
    cores = len(os.sched_getaffinity(0))
    found = {"machine": report.machine(cores)}
    found["floor"] = _told("floor", floor_microseconds(cores, _DIMENSION))
    found["kernels"] = _told("kernels", kernel_microseconds(cores, _DIMENSION))
    found["loop"] = [_told("loop", _loop(images)) for images in _LOOP_SIZES]
    found["import"], runs = [], {method: {"store": [], "plain": []} for method in _METHODS}
    for images in _SIZES:
        folder, store = _scattered(data, images // shrink), data / f"store-{images // shrink}"
        found["import"].append(_import(folder, store, images // shrink))
        for form, features in (("store", store), ("plain", folder / "features")):
            # One after the other, so that both meet the machine in the same mood.
            for method in _METHODS:
                runs[method][form].append(_labels(folder, features, data / f"labels-{method}", "--method", method))
    for name, method in (("jobs", "sdd-fiqa"), ("margin", "margin")):
        found[name] = {form: {"runs": of, "fit": _fit(of, cores)} for form, of in runs[method].items()}
    found["search"] = [_told("search", measured_alone(identities // shrink)) for identities in SIZES]
    smallest = _SIZES[0] // shrink
    exact = ("--estimator", "exact")
    found["exact"] = _labels(_scattered(data, smallest), data / f"store-{smallest}", data / "labels", *exact)
    found["scores"] = _scores_in_all_forms(data, _SIZES[1] // shrink)
    sizes = np.append(long_tailed_sizes(_SIZES[1] // shrink), _HUGE_IDENTITY // shrink)
    folder = write_scattered_parquet(data / f"skewed-{sizes.sum()}", sizes, dimension=_DIMENSION)
    found["skewed"] = _labels(folder, folder / "features", data / "labels")
    found["many"], found["many_margin"] = {}, {}
    for name, size in (("of_3", _FEW_IMAGES), ("of_20", _USUAL_IMAGES)):
        identities = _MANY_IDENTITIES * _FEW_IMAGES // size // shrink
        folder = data / f"{identities}-identities-of-{size}"
        write_scattered_parquet(folder, np.full(identities, size), dimension=_SMALL_DIMENSION)
        for kind, method in (("many", "sdd-fiqa"), ("many_margin", "margin")):
            found[kind][name] = _labels(folder, folder / "features", data / "labels", "--method", method)
    return found


def _scattered(data, images):
    return write_scattered_parquet(data / f"scattered-{images}", long_tailed_sizes(images), dimension=_DIMENSION)


def _import(folder, store, images):
    arguments = ("--source", folder / "features", "--dst", store, "--id-key-index", -2, "--overwrite")
    return _told(f"import {folder.name}", _as_dict(measured_job("import_features", *arguments), images))


def _labels(folder, features, destination, *words):
    with open(folder / "images.txt", encoding="utf-8") as lines:
        images = sum(1 for _ in lines)
    shutil.rmtree(destination, ignore_errors=True)
    places = ("--image-list-file", folder / "images.txt", "--feature-root", features, "--score-dst", destination)
    run = measured_job("generate_labels", *places, "--id-key-index", -2, *words)
    return _told(f"labels, {' '.join(words)}, {features.parent.name}/{features.name}", _as_dict(run, images))


def _scores_in_all_forms(data, images):
    """Recognizability by a centroid that is given, and by one that is looked for."""
    folder, store = _scattered(data, images), data / f"store-{images}"
    np.save(data / "ui_centroid.npy", np.random.default_rng(0).standard_normal(_DIMENSION))
    given = ("--ui-centroid", data / "ui_centroid.npy")
    return {
        "given centroid, feature store": _scores(folder, store, images, *given),
        "given centroid, plain Parquet": _scores(folder, folder / "features", images, *given),
        "given centroid, templates too, feature store": _scores(folder, store, images, *given, "--templates"),
        # Nothing is unrecognizable here; at this threshold all images are one cluster, which takes the most time.
        "centroid to be found, feature store": _scores(folder, store, images, "--cluster-threshold", 0),
    }


def _scores(folder, features, images, *words):
    destination = folder.parent / "scores"
    shutil.rmtree(destination, ignore_errors=True)
    places = ("--image-list-file", folder / "images.txt", "--feature-root", features, "--score-dst", destination)
    run = measured_job("score_recognizability", *places, "--id-key-index", -2, *words)
    return _told(f"scores, {features.parent.name}/{features.name}", _as_dict(run, images))


def _as_dict(run, images):
    return {"images": images, **run._asdict()}


def _loop(images):
    seconds = loop_seconds(long_tailed_sizes(images), _DIMENSION)
    return {"images": images, "seconds": seconds, "microseconds": 1e6 * seconds / images}


def _fit(runs, cores):
    images, seconds = zip(*[(run["images"], run["seconds"]) for run in runs], strict=True)
    fixed, marginal = report.straight_line(images, seconds, cores)
    return {"fixed_seconds": fixed, "core_microseconds": marginal}


def _told(name, value):
    print(f"{name}: {value}", flush=True)
    return value


if __name__ == "__main__":
    main()
