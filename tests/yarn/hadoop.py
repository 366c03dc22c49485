"""A Hadoop of one machine: NameNode, DataNode, ResourceManager and two NodeManagers, real ones, on loopback only."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from xml.sax.saxutils import escape

from tests.jobs.running import ONE_COLLECTOR, QUICK_JAVA
from tests.processes import processes

ROOT = pathlib.Path(__file__).resolve().parents[2]
JARS = ROOT / "build" / "hadoop"
HOST = "localhost"
USER = "alice"
_SERVER = "org.apache.hadoop.yarn.server"
_DAEMONS = {
    "namenode": "org.apache.hadoop.hdfs.server.namenode.NameNode",
    "datanode": "org.apache.hadoop.hdfs.server.datanode.DataNode",
    "resourcemanager": f"{_SERVER}.resourcemanager.ResourceManager",
    "nodemanager-1": f"{_SERVER}.nodemanager.NodeManager",
    "nodemanager-2": f"{_SERVER}.nodemanager.NodeManager",
}
_PORTS = (
    *("namenode", "namenode_http", "datanode", "datanode_http", "datanode_ipc"),
    *("scheduler", "resourcemanager", "tracker", "admin", "resourcemanager_http"),
    *(f"{name}_{number}" for name in ("nodemanager", "localizer", "nodemanager_http") for number in (1, 2)),
)
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_START_SECONDS = 90
_LOGGING = """log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c: %m%n
"""


class Hadoop:
    """Daemons and their files in one folder; what a user of the cluster needs to reach them.

    Parameters
    ----------
    folder : path
        Where configuration, logs and blocks go.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.conf = self.folder / "conf"
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._processes = {}
        self.hdfs = f"hdfs://{HOST}:{self._ports['namenode']}"

    def start(self):
        """Start every daemon and wait until they know each other."""
        self.conf.mkdir(parents=True)
        self._configure(self.conf, 1)
        try:
            self._run("org.apache.hadoop.hdfs.server.namenode.NameNode", "-format", "-nonInteractive")
            for name, main_class in _DAEMONS.items():
                self._start(name, main_class)
            self._wait_until(self._is_ready)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """End every daemon by its own id, and what it may have left running."""
        for process in self._processes.values():
            process.terminate()
        end = time.monotonic() + 5
        for process in self._processes.values():
            _wait_or_kill(process, max(0, end - time.monotonic()))
        self._processes.clear()
        for pid in processes(bytes(self.folder)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # The logs stay; blocks and unpacked environments are a gigabyte.
        for place in ("datanode", "nodemanager-1/local", "nodemanager-2/local"):
            shutil.rmtree(self.folder / place, ignore_errors=True)

    @property
    def pids(self):
        """Process ids of the daemons."""
        return [process.pid for process in self._processes.values()]

    def environment(self):
        """What a shell of the cluster's user has set."""
        return {
            "HADOOP_CONF_DIR": str(self.conf),
            "YARN_CONF_DIR": str(self.conf),
            "HADOOP_USER_NAME": USER,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": HOST,
        }

    def dfsadmin(self, *words):
        """``hdfs dfsadmin``, as the superuser."""
        return self._run("org.apache.hadoop.hdfs.tools.DFSAdmin", *words)

    def kill_application(self, application):
        """``yarn application -kill``."""
        main_class = "org.apache.hadoop.yarn.client.cli.ApplicationCLI"
        return self._run(main_class, "application", "-kill", application, user=USER)

    def applications(self, **query):
        """Applications as the ResourceManager lists them."""
        words = "&".join(f"{key}={value}" for key, value in query.items())
        found = self._get("resourcemanager_http", f"/ws/v1/cluster/apps?{words}")["apps"]
        return found["app"] if found else []

    def application(self, identifier):
        """What the ResourceManager knows of one application."""
        return self._get("resourcemanager_http", f"/ws/v1/cluster/apps/{identifier}")["app"]

    def attempts(self, identifier):
        """How often an application was started."""
        path = f"/ws/v1/cluster/apps/{identifier}/appattempts"
        return len(self._get("resourcemanager_http", path)["appAttempts"]["appAttempt"])

    def logs(self, application):
        """All that the containers of an application wrote."""
        files = sorted(self.folder.glob(f"nodemanager-*/logs/{application}/*/*"))
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def _configure(self, conf, number):
        """Write the configuration of the daemons, those of a NodeManager by its number, and of who uses them."""
        for name, properties in self._sites(number).items():
            (conf / f"{name}.xml").write_text(_as_xml(properties), encoding="utf-8")
        (conf / "log4j.properties").write_text(_LOGGING, encoding="utf-8")
        # HDFS wants the folders of its web pages on the class path; the pages themselves are not in its archives.
        for name in ("hdfs", "datanode"):
            (conf / "webapps" / name).mkdir(parents=True)

    def _sites(self, number):
        """Name of a file to its properties; NodeManagers differ in folders and ports."""
        port, node = self._ports, self.folder / f"nodemanager-{number}"
        return {
            "core-site": {"fs.defaultFS": self.hdfs, "hadoop.tmp.dir": self.folder / "tmp"},
            "hdfs-site": {
                "dfs.namenode.name.dir": self.folder / "namenode",
                "dfs.namenode.http-address": f"{HOST}:{port['namenode_http']}",
                "dfs.namenode.safemode.extension": 0,
                "dfs.datanode.data.dir": self.folder / "datanode",
                "dfs.datanode.address": f"{HOST}:{port['datanode']}",
                "dfs.datanode.http.address": f"{HOST}:{port['datanode_http']}",
                "dfs.datanode.ipc.address": f"{HOST}:{port['datanode_ipc']}",
                "dfs.datanode.hostname": HOST,
                "dfs.replication": 1,
                # A client looks again whether its file is whole after so long; by default, each small file takes 0.4 s.
                "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": 20,
                # A quota counts a whole block while it is written.
                "dfs.blocksize": 4 << 20,
            },
            "yarn-site": {
                "yarn.resourcemanager.hostname": HOST,
                "yarn.resourcemanager.address": f"{HOST}:{port['resourcemanager']}",
                "yarn.resourcemanager.scheduler.address": f"{HOST}:{port['scheduler']}",
                "yarn.resourcemanager.resource-tracker.address": f"{HOST}:{port['tracker']}",
                "yarn.resourcemanager.admin.address": f"{HOST}:{port['admin']}",
                "yarn.resourcemanager.webapp.address": f"{HOST}:{port['resourcemanager_http']}",
                "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": 200,
                "yarn.scheduler.minimum-allocation-mb": 128,
                "yarn.nodemanager.hostname": HOST,
                "yarn.nodemanager.address": f"{HOST}:{port[f'nodemanager_{number}']}",
                "yarn.nodemanager.localizer.address": f"{HOST}:{port[f'localizer_{number}']}",
                "yarn.nodemanager.webapp.address": f"{HOST}:{port[f'nodemanager_http_{number}']}",
                "yarn.nodemanager.local-dirs": node / "local",
                "yarn.nodemanager.log-dirs": node / "logs",
                "yarn.nodemanager.resource.memory-mb": 6144,
                "yarn.nodemanager.resource.cpu-vcores": 8,
                "yarn.nodemanager.vmem-check-enabled": "false",
                "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99.9,
            },
            "capacity-scheduler": {
                "yarn.scheduler.capacity.root.queues": "default",
                "yarn.scheduler.capacity.root.default.capacity": 100,
                "yarn.scheduler.capacity.maximum-am-resource-percent": 0.9,
            },
        }

    def _start(self, name, main_class):
        conf, number = self.conf, name.rpartition("-")[2]
        if number == "2":
            conf = self.folder / "conf-2"
            conf.mkdir()
            self._configure(conf, 2)
        with open(self.folder / f"{name}.log", "wb") as log:
            self._processes[name] = subprocess.Popen(
                _java(main_class, conf), env=self._daemon_environment(), stdout=log, stderr=subprocess.STDOUT
            )

    def _daemon_environment(self, user=None):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HADOOP_", "SPARK_"))}
        return kept | ({"HADOOP_USER_NAME": user} if user else {})

    def _run(self, main_class, *words, user=None):
        line = [*_java(main_class, self.conf), *words]
        result = subprocess.run(
            line, env=self._daemon_environment(user), capture_output=True, text=True, timeout=120, check=False
        )
        assert result.returncode == 0, f"{line}: {result.stdout}{result.stderr}"
        return result.stdout

    def _is_ready(self):
        state = self._get("namenode_http", "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState")["beans"][0]
        nodes = self._get("resourcemanager_http", "/ws/v1/cluster/metrics")["clusterMetrics"]["activeNodes"]
        return state["NumLiveDataNodes"] == 1 and state["FSState"] == "Operational" and nodes == 2

    def _wait_until(self, condition):
        end = time.monotonic() + _START_SECONDS
        while True:
            for name, process in self._processes.items():
                log = self.folder / f"{name}.log"
                assert process.poll() is None, f"{name} ended: {log.read_text(encoding='utf-8')[-2000:]}"
            try:
                if condition():
                    return
            except (OSError, KeyError, IndexError) as error:
                assert time.monotonic() < end, f"Hadoop did not start: {error}"
            assert time.monotonic() < end, "Hadoop did not start: its daemons do not find each other"
            time.sleep(0.3)

    def _get(self, port, path):
        with urllib.request.urlopen(f"http://{HOST}:{self._ports[port]}{path}", timeout=20) as answer:
            return json.load(answer)


def _wait_or_kill(process, seconds):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _java(main_class, conf):
    java = os.path.join(os.environ["JAVA_HOME"], "bin", "java")
    small = ("-Xmx256m", *QUICK_JAVA.split(), ONE_COLLECTOR, "-Djava.net.preferIPv4Stack=true")
    return [java, *small, "-cp", f"{conf}{os.pathsep}{JARS}/*", main_class]


def _as_xml(properties):
    rows = (
        f"<property><name>{name}</name><value>{escape(str(value))}</value></property>\n"
        for name, value in properties.items()
    )
    return f"<configuration>\n{''.join(rows)}</configuration>\n"


def free_ports(count):
    """Free ports on loopback, below those that the system gives to outgoing connections."""
    found = []
    for port in range(_FIRST_PORT + os.getpid() % 5000, _LAST_PORT):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"fewer than {count} ports from {_FIRST_PORT} to {_LAST_PORT} are free")
