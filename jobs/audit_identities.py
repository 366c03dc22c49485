"""Who stands under a wrong name, and who has two: spark-submit jobs/audit_identities.py --help."""

import pathlib
import sys

# spark-submit puts the folder of this file on the path, not the one that holds the package.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fiqa_spark.cli import main

if __name__ == "__main__":
    sys.exit(main("audit_identities"))
