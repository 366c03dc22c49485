"""Zip files of Python modules with their compiled forms, so that no process that imports from one compiles it anew.

``python -m fiqa_spark.runtime.compiled_zip FILE`` adds the compiled forms that a zip file lacks; ``python -m
fiqa_spark.runtime.compiled_zip --package FILE`` writes this package to one. Needs nothing but Python's own library.
"""

import importlib.util
import marshal
import os
import pathlib
import shutil
import sys
import tempfile
import zipfile

# A compiled module is known by the hash of its source, which nobody needs to check: both come in one file.
_HASH_UNCHECKED = (1).to_bytes(4, "little")


def archive_of_package() -> str:
    """The zip file that this package was imported from; empty if that is a folder."""
    return getattr(__spec__ and __spec__.loader, "archive", "")


def write_package(path: str) -> None:
    """Write the package that this module belongs to, wherever it was imported from, to a zip file, its templates too.

    A Python of another version leaves the compiled forms in it alone and takes the sources.

    Parameters
    ----------
    path : str
        Where to write.
    """
    if imported_from := archive_of_package():
        shutil.copyfile(imported_from, path)
        return
    package = pathlib.Path(__file__).resolve().parents[1]
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((*package.rglob("*.py"), *package.rglob("*.html"))):
            name, source = file.relative_to(package.parent).as_posix(), file.read_bytes()
            archive.writestr(name, source)
            if file.suffix == ".py":
                archive.writestr(f"{name}c", _compiled(source, name))


def complete(path: str) -> None:
    """Add the compiled forms that a zip file of modules lacks; whoever reads it meanwhile sees the old file or the new.

    Parameters
    ----------
    path : str
        Where the file stays, since Python shows it as the place of its modules.
    """
    path = os.path.abspath(path)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as scratch:
        new = shutil.copy2(path, scratch)
        with zipfile.ZipFile(new, "a", zipfile.ZIP_DEFLATED) as archive:
            names = set(archive.namelist())
            for name in sorted(name for name in names if name.endswith(".py") and f"{name}c" not in names):
                archive.writestr(f"{name}c", _compiled(archive.read(name), f"{path}/{name}"))
        os.replace(new, path)


def _compiled(source: bytes, path: str) -> bytes:
    code = compile(source, path, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + _HASH_UNCHECKED + importlib.util.source_hash(source) + marshal.dumps(code)


if __name__ == "__main__":
    (write_package if sys.argv[1] == "--package" else complete)(sys.argv[-1])
