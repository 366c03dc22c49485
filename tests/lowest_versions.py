"""The lowest versions that setup.py allows of what the package needs, as constraints for pip."""

import re
from importlib.metadata import requires

OF_THE_PACKAGE = ("", "recognizability", "report")


def lowest_versions(requirements):
    """Lines ``name==version`` for requirements as the metadata of a package holds them.

    Those of an extra that only developers need may be of any version.
    """
    for requirement in requirements:
        name, lowest, extra = (
            _first(pattern, requirement) for pattern in (r"^[\w-]+", r">=\s*([\w.]+)", r"extra == .(\w+)")
        )
        if lowest and extra in OF_THE_PACKAGE:
            yield f"{name}=={lowest}"


def _first(pattern, text):
    """What a pattern, or its group, finds in a text first; empty if nothing."""
    return next(iter(re.findall(pattern, text)), "")


if __name__ == "__main__":
    print(*lowest_versions(requires("fiqa-spark")), sep="\n")
