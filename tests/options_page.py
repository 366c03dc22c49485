"""The page of all options, made from the settings: python -m tests.options_page writes docs/options.md."""

import pathlib

from fiqa_spark.pipelines.jobs import JOBS
from fiqa_spark.runtime.settings import as_typed, fields_of, flag, kind_of

PLACE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "options.md"
_HEAD = """# Options

Every option of every job. Each can stand on the command line, as `--fix-num 24`, or in the Spark configuration, as
`spark.fiqa.fix-num`; the flag wins. A key of the configuration that no job knows is refused. In a notebook the names
are those of the settings' fields: `fix_num`.

`make docs` writes this page from the settings, and a test holds that it is current.
"""


def page():
    """The page as Markdown."""
    return _HEAD + "".join(map(_section, JOBS))


def _section(job):
    purpose = (JOBS[job].__doc__ or "").split(":")[0]
    rows = "".join(map(_row, sorted(fields_of(JOBS[job]), key=lambda item: not item.metadata.get("required"))))
    return f"\n## `jobs/{job}.py`\n\n{purpose}.\n\n| option | values | default | meaning |\n|---|---|---|---|\n{rows}"


def _row(item):
    names = ", ".join(f"`{name}`" for name in (flag(item.name), *item.metadata.get("aliases", ())))
    return f"| {names} | {_values(item)} | {_default(item)} | {item.metadata['help']} |\n"


def _values(item):
    """What may be given, in words."""
    kind, has_several = kind_of(item)
    rules = item.metadata
    if "choices" in rules:
        words = ", ".join(f"`{choice}`" for choice in rules["choices"])
    elif kind is bool:
        words = "`True`, `False`; the flag alone is `True`"
    elif kind is str:
        words = "path" if rules.get("path") else "text"
    else:
        bounds = [
            f"{word} {rules[key]:,}"
            for key, word in (("above", "above"), ("least", "from"), ("most", "to"))
            if key in rules
        ]
        words = " ".join(["whole number" if kind is int else "number", *bounds])
    return f"{words}; several" if has_several else words


def _default(item):
    if item.metadata.get("required"):
        return "required"
    return "" if item.default in ("", None, ()) else f"`{as_typed(item.default)}`"


if __name__ == "__main__":
    PLACE.write_text(page(), encoding="utf-8")
