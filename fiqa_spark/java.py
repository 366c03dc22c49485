"""Finding a Java that Spark can run on. Needs nothing but Python, so that it can be asked before anything is installed."""

import os
import re
import shutil
import subprocess
import sys

from fiqa_spark.errors import EnvironmentFault

OLDEST = 17
_WAY_OUT = f"install Java {OLDEST} or newer and set JAVA_HOME to it"


def check_java():
    """Version number of the Java that Spark would start.

    Returns
    -------
    int
        Such as 17.

    Raises
    ------
    EnvironmentFault
        If there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    program = os.path.join(home, "bin", "java") if home else shutil.which("java")
    where = f"JAVA_HOME {home}" if home else "PATH"
    if program is None or not os.path.exists(program):
        raise EnvironmentFault(f"no Java in {where}; {_WAY_OUT}")
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    return check_version(answer, program)


def check_version(text, where):
    """Number of a Java version, from a text such as ``openjdk version "17.0.15"`` or ``1.8.0_402``.

    Raises
    ------
    EnvironmentFault
        If it is too old, or there is no version in the text.
    """
    found = re.search(r'(?:version "|^)(?:1\.)?(\d+)', text)
    if found is None:
        raise EnvironmentFault(f"{where} does not tell its version; {_WAY_OUT}")
    if int(found[1]) < OLDEST:
        raise EnvironmentFault(f"{where} is Java {found[1]}, which is too old; {_WAY_OUT}")
    return int(found[1])


if __name__ == "__main__":
    try:
        check_java()
    except EnvironmentFault as fault:
        sys.exit(str(fault))
