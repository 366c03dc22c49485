"""The commands of the README that a user types first; `.ci/run` begins with them on a fresh clone."""

import re
import subprocess

from tests.jobs.running import ROOT, environment


def make(*targets):
    # The make that these tests may run under has words for its own parts there.
    shell = environment(MAKEFLAGS="")
    return subprocess.run(
        ["make", *targets], cwd=ROOT, env=shell, capture_output=True, text=True, timeout=600, check=False
    )


def test_make_alone_lists_the_targets():
    shown = make()
    assert shown.returncode == 0
    for target in ("setup", "demo", "test", "test-lowest", "test-yarn", "package", "lint"):
        assert re.search(rf"^  make {target} +\w", shown.stdout, re.MULTILINE), shown.stdout


def test_without_maven_the_tests_on_hadoop_fail_and_say_so():
    shown = make("test-yarn", "MAVEN=/nowhere/mvn")
    assert shown.returncode == 2
    assert "test-yarn: error: /nowhere/mvn: no such program; Maven brings the Hadoop" in shown.stderr


def test_make_demo_runs_the_demo():
    # What the demo shows is tested by a run of it, with settings of its own; `.ci/run` runs it as users do.
    planned = make("--dry-run", "demo")
    assert planned.returncode == 0, planned.stderr
    assert ".venv/bin/python tests/demo.py" in planned.stdout
