"""A Hadoop of one machine: NameNode, DataNode, ResourceManager and NodeManager, real ones, on loopback only."""

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
    # One, since a second on the same machine would have the same disk, processes and host name.
    "nodemanager": f"{_SERVER}.nodemanager.NodeManager",
}
_PORTS = (
    *("namenode", "namenode_http", "datanode", "datanode_http", "datanode_ipc"),
    *("scheduler", "resourcemanager", "tracker", "admin", "resourcemanager_http"),
    *("nodemanager", "localizer", "nodemanager_http"),
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
        self._configure()
        try:
            self._format()
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
        for place in ("datanode", "nodemanager/local"):
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

    def logs(self, application):
        """All that the containers of an application wrote."""
        files = sorted(self.folder.glob(f"nodemanager/logs/{application}/*/*"))
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def _configure(self):
        """Write the configuration of the daemons and of who uses them."""
        for name, properties in self._sites().items():
            (self.conf / f"{name}.xml").write_text(_as_xml(properties), encoding="utf-8")
        (self.conf / "log4j.properties").write_text(_LOGGING, encoding="utf-8")
        # HDFS wants the folders of its web pages on the class path; the pages themselves are not in its archives.
        for name in ("hdfs", "datanode"):
            (self.conf / "webapps" / name).mkdir(parents=True)

    def _sites(self):
        """Name of a file to its properties."""
        port, node = self._ports, self.folder / "nodemanager"
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
                # Threads that look a hundred times a second whether there is work keep a core busy in the long run.
                "dfs.namenode.block.deletion.unlock.interval.ms": 500,
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
                "yarn.nodemanager.address": f"{HOST}:{port['nodemanager']}",
                "yarn.nodemanager.localizer.address": f"{HOST}:{port['localizer']}",
                "yarn.nodemanager.webapp.address": f"{HOST}:{port['nodemanager_http']}",
                "yarn.nodemanager.local-dirs": node / "local",
                "yarn.nodemanager.log-dirs": node / "logs",
                "yarn.nodemanager.resource.memory-mb": 12288,
                "yarn.nodemanager.resource.cpu-vcores": 16,
                "yarn.nodemanager.vmem-check-enabled": "false",
                "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99.9,
            },
            "capacity-scheduler": {
                "yarn.scheduler.capacity.root.queues": "default",
                "yarn.scheduler.capacity.root.default.capacity": 100,
                "yarn.scheduler.capacity.maximum-am-resource-percent": 0.9,
                # A container is given when a NodeManager tells that it lives, rather than looked for all the time.
                "yarn.scheduler.capacity.schedule-asynchronously.enable": "false",
            },
        }

    def _start(self, name, main_class):
        with open(self.folder / f"{name}.log", "wb") as log:
            self._processes[name] = subprocess.Popen(
                self._java(main_class), env=_daemon_environment(), stdout=log, stderr=subprocess.STDOUT
            )

    def _format(self):
        line = [*self._java(_DAEMONS["namenode"]), "-format", "-nonInteractive"]
        result = subprocess.run(
            line, env=_daemon_environment(), capture_output=True, text=True, timeout=_START_SECONDS, check=False
        )
        assert result.returncode == 0, f"{line}: {result.stdout}{result.stderr}"

    def _java(self, main_class):
        java = os.path.join(os.environ["JAVA_HOME"], "bin", "java")
        small = ("-Xmx256m", *QUICK_JAVA.split(), ONE_COLLECTOR, "-Djava.net.preferIPv4Stack=true")
        return [java, *small, "-cp", f"{self.conf}{os.pathsep}{JARS}/*", main_class]

    def _is_ready(self):
        files = self._metrics("NameNode", "FSNamesystemState")
        nodes = self._metrics("ResourceManager", "ClusterMetrics")
        is_open = files["NumLiveDataNodes"] == 1 and files["FSState"] == "Operational"
        return is_open and nodes["NumActiveNMs"] == 1

    def _metrics(self, daemon, name):
        port = self._ports[f"{daemon.lower()}_http"]
        address = f"http://{HOST}:{port}/jmx?qry=Hadoop:service={daemon},name={name}"
        with urllib.request.urlopen(address, timeout=20) as answer:
            return json.load(answer)["beans"][0]

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


def _wait_or_kill(process, seconds):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _daemon_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("HADOOP_", "SPARK_"))}


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
