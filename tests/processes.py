"""Processes of this machine, as the kernel tells: which there are, who started them, at which addresses they listen."""

import contextlib
import os
import pathlib

LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def listening_addresses(pids):
    """Addresses, as the kernel writes them, at which processes listen for TCP connections."""
    sockets = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            sockets |= {os.readlink(file) for file in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                yield fields[1].split(":")[0]


def processes(words):
    """Ids of the processes whose command lines hold these words."""
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if words in (place / "cmdline").read_bytes():
                yield int(place.name)


def program(pid):
    """Name of the program that a process runs; empty if it has ended."""
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    return ""


def variable(pid, name):
    """Value of a variable in a process's environment; empty if it has none, or has ended."""
    with contextlib.suppress(OSError):
        entries = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        return next((entry.partition("=")[2] for entry in entries if entry.startswith(f"{name}=")), "")
    return ""


def descendants(root):
    """Ids of a process and of all that it started and that have not lost their parent."""
    parents = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parents[int(process.name)] = int((process / "stat").read_bytes().rsplit(b")", 1)[1].split()[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found
