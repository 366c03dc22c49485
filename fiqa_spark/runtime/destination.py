"""A result that appears whole or not at all."""

import fnmatch
from types import TracebackType

from py4j.protocol import Py4JJavaError

from fiqa_spark.errors import DestinationError
from fiqa_spark.runtime.run_lease import RunLease
from fiqa_spark.runtime.storage import Storage


class Destination:
    """A folder or file that is written beside its place and moved there once it is complete.

    Use it in a ``with`` statement: the result is built below `staging`, `publish` moves it, and whatever is left of it
    otherwise is removed. An old result stays readable at its place until the new one is complete. Of two runs at once
    the later one is refused, on whatever host they are; what runs that were killed have left is removed.

    Parameters
    ----------
    path : str
        Where the result shall appear.
    setting : str
        Name of the setting that tells it.
    overwrite : bool
        Whether an earlier result may be replaced.
    own_entries : tuple of str
        Name patterns of what an earlier result may hold; a folder that holds anything else is never replaced.
    application : str
        Spark's id of the run, which another run is told that wants the same place.
    is_file : bool
        Whether the result is a file; a folder never takes the place of one.

    Raises
    ------
    DestinationError
        On entering, if the destination holds anything and may not be replaced, cannot be written, or another run
        writes to it.
    """

    def __init__(
        self,
        storage: Storage,
        path: str,
        *,
        setting: str,
        overwrite: bool,
        own_entries: tuple[str, ...],
        application: str,
        is_file: bool = False,
    ) -> None:
        self._storage, self._path, self._setting = storage, path, setting
        self._parent, self._name = storage.parent_and_name(path)
        self._target = storage.qualified(path)
        self._overwrite, self._own_entries, self._is_file = overwrite, own_entries, is_file
        self._lease = RunLease(storage, self._parent, self._name, application)
        self.staging = self._lease.folder

    def __enter__(self) -> "Destination":
        try:
            self._take_lease()
            self._finish_dead_runs()
            self._check_target()
        except BaseException:
            self._lease.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lease.release()

    def publish(self, entry: str) -> None:
        """Move the result, a folder or file below `staging`, to the destination, which may hold one by now."""
        if not self._lease.is_held():
            raise self._refusal(
                "another run took this one for dead, as it showed no heartbeat for "
                f"{self._lease.seconds_until_dead} s, and removed what it had written",
                "run it again",
            )
        self._check_target()
        if self._storage.exists(self._target):
            self._storage.rename(self._target, self._lease.replaced)
        self._storage.rename(f"{self.staging}/{entry}", self._target)
        self._storage.delete(self._lease.replaced)

    def _refusal(self, text: str, remedy: str) -> DestinationError:
        return DestinationError(text, setting=self._setting, path=self._path, remedy=remedy)

    def _take_lease(self) -> None:
        try:
            reason = None if self._lease.take() else "the folder cannot be created"
        except Py4JJavaError as error:
            reason = " ".join(str(error.java_exception.getMessage()).split())[:300]
        if reason:
            raise self._refusal(f"cannot write in {self._parent} ({reason})", "choose a folder that you may write to")

    def _check_target(self) -> None:
        if not self._storage.exists(self._target):
            return
        is_folder = self._storage.is_folder(self._target)
        names = [name for name, *_ in self._storage.entries(self._target)] if is_folder else [self._name]
        if names and not self._overwrite:
            raise self._refusal(f"exists and holds {names[0]!r}", "choose another, or add `overwrite`")
        if not (is_folder or self._is_file):
            raise self._refusal(
                "is a file, which is no result of this job and will not be replaced", "choose another folder"
            )
        foreign = [name for name in names if is_folder and not _any_match(name, self._own_entries)]
        if foreign:
            raise self._refusal(
                f"holds {foreign[0]!r}, which is no result of this job and will not be replaced",
                "choose another folder",
            )

    def _finish_dead_runs(self) -> None:
        """Remove what killed runs left, put an old result back that was on its way out; refuse to join a live run."""
        for run in self._lease.others():
            if self._lease.has_ended(run):
                replaced = self._lease.replaced_by(run)
                if self._storage.exists(replaced) and not self._storage.exists(self._target):
                    self._storage.rename(replaced, self._target)
                self._storage.delete(replaced)
                self._storage.delete(self._lease.folder_of(run))
            elif self._lease.is_older(run):
                raise self._refusal(
                    f"{self._lease.describe(run)} is writing to it", "wait for its end, or choose another"
                )


def _any_match(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
