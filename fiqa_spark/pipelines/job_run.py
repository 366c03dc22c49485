"""The frame of a run, the same for all jobs: from the lease on the destination to the result that appears there."""

from types import TracebackType
from typing import Any

from pyspark.sql import SparkSession

from fiqa_spark.pipelines.summary import as_json, how_it_ran
from fiqa_spark.runtime.destination import Destination
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.settings import Settings, destination_of
from fiqa_spark.runtime.storage import Storage

SUMMARY_FILE, PAGE_FILE = "summary.json", "report.html"


class JobRun:
    """One run of a job.

    Inside its ``with`` statement the run has a lease on the destination, so that two runs never mix, and builds the
    result at `result`, where nobody sees it. `publish` moves it to the destination in one step. Whatever ends the
    statement before that leaves the destination as it was, and nothing of the run behind.

    Parameters
    ----------
    settings : Settings
        Of a job; one of them is its destination.
    own_entries : tuple of str
        Name patterns of what an earlier result holds; a folder that holds anything else is never replaced.
    is_file : bool
        Whether the result is a file; a folder never takes the place of one.

    Raises
    ------
    DestinationError
        On entering, if the destination holds anything and may not be replaced, cannot be written, or another run
        writes to it.
    """

    def __init__(
        self, spark: SparkSession, settings: Settings, *, own_entries: tuple[str, ...], is_file: bool = False
    ) -> None:
        self.storage, self.steps = Storage(spark), Steps(spark)
        self._spark, self._settings = spark, settings
        name, self._path = destination_of(settings)
        self._destination = Destination(
            self.storage,
            self._path,
            setting=name,
            overwrite=getattr(settings, "overwrite", False),
            own_entries=own_entries,
            application=spark.sparkContext.applicationId,
            is_file=is_file,
        )
        self.staging = self._destination.staging
        """Folder for what only the run needs; it goes with the run."""
        self.result = f"{self.staging}/result"
        """Where the run builds its result, a file or a folder."""

    @property
    def destination(self) -> str:
        """Qualified path of the destination."""
        return self.storage.qualified(self._path)

    def __enter__(self) -> "JobRun":
        self._destination.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._destination.__exit__(kind, error, trace)

    def publish(self) -> None:
        """Move the result to the destination."""
        self._destination.publish("result")

    def publish_with_summary(self, **facts: Any) -> dict[str, Any]:
        """Put ``summary.json`` into the result and publish both.

        Parameters
        ----------
        **facts
            What this job has to tell, JSON-ready; destination, settings, versions and seconds are added.

        Returns
        -------
        dict
            The summary.
        """
        summary = {
            "destination": self.destination,
            **facts,
            **how_it_ran(self._spark, self._settings, self.steps),
        }
        self.storage.write_text(f"{self.result}/{SUMMARY_FILE}", as_json(summary))
        self.publish()
        return summary
