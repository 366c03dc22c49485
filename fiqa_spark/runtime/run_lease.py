"""Who writes to a destination: every run has a folder beside it that names the run and shows that it lives."""

import hashlib
import json
import logging
import os
import re
import socket
import threading
import time
import uuid

from py4j.protocol import Py4JError

from fiqa_spark.runtime.storage import Storage

_RUN_FILE, _HEARTBEAT_FILE = "run.json", "alive"
_log = logging.getLogger("fiqa_spark")


class RunLease:
    """A run's lease on a destination, which all runs see that write to it, on whatever host.

    A run takes its lease before it looks for others, so that the later of two always sees the earlier one. The clock of
    the file system alone tells the age of a heartbeat, since those of the hosts may differ.

    Parameters
    ----------
    parent, name : str
        Folder of the destination, and the destination's name in it.
    application : str
        Spark's id of the run, by which people and clusters find it.
    """

    seconds_between_heartbeats = 10
    seconds_until_dead = 60

    def __init__(self, storage: Storage, parent: str, name: str, application: str) -> None:
        self._storage = storage
        self._beside = f"{parent.rstrip('/')}/."
        self._parent, self._name, self._application = parent, name, application
        # The name tells the process from the moment that the folder is there.
        self._run, self._is_taken = f"{_this_process()}-{uuid.uuid4().hex[:8]}", False
        self._ended = threading.Event()
        self._heartbeats = threading.Thread(target=self._keep_beating, daemon=True)
        self.folder = self.folder_of(self._run)
        """Where the run builds its result."""
        self.replaced = self.replaced_by(self._run)
        """Where it puts an old result while the new one takes its place."""

    def folder_of(self, run: str) -> str:
        """Folder of a run's lease."""
        return f"{self._beside}{self._name}.{run}.incomplete"

    def replaced_by(self, run: str) -> str:
        """Place of the result that a run is about to replace."""
        return f"{self._beside}{self._name}.{run}.replaced"

    def take(self) -> bool:
        """Take the lease, for others to see; False or a Java error where nothing can be written there."""
        self._is_taken = self._storage.make_folder(self.folder)
        if not self._is_taken:
            return False
        run = {"application": self._application, "host": socket.gethostname()}
        self._storage.write_text(f"{self.folder}/{_RUN_FILE}", json.dumps(run) + "\n")
        self._beat()
        self._heartbeats.start()
        return True

    def is_held(self) -> bool:
        """False if another run took this one for dead and removed what it had written."""
        return self._storage.exists(f"{self.folder}/{_RUN_FILE}")

    def release(self) -> None:
        """End the lease; nothing of it is left."""
        self._ended.set()
        if self._heartbeats.is_alive():
            self._heartbeats.join()
        if self._is_taken:
            self._storage.delete(self.folder)

    def others(self) -> list[str]:
        """Runs that have a lease on the same destination."""
        pattern = re.compile(rf"\.{re.escape(self._name)}\.(\w+-\d+-\w+-\w+)\.incomplete$")
        names = [name for name, *_ in self._storage.entries(self._parent)]
        return [match[1] for name in names if (match := pattern.match(name)) and match[1] != self._run]

    def is_older(self, run: str) -> bool:
        """Whether another run took its lease before this one."""
        theirs, own = (self._storage.modified(f"{self.folder_of(one)}/{_RUN_FILE}") for one in (run, self._run))
        return theirs is not None and (own is None or (theirs, run) < (own, self._run))

    def has_ended(self, run: str) -> bool:
        """Whether another run has ended; where its process cannot be asked for, its heartbeats have to tell."""
        machine, pid, started, _ = run.split("-")
        if machine == _machine():
            return _started(int(pid)) != started
        last, own = self._last_heartbeat(run), self._last_heartbeat(self._run)
        if last is None or own is None:
            return last is None
        silent_for = (own - last) / 1000
        end = time.monotonic() + self.seconds_until_dead - silent_for
        if silent_for < self.seconds_until_dead:
            _log.info("waiting up to %.0f s for a heartbeat of %s", end - time.monotonic(), self.describe(run))
        while (newest := self._last_heartbeat(run)) == last:
            if time.monotonic() > end:
                return True
            time.sleep(1)
        return newest is None

    def describe(self, run: str) -> str:
        """A run in words."""
        path = f"{self.folder_of(run)}/{_RUN_FILE}"
        try:
            facts = json.loads(self._storage.read_text(path)) if self._storage.exists(path) else {}
            return f"the run {facts['application']} on host {facts['host']}"
        except (ValueError, KeyError, TypeError):
            return f"the run {run}"

    def _last_heartbeat(self, run: str) -> int | None:
        """When a run last showed that it lives, in milliseconds by the file system's clock; None once it is gone."""
        folder = self.folder_of(run)
        times = [self._storage.modified(path) for path in (f"{folder}/{_HEARTBEAT_FILE}", folder)]
        return max((time for time in times if time is not None), default=None)

    def _beat(self) -> None:
        self._storage.write_text(f"{self.folder}/{_HEARTBEAT_FILE}", "")

    def _keep_beating(self) -> None:
        while not self._ended.wait(self.seconds_between_heartbeats):
            self._try_to_beat()

    def _try_to_beat(self) -> None:
        try:
            # A lease that was removed is not to come back.
            if self.is_held():
                self._beat()
        # Where the Java process has died, its socket is told.
        except (Py4JError, OSError) as error:
            _log.warning("no heartbeat could be written to %s: %s", self.folder, str(error).splitlines()[0])


def _this_process() -> str:
    """Name from which others on this machine can tell whether this process has ended."""
    return f"{_machine()}-{os.getpid()}-{_started(os.getpid())}"


def _machine() -> str:
    """What tells the process ids of this machine or container from those of others."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            name = f"{file.read()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        name = socket.gethostname()
    return hashlib.blake2b(name.encode(), digest_size=6).hexdigest()


def _started(pid: int) -> str | None:
    """When a process of this machine started, or None if it does not run."""
    if not os.path.isdir("/proc/self"):
        return _running_without_proc(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, *fields = file.read().rsplit(b")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A zombie has ended, whoever has yet to take note of it; the 22nd field of all is the time of the start.
    return None if state in b"ZX" else fields[18].decode()


def _running_without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"
