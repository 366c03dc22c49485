"""Run jobs one after the other in one process, so that Java starts once for all of them.

Reads requests from stdin, one JSON object a line with `job` and `arguments`; writes answers with `returncode`, `stdout`
and `stderr` to the file descriptor that its argument names.
"""

import contextlib
import io
import json
import os
import sys
import traceback

from pyspark import SparkContext

from fiqa_spark.cli import main


def answer(request):
    """What a process of its own would have returned."""
    job = request["job"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(job, request["arguments"])
        except BaseException:
            traceback.print_exc()
            code = 1
        finally:
            # A job leaves to the end of its process what a next session in it must not find.
            if SparkContext._active_spark_context:
                SparkContext._active_spark_context.stop()
    return {"returncode": code, "stdout": out.getvalue(), "stderr": err.getvalue()}


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as answers:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
