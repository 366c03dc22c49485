"""Jobs on a YARN cluster as a user sends them there, and a look at what runs and lies there."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid

from fiqa_spark.runtime.storage import Storage
from tests.jobs.running import CLASSES, ONE_COLLECTOR, QUICK_JAVA, ROOT, environment
from tests.processes import descendants, processes, program, variable
from tests.yarn.hadoop import USER, Hadoop
from tests.yarn.resource_manager import ResourceManager

_JARS = next(pathlib.Path(sysconfig.get_path("purelib")).glob("pyspark/jars"))
# Java takes the archive of classes where the class path begins as spark-submit's.
_CLASS_PATH = f"{next(_JARS.glob('slf4j-api-*.jar'))}:{_JARS}/*"
_SMALL_JAVA = f"{QUICK_JAVA} {ONE_COLLECTOR} {CLASSES}"
# The settings of conf/yarn.conf but for the size, which is that of one machine, and addresses, which are on loopback.
_SETTINGS = {
    "spark.executor.cores": 2,
    "spark.executor.memory": "512m",
    "spark.executor.memoryOverhead": "768m",
    "spark.driver.memory": "512m",
    "spark.driver.memoryOverhead": "512m",
    "spark.yarn.am.memory": "384m",
    "spark.dynamicAllocation.initialExecutors": 1,
    "spark.dynamicAllocation.maxExecutors": 1,
    "spark.executor.extraJavaOptions": _SMALL_JAVA,
    "spark.driver.extraJavaOptions": _SMALL_JAVA,
    "spark.yarn.am.extraJavaOptions": _SMALL_JAVA,
    "spark.executor.extraClassPath": _CLASS_PATH,
    "spark.driver.extraClassPath": _CLASS_PATH,
    "spark.yarn.jars": f"local:{_JARS}/*",
    "spark.yarn.scheduler.heartbeat.interval-ms": 500,
    # All nodes have the name localhost here: what excludes one would exclude all.
    "spark.excludeOnFailure.enabled": "false",
    "spark.sql.shuffle.partitions": 2,
    # Of several jobs in one application, plans of one are those of the next.
    "spark.sql.codegen.cache.maxEntries": 5000,
    "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": "127.0.0.1",
    "spark.yarn.appMasterEnv.SPARK_LOCAL_HOSTNAME": "localhost",
    "spark.executorEnv.SPARK_LOCAL_IP": "127.0.0.1",
}
_RUN_SECONDS = 240
# Of the number of names, which HDFS can limit too: QUOTA_DONT_SET of its HdfsConstants.
_NO_CHANGE = (1 << 63) - 1


class Cluster:
    """A Hadoop with the project's environment on it.

    Parameters
    ----------
    folder : path
        For the files of the daemons.
    spark : SparkSession
        In local mode, to look at what lies on HDFS.
    """

    def __init__(self, folder, spark):
        self._spark, self._storage = spark, Storage(spark)
        self.hadoop = Hadoop(folder)
        self.resource_manager = None
        self.home = f"{self.hadoop.hdfs}/user/{USER}"

    def start(self):
        """Start the daemons, give the user a home and put the environment there."""
        self.hadoop.start()
        self.resource_manager = ResourceManager(self._spark, (self.hadoop.conf / "yarn-site.xml").as_uri())
        of_superuser, home = self._file_system(), self._path(self.home)
        of_superuser.mkdirs(home)
        of_superuser.setOwner(home, USER, None)
        self.put("apps/fiqa", ROOT / "dist" / "environment.tar.gz")

    def stop(self):
        """End the daemons and all that runs on them."""
        if self.resource_manager:
            self.resource_manager.stop()
        self.hadoop.stop()

    def put(self, folder, *paths):
        """Copy local files and folders into a folder in the user's home, which is made if there is none."""
        file_system, target = self._file_system(USER), self._path(f"{self.home}/{folder}")
        file_system.mkdirs(target)
        for path in paths:
            file_system.copyFromLocalFile(False, True, self._path(pathlib.Path(path).as_uri()), target)

    def set_space_quota(self, folder, size):
        """Bytes that all files below a folder in the user's home may take: ``hdfs dfsadmin -setSpaceQuota``."""
        file_system = self._file_system()
        file_system.setQuota(self._path(f"{self.home}/{folder}"), _NO_CHANGE, size)

    def copy(self, folder, copy):
        """Copy a folder in the user's home."""
        of_user, files = self._file_system(USER), self._spark._jvm.org.apache.hadoop.fs.FileUtil
        source, target = (self._path(f"{self.home}/{one}") for one in (folder, copy))
        files.copy(of_user, source, of_user, target, False, of_user.getConf())

    def read(self, path):
        """Text of a file in the user's home."""
        return self._storage.read_text(f"{self.home}/{path}")

    def _file_system(self, *user):
        """HDFS for a user, by default its superuser, who started it; ``hdfs dfs`` would start a Java every time."""
        jvm = self._spark._jvm
        configuration = jvm.org.apache.hadoop.conf.Configuration(self._spark._jsc.hadoopConfiguration())
        configuration.addResource(self._path((self.hadoop.conf / "hdfs-site.xml").as_uri()))
        return jvm.org.apache.hadoop.fs.FileSystem.get(jvm.java.net.URI(self.hadoop.hdfs), configuration, *user)

    def _path(self, text):
        return self._spark._jvm.org.apache.hadoop.fs.Path(text)

    def start_run(self, job, *arguments, mode, **settings):
        """Send a job to the cluster; returns while it runs."""
        return Run(self, ROOT / "jobs" / f"{job}.py", arguments, mode, settings)

    def start_several(self, *words, mode, **settings):
        """Send several jobs to the cluster in one application, see `several_jobs.py`; returns while it runs."""
        tests = ROOT / "tests"
        return Run(self, tests / "yarn" / "several_jobs.py", words, mode, settings, tests / "jobs" / "running.py")

    def names(self, folder):
        """Names in a folder of HDFS, hidden ones too."""
        place = f"{self.hadoop.hdfs}{folder}" if folder.startswith("/") else f"{self.home}/{folder}"
        return sorted(name for name, *_ in self._storage.entries(place))


class Run:
    """One spark-submit, with what it printed once it has ended."""

    def __init__(self, cluster, program, arguments, mode, settings, *modules):
        self._cluster, self._tag = cluster, f"run-{uuid.uuid4().hex[:8]}"
        self.returncode = self.stdout = self.stderr = None
        settings = _SETTINGS | {"spark.yarn.tags": f"fiqa-spark,{self._tag}"} | settings
        if mode == "client":
            settings["spark.pyspark.driver.python"] = sys.executable
        line = [
            *("spark-submit", "--properties-file", str(ROOT / "conf" / "yarn.conf"), "--deploy-mode", mode),
            *("--py-files", ",".join(map(str, (ROOT / "dist" / "fiqa_spark.zip", *modules)))),
            *("--archives", f"{cluster.home}/apps/fiqa/environment.tar.gz#environment"),
            *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")),
            *(str(program), *map(str, arguments)),
        ]
        # Files take all that is written while nobody reads.
        self._files = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115 - closed once they are read.
        self.process = subprocess.Popen(
            line,
            env=environment(SPARK_SUBMIT_OPTS=f"{QUICK_JAVA} {CLASSES}", **cluster.hadoop.environment()),
            stdout=self._files[0],
            stderr=self._files[1],
            start_new_session=True,
        )

    def wait(self):
        """Wait for the end; kills what takes too long."""
        if self.returncode is not None:
            return
        try:
            self.process.wait(_RUN_SECONDS)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
        self.returncode = self.process.wait()
        self.stdout, self.stderr = map(_read_and_close, self._files)

    def signal(self, number):
        """Send a signal to spark-submit and all that it started on this side of the cluster, if it runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self):
        """Let YARN kill its application."""
        self._cluster.resource_manager.kill(self._tag)

    def application(self):
        """What YARN knows of it; None before it does."""
        return self._cluster.resource_manager.application(self._tag)

    def driver_log(self):
        """What its driver wrote in cluster mode, and all other containers."""
        return self._cluster.hadoop.logs(self.application().id)

    def halt_driver(self):
        """Let a driver on the cluster, its Java and its Python, stand still."""
        number = self.application().id.removeprefix("application_")
        [java] = [
            pid
            for pid in processes(b"deploy.yarn.ApplicationMaster")
            if program(pid) == "java" and number in variable(pid, "CONTAINER_ID")
        ]
        for pid in descendants(java):
            os.kill(pid, signal.SIGSTOP)

    def wait_for_worker(self):
        """Wait until one of its Python workers runs; returns the process id of the executor that it belongs to."""
        return self.wait_until(self._executor_with_worker)

    def wait_until(self, look):
        """Wait until a look at something is not in vain, while the run goes on; returns what was seen."""
        end = time.monotonic() + _RUN_SECONDS
        while time.monotonic() < end:
            if seen := look():
                return seen
            if self.process.poll() is not None:
                self.wait()
                raise AssertionError(f"the run ended too soon: {self.stdout}{self.stderr}")
            time.sleep(0.25)
        self.signal(signal.SIGKILL)
        raise AssertionError("nothing happened")

    def _executor_with_worker(self):
        with_worker = {variable(pid, "CONTAINER_ID") for pid in processes(b"pyspark.worker")} - {""}
        application = self.application() if with_worker else None
        if application is None:
            return None
        number = application.id.removeprefix("application_")
        for pid in processes(b"YarnCoarseGrainedExecutorBackend"):
            name = variable(pid, "CONTAINER_ID")
            if program(pid) == "java" and number in name and name in with_worker:
                return pid
        return None


def _read_and_close(file):
    with file:
        file.seek(0)
        return file.read()
