"""The commands that the benchmark runs and measures, each told when it has ended; JSON-ready."""

import json
import shutil

import numpy as np
import pyarrow.dataset as ds

from tests.benchmarks.measured_runs import measured_job, measured_module

AUDIT_STEP = "computing memberships"
"""The step of an audit that passes over all vectors."""
_PARENT_FOLDER = ("--id-key-index", -2)


def told(name, value):
    """The value, shown to whoever waits."""
    print(f"{name}: {value}", flush=True)
    return value


def imported(folder, store, *words):
    """Import the features of a data set into a store; `disk_bytes` is its size."""
    run = measured_job(
        *("import_features", "--source", folder / "features", "--dst", store, *_PARENT_FOLDER, "--overwrite", *words)
    )
    disk = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    return _told("import", folder, run, *words, disk_bytes=disk)


def labelled(folder, features, destination, *words):
    """Label the images of a data set."""
    run = _on_list("generate_labels", folder, features, destination, "--score-dst", *words)
    return _told(f"labels from {features.name}", folder, run, *words)


def scored(folder, features, destination, *words):
    """Score the recognizability of the images of a data set."""
    run = _on_list("score_recognizability", folder, features, destination, "--score-dst", *words)
    return _told(f"recognizability from {features.name}", folder, run, *words)


def audited(folder, features, destination, *words):
    """Audit the identities of a data set; `steps` has the seconds of every step."""
    run = _on_list("audit_identities", folder, features, destination, "--dst", *words)
    steps = json.loads((destination / "summary.json").read_text(encoding="utf-8"))["seconds"]
    return _told(f"audit from {features.name}", folder, run, *words, steps=steps)


def scripted(folder, destination):
    """Label the images of a data set by the script of an afternoon, from plain Parquet."""
    module = "tests.benchmarks.afternoon_script"
    run = measured_module(module, folder / "images.txt", folder / "features", destination)
    return _told("script of an afternoon", folder, run)


def given_centroid(data, dimension):
    """Words that give a centroid to `scored`."""
    np.save(data / "ui_centroid.npy", np.random.default_rng(0).standard_normal(dimension))
    return "--ui-centroid", data / "ui_centroid.npy"


def largest_label_difference(first, second):
    """Of two folders of labels of the same images."""
    labels = []
    for destination in (first, second):
        table = ds.dataset(destination / "labels", format="parquet").to_table(columns=["path", "label"])
        labels.append(table.sort_by("path")["label"].to_numpy())
    return float(np.nanmax(np.abs(labels[0] - labels[1])))


def _on_list(job, folder, features, destination, names_destination, *words):
    shutil.rmtree(destination, ignore_errors=True)
    places = ("--image-list-file", folder / "images.txt", "--feature-root", features, names_destination, destination)
    return measured_job(job, *places, *_PARENT_FOLDER, *words)


def _told(name, folder, run, *words, **facts):
    with open(folder / "images.txt", encoding="utf-8") as lines:
        images = sum(1 for _ in lines)
    return told(" ".join(map(str, (name, folder.name, *words))), {"images": images, **run._asdict(), **facts})
