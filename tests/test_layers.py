"""Packages import downward only, and have no circle inside."""

import ast
import functools
import pathlib
import re
from graphlib import TopologicalSorter

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "fiqa_spark"
# From the ground up; a package imports from lower lines only, and from itself.
LAYERS = (
    ("errors", "schemas", "version"),
    ("kernels", "runtime"),
    ("inputs",),
    ("matching",),
    ("methods",),
    ("evaluation",),
    ("pipelines",),
    ("cli",),
)
HEIGHT = {room: height for height, layer in enumerate(LAYERS) for room in layer}
# Rooms inside a room: what stands beside them may not import them, or may not be imported by them.
INNER = (
    *("methods.sdd_fiqa", "methods.margin", "methods.ers", "methods.identities", "methods.selection"),
    "evaluation.report",
)
KERNELS_MAY_IMPORT = {"numpy", "functools", "typing", "collections", "itertools", "statistics"}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}
each_module = pytest.mark.parametrize("name", MODULES)


@functools.cache
def tree_of(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@functools.cache
def imports(name):
    """Full names of all that a module imports, wherever it does."""
    found = []
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@functools.cache
def own_imports(name):
    """Modules of the package that a module imports."""
    found = set()
    for full in imports(name):
        parts = full.split(".")[1:] if full.startswith("fiqa_spark.") else []
        found |= {".".join(parts[:end]) for end in range(len(parts), 0, -1)} & MODULES.keys()
    return found


def room_of(name):
    """The package that a module stands in, a room inside a room by its own name."""
    return next((inner for inner in INNER if name.startswith(f"{inner}.")), name.split(".")[0])


def arrows():
    """Pairs of rooms of which the first imports the second."""
    return {
        (room_of(name), room_of(imported))
        for name in MODULES
        for imported in own_imports(name)
        if room_of(name) != room_of(imported)
    }


def test_every_module_stands_in_a_room():
    assert {name.split(".")[0] for name in MODULES} == set(HEIGHT)


@each_module
def test_imports_run_downward(name):
    room = name.split(".")[0]
    for imported in own_imports(name):
        below = imported.split(".")[0]
        assert below == room or HEIGHT[below] < HEIGHT[room], f"{name} imports {imported}"


@pytest.mark.parametrize("of_rooms", [False, True], ids=["modules", "rooms"])
def test_nothing_imports_itself_by_way_of_others(of_rooms):
    graph = {}
    for first, second in arrows() if of_rooms else {(a, b) for a in MODULES for b in own_imports(a)}:
        graph.setdefault(first, set()).add(second)
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("kernels.")])
def test_kernels_know_numpy_and_nothing_else(name):
    assert {full.split(".")[0] for full in imports(name)} - {"fiqa_spark"} <= KERNELS_MAY_IMPORT
    assert all(imported.startswith("kernels.") for imported in own_imports(name))


@each_module
def test_sessions_are_made_in_the_command_line_only(name):
    names = {node.id for node in ast.walk(tree_of(name)) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree_of(name)) if isinstance(node, ast.Attribute)}
    makes_sessions = "SparkSession" in names and bool(attributes & {"builder", "getOrCreate", "newSession"})
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
    found = [function for name in MODULES for function in worker_functions(tree_of(name))]
    assert len(found) >= 7
    for function in found:
        assert ast.unparse(function.decorator_list[-1]) == "in_worker", function.name


def frames_cross_in(name):
    """Whether rows of Spark become a pandas frame in a module, or a frame becomes rows."""
    tree = tree_of(name)
    fetches = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {
        "collect",
        "toArrow",
        "toPandas",
    }
    # The function that fetches rows as a frame by way of Arrow.
    fetches |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & {"collected"}
    # It runs the functions of those that import it in workers, with what its own imports hold.
    in_pass = name in own_imports("matching.identity_pass") or "matching.identity_pass" in own_imports(name)
    # So do the buckets that are opened in it.
    in_pass |= "beside" in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return bool(fetches) or in_pass or any(worker_functions(tree))


@each_module
def test_pandas_appears_only_where_frames_cross(name):
    uses = re.findall(r"\b(?:pandas|pd)\.(\w+)", ast.unparse(tree_of(name)))
    reads_it = "pandas" in {full.split(".")[0] for full in imports(name)} and name != "runtime.worker_daemon"
    if reads_it and set(uses) != {"__version__"}:
        assert frames_cross_in(name)


@each_module
def test_files_are_short(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) < 400


if __name__ == "__main__":
    for first, second in sorted(arrows()):
        print(f"{first} -> {second}")
