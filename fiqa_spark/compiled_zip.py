"""Zip files of Python modules with their compiled forms, so that no process that imports from one compiles it anew.

``python -m fiqa_spark.compiled_zip FILE`` adds the compiled forms that a zip file lacks. Needs nothing but Python's own
library.
"""

import importlib.util
import marshal
import os
import shutil
import sys
import tempfile
import zipfile

# A compiled module is told by the hash of its source, which nobody needs to check: both come in one file.
_HASH_UNCHECKED = (1).to_bytes(4, "little")


def add_module(archive, name, source):
    """Write a module to a zip file, and its compiled form, which a Python of another version leaves alone.

    Parameters
    ----------
    archive : zipfile.ZipFile
        Open for writing.
    name : str
        Place of the source in it, ending in ``.py``.
    source : bytes
    """
    archive.writestr(name, source)
    archive.writestr(f"{name}c", _compiled(source, name))


def complete(path):
    """Add the compiled forms that a zip file of modules lacks; whoever reads it meanwhile sees the old file or the new.

    Parameters
    ----------
    path : str
        Where the file stays, since this is what Python tells of a module's place.
    """
    path = os.path.abspath(path)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as scratch:
        new = shutil.copy2(path, scratch)
        with zipfile.ZipFile(new, "a", zipfile.ZIP_DEFLATED) as archive:
            held = set(archive.namelist())
            for name in sorted(name for name in held if name.endswith(".py") and f"{name}c" not in held):
                archive.writestr(f"{name}c", _compiled(archive.read(name), f"{path}/{name}"))
        os.replace(new, path)


def _compiled(source, place):
    code = compile(source, place, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + _HASH_UNCHECKED + importlib.util.source_hash(source) + marshal.dumps(code)


if __name__ == "__main__":
    complete(sys.argv[1])
