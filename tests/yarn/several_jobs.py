"""Several jobs in one driver: spark-submit several_jobs.py generate_labels --flag value , export_labels --flag value.

An application takes longer to start than a small job to run. The driver lacks the tests' package: it is sent
`tests/jobs/running.py` beside this file.
"""

import itertools
import json
import sys
import tempfile

from pyspark import SparkConf, SparkContext

from fiqa_spark.cli import open_session
from fiqa_spark.runtime.settings import Settings

BETWEEN = ","
RESULT = "result of a job: "


def main(words):
    from running import run_in

    SparkContext._ensure_initialized()
    with tempfile.TemporaryDirectory() as scratch:
        spark = open_session("several jobs", SparkConf(), Settings(), scratch)
        for is_between, job in itertools.groupby(words, BETWEEN.__eq__):
            if not is_between:
                print(RESULT + json.dumps(vars(run_in(spark, *job))), flush=True)
        spark.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
