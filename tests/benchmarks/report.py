"""The table, the JSON and the plot of a benchmark."""

import json
import os
import pathlib
import platform

import numpy as np
import threadpoolctl

import fiqa_spark
from tests.benchmarks.comparison import compared
from tests.benchmarks.figures import figures
from tests.benchmarks.runs import all_runs, lines, scripts

RESULTS = pathlib.Path(__file__).parent / "results"


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


def last_run(folder):
    """What the last run has left in a folder of results; None if there is none."""
    file = pathlib.Path(folder, "benchmark.json")
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def table(found, last=None):
    """All figures as Markdown, and what got slower since the last run."""
    about = found["machine"]
    head = (
        f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB; Python {about['python']}, "
        f"NumPy {about['numpy']}, {about['blas']}"
    )
    parts = (_costs(found), _commands(found), _bounds(found), _since(found, last))
    return "\n\n".join([head, *map("\n".join, parts)])


def _costs(found):
    """By processor time as well, of which wall time has more where a core waits."""
    yield "| an image | core-microseconds | times the floor | processor microseconds |"
    yield "|---|---|---|---|"
    for name, value in (("floor: bare matrix product", found["floor"]), ("kernels", found["kernels"])):
        yield f"| {name} | {value:.2f} | {value / found['floor']:.2g} | |"
    for name, line in lines(found):
        fit = line["fit"]
        processor = f"{fit['processor_microseconds']:.1f}" if "processor_microseconds" in fit else ""
        marginal = fit["core_microseconds"]
        over = f"{name}, on top of {fit['fixed_seconds']:.1f} s"
        yield f"| {over} | {marginal:.1f} | {marginal / found['floor']:.1f} | {processor} |"
    for run in found["loop"]:
        yield f"| loop, {run['images']:,} images, one process | {run['microseconds']:,.0f} | | |"


def _commands(found):
    yield "| command | images | seconds | processor seconds | Java, MiB | largest worker, MiB |"
    yield "|---|---|---|---|---|---|"
    for name, run in all_runs(found):
        java, worker = (f"{run[kind]:,.0f}" for kind in ("java_mib", "worker_mib"))
        yield f"| {name} | {_times(run)} | {java} | {worker} |"
    for run in scripts(found):
        yield f"| script of an afternoon, plain Parquet | {_times(run)} | | {run['other_mib']:,.0f} |"


def _times(run):
    return f"{run['images']:,} | {run['seconds']:.1f} | {run['processor_seconds']:.1f}"


def _bounds(found):
    yield "| figure | seen | to reach | |"
    yield "|---|---|---|---|"
    for name, (value, bound, unit) in figures(found).items():
        missed = "" if value <= bound else "missed"
        yield f"| {name} | {value:,.4g} {unit} | {bound:,} {unit} | {missed} |".replace("  |", " |")


def _since(found, last):
    if not last:
        yield "No earlier run to compare with."
        return
    since = compared(last, found)
    yield (
        f"{since.compared} figures compared with those of the last run. The machine takes {since.machine:.2f} times as "
        f"long for the same work; beyond that, a command counts as slower from {1 + since.noise:.2f} times its time."
    )
    if not since.slower:
        yield "Nothing got slower by more."
        return
    yield from ("", "| slower than last time | then | now | ratio without the machine's |", "|---|---|---|---|")
    for row in since.slower:
        yield f"| {row.name} | {row.then:.4g} | {row.now:.4g} | {row.ratio:.2f} |"


def write(folder, found, last=None):
    """Write ``benchmark.json``, ``benchmark.md`` and ``benchmark.png``."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (folder / "benchmark.md").write_text(table(found, last) + "\n", encoding="utf-8")
    _plot(found, folder / "benchmark.png")


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
