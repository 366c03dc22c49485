"""What a run of the benchmark has measured, by the names that its tables use; earlier runs may lack some."""

_FORMS = {"store": "feature store", "plain": "plain Parquet"}
_METHODS = {"jobs": "SDD-FIQA from {}", "margin": "margin from {}", "ers": "recognizability, given centroid, {}"}


def all_runs(found):
    """Name and run of every command, of one name once a size."""
    for of, method in _METHODS.items():
        for form, line in found.get(of, {}).items():
            yield from ((method.format(_FORMS[form]), run) for run in line["runs"])
    for precision, line in found.get("precision", {}).items():
        if precision != found["default_precision"]:
            yield from ((f"SDD-FIQA from feature store of {precision}", run) for run in line["runs"])
            yield from ((f"import into the feature store, {precision}", run) for run in line["import"])
    yield from (("import into the feature store", run) for run in found.get("import", ()))
    yield from (("audit from feature store", run) for run in found.get("audit", {}).get("store", {}).get("runs", ()))
    if "exact" in found:
        yield "SDD-FIQA, exact, feature store", found["exact"]
    for of, method in (("many", "SDD-FIQA"), ("many_margin", "margin")):
        for size in ("3", "20"):
            if f"of_{size}" in found.get(of, {}):
                yield f"{method}, identities of {size}, 128 values, plain", found[of][f"of_{size}"]
    if "skewed" in found:
        yield "SDD-FIQA, one huge identity, plain", found["skewed"]
    yield from ((f"recognizability, {name}", run) for name, run in found.get("scores", {}).items())


def scripts(found):
    """The runs of the script of an afternoon."""
    return [pair["script"] for pair in found.get("afternoon", {}).values()]


def lines(found):
    """Name and straight line of what was measured at several sizes: `runs`, which it is laid through, and `fit`."""
    for of, method in _METHODS.items():
        for form, line in found.get(of, {}).items():
            yield method.format(_FORMS[form]), line
    for precision, line in found.get("precision", {}).items():
        if precision != found["default_precision"]:
            yield f"SDD-FIQA from feature store of {precision}", line
    if "audit" in found:
        yield "pass of an audit from feature store", found["audit"]["store"]["step"]
