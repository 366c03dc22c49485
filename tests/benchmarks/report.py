"""The table, the JSON and the plot of a benchmark."""

import json
import os
import pathlib
import platform

import numpy as np
import threadpoolctl

import fiqa_spark

RESULTS = pathlib.Path(__file__).parent / "results"


def straight_line(images, seconds, cores):
    """Fixed seconds and core-microseconds an image, by least squares over runs of several sizes."""
    slope, fixed = np.polyfit(images, seconds, 1)
    return float(fixed), float(slope * cores * 1e6)


def machine(cores):
    """What the figures depend on."""
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": model,
        "cores": cores,
        "memory_gib": round(pages / 2**30, 1),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": ", ".join(sorted(_blas_kernels())),
        "fiqa_spark": fiqa_spark.__version__,
    }


def _blas_kernels():
    """Libraries for matrix products, each with the kind of processor that it computes for."""
    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            yield f"{library['internal_api']} {library['version']} for {library.get('architecture', 'any processor')}"


def figures(found):
    """Name to (value seen, bound, unit) of all that shall be reached."""
    floor, jobs = found["floor"], found["jobs"]
    rows = {"kernels / floor": (found["kernels"] / floor, 2.2, "")}
    for form, name in (("store", "feature store"), ("plain", "plain scattered Parquet")):
        fixed, marginal = (jobs[form]["fit"][key] for key in ("fixed_seconds", "core_microseconds"))
        rows[f"marginal cost / floor, {name}"] = (marginal / floor, {"store": 7, "plain": 10}[form], "")
        rows[f"fixed cost, {name}"] = (fixed, 12, "s")
    first = jobs["store"]["runs"][0]
    rows["exact / sampled, whole job, smallest size"] = (found["exact"]["seconds"] / first["seconds"], 4, "")
    many = [found["many"][key]["seconds"] for key in ("of_3", "of_20")]
    rows["identities of 3 / of 20, time for as many images"] = (many[0] / many[1], 1.5, "")
    for form, name in (("store", "feature store"), ("plain", "plain scattered Parquet")):
        margin, sdd_fiqa = (found[of][form]["fit"]["core_microseconds"] for of in ("margin", "jobs"))
        rows[f"margin / SDD-FIQA, marginal cost, {name}"] = (margin / sdd_fiqa, 0.8, "")
    many = [found["many_margin"][key]["seconds"] for key in ("of_3", "of_20")]
    rows["margin: identities of 3 / of 20, time for as many images"] = (many[0] / many[1], 1.5, "")
    without = jobs["plain"]["runs"][1]["seconds"]
    rows["one huge identity / without it"] = (found["skewed"]["seconds"] / without, 1.5, "")
    for run in found["search"]:
        rows[f"search among {run['identities']:,} identities / bare matrix product"] = (run["ratio"], 1.5, "")
    usual = [run for of in (jobs, found["margin"]) for form in of.values() for run in form["runs"]]
    usual += [found["exact"], *found["many"].values(), *found["many_margin"].values()]
    rows["largest Python worker"] = (max(run["worker_mib"] for run in usual), 1024, "MiB")
    rows["largest Python worker, one huge identity"] = (found["skewed"]["worker_mib"], 2048, "MiB")
    rows["largest Java process"] = (max(run["java_mib"] for run in (*usual, found["skewed"])), 4096, "MiB")
    return rows


def table(found):
    """All figures as Markdown."""
    about = found["machine"]
    lines = [
        f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB; Python {about['python']}, "
        f"NumPy {about['numpy']}, {about['blas']}",
        "",
        "| part | core-microseconds an image |",
        "|---|---|",
        f"| floor: bare matrix product | {found['floor']:.2f} |",
        f"| kernels | {found['kernels']:.2f} |",
        *[
            f"| {method} from {name}, marginal | {found[of][form]['fit']['core_microseconds']:.1f} |"
            for of, method in (("jobs", "SDD-FIQA"), ("margin", "margin"))
            for form, name in (("store", "the feature store"), ("plain", "plain scattered Parquet"))
        ],
        *[f"| loop, {run['images']:,} images, one process | {run['microseconds']:,.0f} |" for run in found["loop"]],
        "",
        "| job | images | seconds | Java, MiB | largest worker, MiB |",
        "|---|---|---|---|---|",
    ]
    lines += [_run_line(name, run) for name, run in _all_runs(found)]
    lines += ["", "| figure | seen | to reach |", "|---|---|---|"]
    for name, (value, bound, unit) in figures(found).items():
        lines.append(f"| {name} | {value:,.4g} {unit} | {bound:,} {unit} |".replace("  |", " |"))
    return "\n".join(lines)


def _all_runs(found):
    for form, name in (("store", "feature store"), ("plain", "plain Parquet")):
        yield from ((f"SDD-FIQA from {name}", run) for run in found["jobs"][form]["runs"])
        yield from ((f"margin from {name}", run) for run in found["margin"][form]["runs"])
    yield from (("import into the feature store", run) for run in found["import"])
    yield "SDD-FIQA, exact, feature store", found["exact"]
    for of, method in (("many", "SDD-FIQA"), ("many_margin", "margin")):
        yield f"{method}, identities of 3, 128 values, plain", found[of]["of_3"]
        yield f"{method}, identities of 20, 128 values, plain", found[of]["of_20"]
    yield "SDD-FIQA, one huge identity, plain", found["skewed"]
    yield from ((f"recognizability, {name}", run) for name, run in found["scores"].items())


def _run_line(name, run):
    return f"| {name} | {run['images']:,} | {run['seconds']:.1f} | {run['java_mib']:,.0f} | {run['worker_mib']:,.0f} |"


def write(found):
    """Write ``benchmark.json``, ``benchmark.md`` and ``benchmark.png``."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "benchmark.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "benchmark.md").write_text(table(found) + "\n", encoding="utf-8")
    _plot(found, RESULTS / "benchmark.png")


def _plot(found, path):
    """Seconds of the whole command over the number of images, each with its straight line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for form, name, colour in (
        ("plain", "plain scattered Parquet", "tab:orange"),
        ("store", "feature store", "tab:blue"),
    ):
        runs, fit = found["jobs"][form]["runs"], found["jobs"][form]["fit"]
        images = np.array([run["images"] for run in runs])
        axes.plot(images / 1e6, [run["seconds"] for run in runs], "o", color=colour)
        ends = np.array([0, images.max()])
        slope = fit["core_microseconds"] / found["machine"]["cores"] / 1e6
        label = f"{name}: {fit['fixed_seconds']:.0f} s + {fit['core_microseconds']:.0f} core-µs an image"
        axes.plot(ends / 1e6, fit["fixed_seconds"] + slope * ends, color=colour, label=label)
    bound = found["floor"] / found["machine"]["cores"]
    axes.plot([0, images.max() / 1e6], [0, bound * images.max() / 1e6], "k--", label="bare matrix product")
    axes.set(xlabel="images (millions)", ylabel="whole command (seconds)", xlim=0, ylim=0)
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
