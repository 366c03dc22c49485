"""What a machine must have before anything is installed: a Java for Spark. Needs nothing but Python's own library.

``python -m fiqa_spark.runtime.machine java`` prints the home of a suitable Java, and installs one where it may. With
``venv`` it installs what Debian's Python lacks for virtual environments, with ``maven`` Maven, and with ``chromium``
the browser in which tests open the report.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

from fiqa_spark.errors import MachineError

OLDEST_JAVA = 17
_REMEDY = f"install Java {OLDEST_JAVA} or newer and set JAVA_HOME to it"

_JAVA_HOMES = (
    "/usr/lib/jvm/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)
# Package managers with the packages to try, in order; those in one text are all needed.
_PACKAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "apt-get": {
        "java": ("openjdk-17-jre-headless", "openjdk-21-jre-headless"),
        "venv": ("python3-venv",),
        "chromium": ("chromium chromium-driver",),
    },
    "dnf": {
        "java": ("java-17-openjdk-headless", "java-21-openjdk-headless"),
        "venv": ("python3",),
        "chromium": ("chromium chromedriver",),
    },
    "apk": {
        "java": ("openjdk17-jre-headless",),
        "venv": ("python3",),
        "chromium": ("chromium chromium-chromedriver",),
    },
    "zypper": {
        "java": ("java-17-openjdk-headless",),
        "venv": ("python3",),
        "chromium": ("chromium chromedriver",),
    },
    "brew": {"java": ("openjdk@17",), "venv": ("python",), "chromium": ("chromium chromedriver",)},
}
# Everywhere by the same name.
for _packages in _PACKAGES.values():
    _packages["maven"] = ("maven",)
_NAMES = {
    "java": f"Java {OLDEST_JAVA} or newer",
    "venv": "Python's venv module",
    "maven": "Maven",
    "chromium": "Chromium with its chromedriver",
}
# What is there already, if all these programs are on PATH.
_PROGRAMS = {"maven": ("mvn",), "chromium": ("chromium", "chromedriver")}
_INSTALL = {"apt-get": ("install", "-y", "--no-install-recommends"), "apk": ("add",), "brew": ("install",)}


def check_java() -> int:
    """Version number of the Java that Spark would start.

    Returns
    -------
    int
        Such as 17.

    Raises
    ------
    MachineError
        If there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    program = os.path.join(home, "bin", "java") if home else shutil.which("java")
    if program is None or not os.path.exists(program):
        raise MachineError(f"no Java in {f'JAVA_HOME {home}' if home else 'PATH'}", remedy=_REMEDY)
    return check_java_version(_version_text(program), program)


def check_java_version(text: str, java: str) -> int:
    """Number of a Java version, from a text such as ``openjdk version "17.0.15"`` or ``1.8.0_402``.

    Parameters
    ----------
    java : str
        Which Java it is, for messages.

    Raises
    ------
    MachineError
        If it is too old, or there is no version in the text.
    """
    match = re.search(r'(?:version "|^)(?:1\.)?(\d+)', text)
    if match is None:
        raise MachineError(f"{java} does not tell its version", remedy=_REMEDY)
    version = int(match[1])
    if version < OLDEST_JAVA:
        raise MachineError(f"{java} is Java {version}, which is too old", remedy=_REMEDY)
    return version


def _version_text(program: str) -> str:
    return subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr


def find_java_home() -> str | None:
    """Home of a Java that is new enough: JAVA_HOME, the one on PATH, one in the usual places, or None."""
    on_path = shutil.which("java")
    homes = [os.environ.get("JAVA_HOME"), on_path and os.path.dirname(os.path.dirname(os.path.realpath(on_path)))]
    for home in [*homes, *sorted(path for pattern in _JAVA_HOMES for path in glob.glob(pattern))]:
        if home and _is_suitable(os.path.join(home, "bin", "java")):
            return home
    return None


def _is_suitable(program: str) -> bool:
    if not os.path.exists(program):
        return False
    try:
        check_java_version(_version_text(program), program)
    except MachineError:
        return False
    return True


def install(need: str) -> None:
    """Install with the system's package manager.

    Parameters
    ----------
    need : {'java', 'venv', 'maven', 'chromium'}

    Raises
    ------
    MachineError
        If there is no package manager that may be used, or it fails.
    """
    manager = next((name for name in _PACKAGES if shutil.which(name)), None)
    packages = _PACKAGES[manager][need] if manager else ()
    is_allowed = manager == "brew" or os.geteuid() == 0
    prefix = () if is_allowed else ("sudo", "-n")
    if manager and (is_allowed or shutil.which("sudo")):
        if manager == "apt-get":
            subprocess.run([*prefix, manager, "update"], stdout=sys.stderr, check=False)
        arguments = _INSTALL.get(manager, ("install", "-y"))
        for names in packages:
            line = [*prefix, manager, *arguments, *names.split()]
            if subprocess.run(line, stdout=sys.stderr, check=False).returncode == 0:
                return
    command = f", for example: sudo {manager} install {packages[0]}" if manager else ""
    raise MachineError(f"{_NAMES[need]} is missing and cannot be installed from here", remedy=f"install it{command}")


def main(need: str) -> None:
    """Provide what is needed; print the home of Java."""
    if need == "java":
        if find_java_home() is None:
            install("java")
        home = find_java_home()
        if home is None:
            raise MachineError(f"no Java {OLDEST_JAVA} or newer was found after installing it", remedy=_REMEDY)
        print(home)
    elif need not in _PROGRAMS or not all(map(shutil.which, _PROGRAMS[need])):
        install(need)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except MachineError as fault:
        print(f"setup: error: {fault}", file=sys.stderr)
        sys.exit(2)
