"""The commands of the README as a user types them on a fresh clone."""

import re
import shutil
import subprocess

import pytest

from tests.jobs.running import ROOT, environment


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The files of the checkout in another folder, with nothing set up."""
    folder = tmp_path_factory.mktemp("clone") / "fiqa-spark"
    made = shutil.ignore_patterns(
        ".git", ".venv*", "build", "dist", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, folder, ignore=made)
    return folder


def make(clone, *targets):
    # The make that these tests may run under has words for its own parts there.
    shell = environment(MAKEFLAGS="")
    return subprocess.run(
        ["make", *targets], cwd=clone, env=shell, capture_output=True, text=True, timeout=600, check=False
    )


def test_make_alone_lists_the_targets(clone):
    shown = make(clone)
    assert shown.returncode == 0
    for target in ("setup", "demo", "test", "test-lowest", "test-clone", "test-yarn", "package", "lint"):
        assert re.search(rf"^  make {target} +\w", shown.stdout, re.MULTILINE), shown.stdout


def test_without_maven_the_tests_on_hadoop_fail_and_say_so(clone):
    shown = make(clone, "test-yarn", "MAVEN=/nowhere/mvn")
    assert shown.returncode == 2
    assert "test-yarn: error: /nowhere/mvn: no such program; Maven brings the Hadoop" in shown.stderr
    assert not (clone / "build").exists()


def test_make_demo_sets_itself_up_and_shows_labels_that_follow_the_planted_quality(clone):
    shown = make(clone, "demo")
    assert shown.returncode == 0, shown.stderr
    assert "images of 300 identities" in shown.stdout
    for status in ("ok", "missing_feature", "invalid_feature", "too_few_images"):
        count = re.search(rf"^  {status} +(\d+)$", shown.stdout, re.MULTILINE)
        assert int(count[1]) > 0, shown.stdout
    assert len(re.findall(r"^  person_\d+/\d+\.jpg ", shown.stdout, re.MULTILINE)) == 20
    spearman = re.search(r"Spearman of labels and planted quality over \d+ images: (0\.\d+)", shown.stdout)
    assert float(spearman[1]) > 0.85
