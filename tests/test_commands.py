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


def test_make_demo_shows_labels_that_follow_the_planted_quality():
    shown = make("demo")
    assert shown.returncode == 0, shown.stderr
    assert "images of 100 identities" in shown.stdout
    for status in ("ok", "missing_feature", "invalid_feature", "too_few_images"):
        count = re.search(rf"^  {status} +(\d+)$", shown.stdout, re.MULTILINE)
        assert int(count[1]) > 0, shown.stdout
    assert len(re.findall(r"^  person_\d+/\d+\.jpg ", shown.stdout, re.MULTILINE)) == 20
    spearman = re.search(r"Spearman of labels and planted quality over \d+ images: (0\.\d+)", shown.stdout)
    assert float(spearman[1]) > 0.85
