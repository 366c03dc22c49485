"""The jobs and the package alone, as a clone of the project has them, and an interpreter without the package."""

import pathlib
import sys
import venv

from tests.jobs.running import ROOT, environment


def bare_checkout(folder, *programs):
    """Copy the jobs and the package to a folder; that of the copy, and the environment in which it is to run.

    Parameters
    ----------
    folder : path
    *programs : str
        Files to copy beside.
    """
    checkout = folder / "checkout"
    package = [*ROOT.glob("fiqa_spark/**/*.py"), *ROOT.glob("fiqa_spark/**/*.html")]
    for path in [*ROOT.glob("jobs/*.py"), *package, *(ROOT / name for name in programs)]:
        copy = checkout / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    venv.create(folder / "venv", with_pip=False)
    # A folder named in a .pth file is searched, but its own .pth files, the package's among them, are not read.
    packages = next(path for path in sys.path if (pathlib.Path(path) / "pyspark").is_dir())
    next((folder / "venv").glob("lib/python*/site-packages")).joinpath("dependencies.pth").write_text(packages)
    changes = environment()
    changes["PATH"] = f"{folder}/venv/bin:{packages}/pyspark/bin:{changes['PATH']}"
    changes["SPARK_HOME"] = f"{packages}/pyspark"
    return checkout, changes
