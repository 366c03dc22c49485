"""What YARN knows of applications, asked by its own client: the first look at its pages would cost seconds."""

from typing import NamedTuple


class Application(NamedTuple):
    """One application as YARN reports it."""

    id: str
    name: str
    tags: frozenset
    state: str
    final_status: str
    diagnostics: str
    attempts: int


class ResourceManager:
    """A client of YARN in the Java process of a session.

    Parameters
    ----------
    spark : SparkSession
    site : str
        URI of ``yarn-site.xml``.
    """

    def __init__(self, spark, site):
        jvm = spark._jvm
        yarn = jvm.org.apache.hadoop.yarn
        configuration = yarn.conf.YarnConfiguration()
        configuration.addResource(jvm.org.apache.hadoop.fs.Path(site))
        self._client = yarn.client.api.YarnClient.createYarnClient()
        self._client.init(configuration)
        self._client.start()

    def application(self, tag):
        """The application with a tag; None before there is one. Of a session started again the last."""
        found = [report for report in self._client.getApplications() if tag in report.getApplicationTags()]
        newest = max(found, key=lambda report: report.getApplicationId().toString(), default=None)
        return newest and self._told(newest)

    def kill(self, tag):
        """End the application with a tag: ``yarn application -kill``."""
        for report in self._client.getApplications():
            if tag in report.getApplicationTags():
                self._client.killApplication(report.getApplicationId())

    def stop(self):
        """End the client."""
        self._client.stop()

    def _told(self, report):
        return Application(
            report.getApplicationId().toString(),
            report.getName(),
            frozenset(report.getApplicationTags()),
            report.getYarnApplicationState().toString(),
            report.getFinalApplicationStatus().toString(),
            report.getDiagnostics(),
            self._client.getApplicationAttempts(report.getApplicationId()).size(),
        )
