"""Run jobs one after the other in one process, so that Java starts once for all of them.

Reads requests, one JSON object a line with `job` and `arguments`; answers with `returncode`, `stdout` and `stderr`.
"""

import contextlib
import importlib
import io
import json
import sys
import traceback

from fiqa_spark import settings
from fiqa_spark.cli import main

SETTINGS = {
    "generate_labels": settings.GenerateLabelsSettings,
    "import_features": settings.ImportFeaturesSettings,
    "export_labels": settings.ExportLabelsSettings,
}


def answer(request):
    """What a process of its own would have returned."""
    job = request["job"]
    run = importlib.import_module(f"fiqa_spark.pipelines.{job}").run
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(job, SETTINGS[job], run, request["arguments"])
        except BaseException:
            traceback.print_exc()
            code = 1
    return {"returncode": code, "stdout": out.getvalue(), "stderr": err.getvalue()}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
