import json
import subprocess

from fiqa_spark.pipelines.jobs import JOBS
from tests.jobs.bare_checkout import bare_checkout

# Shows the help of every job, each as if it were the first: without the path and the package that another found.
SHOW_HELP = """
import contextlib, io, json, runpy, sys
import numpy, pandas, pyarrow, pyspark
try:
    import fiqa_spark
except ModuleNotFoundError as error:
    shown = {"": str(error)}
path = list(sys.path)
for job in sys.argv[1:]:
    # Python puts there the folder of the file that it runs.
    sys.path[:] = ["jobs", *path[1:]]
    for name in [name for name in sys.modules if name.split(".")[0] == "fiqa_spark"]:
        del sys.modules[name]
    sys.argv = [f"jobs/{job}.py", "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            assert not end.code, end.code
    shown[job] = stdout.getvalue()
print(json.dumps(shown))
"""


def test_a_bare_checkout_needs_no_installation(tmp_path):
    checkout, changes = bare_checkout(tmp_path)
    # How a file finds the package is the same by spark-submit, which takes seconds to start Java. A program that
    # Python is given as text looks for modules in the folder where it is, which is to hold none.
    program = tmp_path / "elsewhere" / "show_help.py"
    program.parent.mkdir()
    program.write_text(SHOW_HELP, encoding="utf-8")
    line = ["python", str(program), *JOBS]
    result = subprocess.run(line, cwd=checkout, env=changes, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    shown = json.loads(result.stdout)
    assert shown.pop("") == "No module named 'fiqa_spark'"
    assert shown.keys() == JOBS.keys()
    for job, text in shown.items():
        assert f"usage: {job}" in text
