"""Imports run downward only."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "fiqa_spark"

# From the ground up; a module imports from lower lines only, and not from its neighbours on the same line.
LAYERS = (
    ("errors", "version"),
    (
        "settings",
        "schemas",
        "machine",
        "compiled_zip",
        "npy",
        "spark_failures",
        "claim",
        "progress",
        "planning",
        "yarn",
        "workers",
        "clustering",
        "findings",
        "thumbnails",
    ),
    (
        "kernels.embeddings",
        "kernels.wasserstein",
        "kernels.recognizability",
        "kernels.draws",
        "kernels.discards",
        "curve_files",
        "contact_sheets",
        "storage",
        "destination",
        "keys",
        "row_order",
        "vectors",
        "summary",
        "driver_memory",
        "figures",
    ),
    ("kernels.distances", "clusters", "image_counts", "curves", "drawn_pairs"),
    ("image_list", "features", "image_pass", "labels", "result_store", "export", "report"),
    ("npy_features", "matching", "distances", "recognizability", "usable_images", "ui_centroid", "label_sets"),
    ("pool", "pair_similarities", "labelled_images", "listed_pairs", "label_profiles"),
    ("feature_store", "evaluation"),
    ("feature_source",),
    (
        "pipelines.generate_labels",
        "pipelines.score_recognizability",
        "pipelines.evaluate_labels",
        "pipelines.import_features",
        "pipelines.export_labels",
    ),
    ("cli",),
)
HEIGHT = {module: height for height, layer in enumerate(LAYERS) for module in layer}
KERNELS_MAY_IMPORT = {"numpy", "functools"}


MODULES = [
    (".".join(path.relative_to(PACKAGE).with_suffix("").parts), path)
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
]


def imports(path):
    """Full names of all that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path):
    for name in imports(path):
        if name.startswith("fiqa_spark."):
            parts = name.removeprefix("fiqa_spark.").split(".")
            yield next(".".join(parts[:end]) for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in HEIGHT)


def test_every_module_has_its_layer():
    assert {name for name, _ in MODULES} == set(HEIGHT)


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_imports_run_downward(name, path):
    for imported in own_imports(path):
        assert HEIGHT[imported] < HEIGHT[name], f"{name} imports {imported}"


@pytest.mark.parametrize(("name", "path"), [item for item in MODULES if item[0].startswith("kernels.")])
def test_kernels_know_numpy_and_nothing_else(name, path):
    foreign = {full.split(".")[0] for full in imports(path)} - {"fiqa_spark"}
    assert foreign <= KERNELS_MAY_IMPORT
    assert all(imported.startswith("kernels.") for imported in own_imports(path))


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_sessions_are_made_in_the_command_line_only(name, path):
    makes_sessions = any(full == "pyspark.sql.SparkSession" for full in imports(path))
    assert makes_sessions == (name == "cli")


def worker_functions(tree):
    """Definitions of the functions that are handed to Spark's workers, all that share a name with one of them too."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    handed_over = {node.args[0].id for node in calls if node.func.attr in ("mapInPandas", "mapInArrow")}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert handed_over <= {function.name for function in functions}
    for function in functions:
        decorators = " ".join(map(ast.unparse, function.decorator_list))
        if function.name in handed_over or "pandas_udf" in decorators:
            yield function


def test_workers_end_without_a_word():
    found = [each for _, path in MODULES for each in worker_functions(ast.parse(path.read_text(encoding="utf-8")))]
    assert len(found) >= 7
    for function in found:
        assert ast.unparse(function.decorator_list[-1]) == "in_worker", function.name


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_files_are_short(name, path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 400
