"""Folders on a disk that this process can open by path, walked through symbolic links."""

import os
from collections.abc import Callable, Collection, Iterator

from fiqa_spark.errors import InputError


def walk(
    root: str,
    *,
    above: Collection[str] = (),
    enters: Callable[[str], bool] = lambda name: True,
    tell_round_trip: Callable[[str], None] = lambda folder: None,
) -> Iterator[tuple[str, str, bool]]:
    """Yield (folder below the root, name, is_folder) of everything below a folder.

    Folders come in the order of their names, what lies in one of them as the disk lists it. Symbolic links are
    followed, but not to a folder that the link lies in, where they would lead round and round.

    Parameters
    ----------
    root : str
    above : collection of str
        Folders that the root itself lies in and that links may lead back to.
    enters : callable
        Whether to walk through a folder of a name.
    tell_round_trip : callable
        Told of a folder that a link leads back to.

    Yields
    ------
    tuple of (str, str, bool)
        The folder is empty or ends with '/'.
    """
    pending = [("", frozenset(map(_identity, above)))]
    while pending:
        below, around = pending.pop()
        folder = os.path.join(root, below)
        identity = _identity(folder)
        if identity in around:
            tell_round_trip(folder)
            continue
        folders = []
        for name, is_folder in list_folder(folder):
            if is_folder and enters(name):
                folders.append(name)
            yield below, name, is_folder
        inside = around | {identity}
        pending.extend((f"{below}{name}/", inside) for name in sorted(folders, reverse=True))


def list_folder(folder: str) -> Iterator[tuple[str, bool]]:
    """Yield (name, is_folder) of a folder's entries as the disk lists them; InputError if it must not be read."""
    try:
        entries = os.scandir(folder)
    except PermissionError:
        shown = os.fsencode(folder).decode("utf-8", "backslashreplace")
        remedy = "give the user of this job the right to it, or choose another place"
        raise InputError("permission denied", path=shown, remedy=remedy) from None
    with entries:
        for entry in entries:
            yield entry.name, _is_folder(entry)


def _identity(folder: str) -> tuple[int, int]:
    """What is the same for a folder and all links to it."""
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself.
        return False
