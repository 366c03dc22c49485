"""A result that appears whole or not at all."""

import fnmatch
import os
import re
import socket

from py4j.protocol import Py4JJavaError

from fiqa_spark.errors import DestinationError


class Destination:
    """A folder or file that is written beside its place and moved there once it is complete.

    Use it in a ``with`` statement: the result is built below `staging`, `publish` moves it, and whatever is left of it
    otherwise is removed. An old result stays readable at its place until the new one is complete.

    Parameters
    ----------
    storage : Storage
    path : str
        Where the result shall appear.
    overwrite : bool
        Whether an earlier result may be replaced.
    own_entries : tuple of str
        Name patterns of what an earlier result may hold; a folder that holds anything else is never replaced.

    Raises
    ------
    DestinationError
        On entering, if the destination holds anything and may not be replaced, or cannot be written.
    """

    def __init__(self, storage, path, *, overwrite, own_entries):
        self._storage, self._path = storage, path
        self._parent, self._name = storage.parent_and_name(path)
        self._target = storage.qualified(path)
        self._run = _run_of_this_process()
        self._overwrite, self._own_entries = overwrite, own_entries
        self.staging = self._beside("incomplete", self._run)

    def __enter__(self):
        self._finish_dead_runs()
        self._check_target()
        try:
            reason = None if self._storage.make_folder(self.staging) else "the folder cannot be created"
        except Py4JJavaError as error:
            reason = " ".join(str(error.java_exception.getMessage()).split())[:300]
        if reason:
            raise DestinationError(
                f"{self._path}: cannot write in {self._parent} ({reason}); choose a folder that you may write to"
            )
        return self

    def __exit__(self, *exception):
        self._storage.delete(self.staging)

    def publish(self, entry):
        """Move the result, a folder or file below `staging`, to the destination, which may hold one by now."""
        self._check_target()
        replaced = self._beside("replaced", self._run)
        if self._storage.exists(self._target):
            self._storage.rename(self._target, replaced)
        self._storage.rename(f"{self.staging}/{entry}", self._target)
        self._storage.delete(replaced)

    def _beside(self, state, run):
        return f"{self._parent.rstrip('/')}/.{self._name}.{run}.{state}"

    def _check_target(self):
        if not self._storage.exists(self._target):
            return
        is_folder = self._storage.is_folder(self._target)
        held = [name for name, *_ in self._storage.entries(self._target)] if is_folder else [self._name]
        if held and not self._overwrite:
            raise DestinationError(f"{self._path}: exists and holds {held[0]!r}; choose another, or add --overwrite")
        foreign = [name for name in held if is_folder and not _any_match(name, self._own_entries)]
        if foreign:
            raise DestinationError(
                f"{self._path}: holds {foreign[0]!r}, which is no result of this job and will not be replaced; "
                "choose another folder"
            )

    def _finish_dead_runs(self):
        """Remove what killed runs of this machine left; put an old result back that was on its way out."""
        if not self._storage.is_folder(self._parent):
            return
        pattern = re.compile(rf"\.{re.escape(self._name)}\.(.+-\d+-\w+)\.(incomplete|replaced)$")
        left = [match for name, *_ in self._storage.entries(self._parent) if (match := pattern.match(name))]
        for run in {match[1] for match in left}:
            if _may_be_alive(run):
                continue
            replaced = self._beside("replaced", run)
            if self._storage.exists(replaced) and not self._storage.exists(self._target):
                self._storage.rename(replaced, self._target)
            self._storage.delete(replaced)
            self._storage.delete(self._beside("incomplete", run))


def _any_match(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _run_of_this_process():
    """Name of a run from which others can tell whether it has ended."""
    return f"{socket.gethostname()}-{os.getpid()}-{_started(os.getpid())}"


def _may_be_alive(run):
    """False only if the process of a run is known to have ended."""
    host, pid, started = run.rsplit("-", 2)
    return host != socket.gethostname() or _started(int(pid)) == started


def _started(pid):
    """Text that tells a process from later ones of the same id; None if it has ended."""
    if not os.path.isdir("/proc/self"):
        return _running_without_proc(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, *fields = file.read().rsplit(b")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A zombie has ended, whoever has yet to take note of it; the 22nd field of all is the time of the start.
    return None if state in b"ZX" else fields[18].decode()


def _running_without_proc(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"
