"""What the jobs shall reach."""

_NAMES = {"store": "feature store", "plain": "plain scattered Parquet"}


def figures(found):
    """Name to (value seen, bound, unit) of all that shall be reached; all bounds are upper ones."""
    return _costs(found) | _beside_script(found) | _of_precision(found) | _other_sizes(found) | _memory(found)


def _costs(found):
    floor, rows = found["floor"], {"kernels / floor": (found["kernels"] / found["floor"], 2.2, "")}
    marginal = {
        (of, form): line["fit"]["core_microseconds"]
        for of in ("jobs", "margin", "ers")
        for form, line in found[of].items()
    }
    marginal["audit", "store"] = found["audit"]["store"]["step"]["fit"]["core_microseconds"]
    for of, form, name, bound in (
        ("jobs", "store", "SDD-FIQA, feature store", 5),
        ("jobs", "plain", "SDD-FIQA, plain scattered Parquet", 8),
        ("margin", "store", "margin, feature store", 4),
        ("ers", "store", "recognizability, given centroid, feature store", 4),
        ("audit", "store", "pass of an audit, feature store", 4),
    ):
        rows[f"marginal cost / floor, {name}"] = (marginal[of, form] / floor, bound, "")
    for form, name in _NAMES.items():
        rows[f"margin / SDD-FIQA, marginal cost, {name}"] = (marginal["margin", form] / marginal["jobs", form], 0.8, "")
        rows[f"fixed cost, {name}"] = (found["jobs"][form]["fit"]["fixed_seconds"], 10, "s")
    largest = found["import"][-1]
    rows[f"import of {largest['images']:,} images"] = (largest["seconds"], 35, "s")
    return rows


def _beside_script(found):
    bounds = {"store": 0.6, "plain": 0.8}
    return {
        f"the job / a script of an afternoon, {_NAMES[form]}, {pair['job']['images']:,} images": (
            pair["job"]["seconds"] / pair["script"]["seconds"],
            bounds[form],
            "",
        )
        for form, pair in found["afternoon"].items()
    }


def _of_precision(found):
    """A store of 16-bit whole numbers beside one of single precision."""
    small, usual = (found["precision"][precision] for precision in ("int16", "float32"))
    disk = [of["import"][-1]["disk_bytes"] for of in (small, usual)]
    marginal = [of["fit"]["core_microseconds"] for of in (small, usual)]
    return {
        "int16 / float32, disk of the store": (disk[0] / disk[1], 0.5, ""),
        "int16 / float32, marginal cost": (marginal[0] / marginal[1], 0.85, ""),
        "int16 and float32, largest difference of a label": (found["label_difference"], 0.02, ""),
    }


def _other_sizes(found):
    """Identities of other sizes, the exact estimator, the search: by the time of something usual."""
    jobs = found["jobs"]
    exact, sampled = found["exact"]["seconds"], jobs["store"]["runs"][0]["seconds"]
    rows = {"exact / sampled, whole job, smallest size": (exact / sampled, 4, "")}
    for of, name in (("many", ""), ("many_margin", "margin: ")):
        few, usual = (found[of][key]["seconds"] for key in ("of_3", "of_20"))
        rows[f"{name}identities of 3 / of 20, time for as many images"] = (few / usual, 1.5, "")
    without = jobs["plain"]["runs"][1]["seconds"]
    rows["one huge identity / without it"] = (found["skewed"]["seconds"] / without, 1.5, "")
    for run in found["search"]:
        rows[f"search among {run['identities']:,} identities / bare matrix product"] = (run["ratio"], 1.5, "")
    return rows


def _memory(found):
    usual = [run for of in ("jobs", "margin") for line in found[of].values() for run in line["runs"]]
    usual += [found["exact"], *found["many"].values(), *found["many_margin"].values()]
    return {
        "largest Python worker": (max(run["worker_mib"] for run in usual), 1024, "MiB"),
        "largest Python worker, one huge identity": (found["skewed"]["worker_mib"], 2048, "MiB"),
        "largest Java process": (max(run["java_mib"] for run in (*usual, found["skewed"])), 4096, "MiB"),
    }
