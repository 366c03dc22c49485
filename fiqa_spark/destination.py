"""A result that appears whole or not at all."""

import fnmatch
import json
import os
import re
import socket
import uuid

from py4j.protocol import Py4JJavaError

from fiqa_spark.errors import DestinationError

_OWNER_FILE = "_owner.json"


class Destination:
    """A folder or file that is written beside its place and moved there once it is complete.

    Use it in a ``with`` statement: the result is built below `staging`, `publish` moves it, and whatever is left of it
    otherwise is removed. An old result stays readable at its place until the new one is complete.

    Parameters
    ----------
    storage : Storage
    path : str
        Where the result shall appear.
    option : str
        Flag that the path came from, for messages.
    overwrite : bool
        Whether an earlier result may be replaced.
    own_entries : tuple of str
        Name patterns of what an earlier result may hold; a folder that holds anything else is never replaced.

    Raises
    ------
    DestinationError
        If the destination holds anything and may not be replaced, or cannot be written.
    """

    def __init__(self, storage, path, option, *, overwrite, own_entries):
        self._storage, self._where = storage, f"{option} {path}"
        self._parent, self._name = storage.parent_and_name(path)
        self._target = storage.qualified(path)
        self._run = uuid.uuid4().hex[:12]
        self._check_target(overwrite, own_entries)
        self.staging = self._beside("incomplete", self._run)

    def __enter__(self):
        self._finish_dead_runs()
        try:
            self._storage.make_folder(self.staging)
            self._storage.write_text(f"{self.staging}/{_OWNER_FILE}", json.dumps(_this_process()))
        except Py4JJavaError as error:
            reason = _one_line(error.java_exception.getMessage())
            raise DestinationError(
                f"{self._where}: cannot write in {self._parent} ({reason}); choose a folder that you may write to"
            ) from None
        return self

    def __exit__(self, *exception):
        self._storage.delete(self.staging)

    def publish(self, entry):
        """Move the result, a folder or file below `staging`, to the destination."""
        replaced = self._beside("replaced", self._run)
        if self._storage.exists(self._target):
            self._storage.rename(self._target, replaced)
        self._storage.rename(f"{self.staging}/{entry}", self._target)
        self._storage.delete(replaced)

    def _beside(self, state, run):
        return f"{self._parent.rstrip('/')}/.{self._name}.{run}.{state}"

    def _check_target(self, overwrite, own_entries):
        if not self._storage.exists(self._target):
            return
        is_folder = self._storage.is_folder(self._target)
        held = [name for name, *_ in self._storage.entries(self._target)] if is_folder else [self._name]
        if held and not overwrite:
            raise DestinationError(f"{self._where}: exists and holds {held[0]!r}; choose another, or add --overwrite")
        foreign = [name for name in held if is_folder and not _any_match(name, own_entries)]
        if foreign:
            raise DestinationError(
                f"{self._where}: holds {foreign[0]!r}, which is no result of this job and will not be replaced; "
                "choose another folder"
            )

    def _finish_dead_runs(self):
        """Remove what killed runs of this machine left; put an old result back that was on its way out."""
        pattern = re.compile(rf"\.{re.escape(self._name)}\.([0-9a-f]{{12}})\.(incomplete|replaced)$")
        if not self._storage.is_folder(self._parent):
            return
        left = [match for name, *_ in self._storage.entries(self._parent) if (match := pattern.match(name))]
        for run in {match[1] for match in left}:
            if self._is_alive(self._beside("incomplete", run)):
                continue
            replaced = self._beside("replaced", run)
            if self._storage.exists(replaced) and not self._storage.exists(self._target):
                self._storage.rename(replaced, self._target)
            self._storage.delete(replaced)
            self._storage.delete(self._beside("incomplete", run))

    def _is_alive(self, staging):
        """False only if the process that wrote there is known to have ended."""
        owner_file = f"{staging}/{_OWNER_FILE}"
        if not self._storage.exists(owner_file):
            return False
        owner = json.loads(self._storage.read_text(owner_file))
        return owner["host"] != socket.gethostname() or _started(owner["pid"]) == owner["started"]


def _any_match(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _this_process():
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _started(pid):
    """Something that tells a process from later ones of the same id; None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b")", 1)[1].split()[19].decode()
    except FileNotFoundError:
        return _alive_without_proc(pid)


def _alive_without_proc(pid):
    if os.path.isdir("/proc/self"):
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"


def _one_line(text):
    return " ".join(str(text).split())[:300]
