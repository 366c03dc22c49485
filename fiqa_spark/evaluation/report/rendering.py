"""From values to a page: one file of HTML that holds its figures and pictures itself."""

import base64
import importlib.resources
import importlib.util
import urllib.parse
from typing import Any

from fiqa_spark.errors import MachineError
from fiqa_spark.evaluation.report.drawing import readable

_AS_THEY_ARE = " =:/-.,;!?@*+$"
_LIBRARIES = {"matplotlib": "Matplotlib", "jinja2": "Jinja2", "PIL": "Pillow"}


def check_installed() -> None:
    """Raise MachineError unless all that draws a page is installed."""
    missing = [name for module, name in _LIBRARIES.items() if importlib.util.find_spec(module) is None]
    if missing:
        names = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
        is_or_are, draws = ("is", "draws") if len(missing) == 1 else ("are", "draw")
        raise MachineError(
            f"{names} {is_or_are} missing, which {draws} the report", remedy="run pip install 'fiqa-spark[report]'"
        )


def rendered(template: str, **values: Any) -> str:
    """The page that a template makes of values.

    Parameters
    ----------
    template : str
        Name of a file beside this module, which extends ``page_base.html``.
    **values
        What it shows. Every text becomes text, whatever it holds.

    Returns
    -------
    str
        HTML that needs no other file, no network and no script, to be written as UTF-8.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    # Every text that is not part of the template goes through both, whatever wrote it.
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_source),
    )
    return environment.get_template(template).render(values)


def image(kind: str, content: bytes) -> str:
    """Address by which a page shows an image that it holds itself; `kind` is ``svg+xml`` or ``jpeg``."""
    if kind == "svg+xml":
        # Shorter than base64, and no letter that HTML or a style would have to quote.
        return f"data:image/{kind},{urllib.parse.quote(content, safe=_AS_THEY_ARE)}"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def share(count: int, total: int) -> str:
    """Part of a total in per cent, and nothing where there is no total."""
    if 0 < count < total / 2000:
        return "< 0.1 %"
    return f"{100 * count / total:.1f} %" if total else ""


def _source(template: str) -> str:
    return importlib.resources.files("fiqa_spark.evaluation.report").joinpath(template).read_text(encoding="utf-8")


def _finalized(value: Any) -> Any:
    """A value as the page may hold it; text of the template itself, which is markup, stays."""
    return readable(value) if type(value) is str else value
