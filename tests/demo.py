"""Labels for a small data set with planted quality, by the real job: make demo."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pandas as pd
import pyarrow.dataset as ds
from planted_data import write_planted_data

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "demo"


def main():
    """Write the data, run the job, with other settings where a file of them is named, and show what came out."""
    properties = sys.argv[1] if len(sys.argv) > 1 else "conf/local.conf"
    shutil.rmtree(FOLDER, ignore_errors=True)
    write_planted_data(FOLDER, identities=100)
    scripts = sysconfig.get_path("scripts")
    command = [
        *("spark-submit", "--properties-file", properties, "jobs/generate_labels.py"),
        *("--image-list-file", "build/demo/images.txt", "--image-root", "build/demo/images"),
        *("--feature-root", "build/demo/features", "--id-key-index", "-2", "--score-dst", "build/demo/labels"),
    ]
    print("$", " ".join(command), flush=True)
    environment = os.environ | {"PATH": scripts + os.pathsep + os.environ["PATH"]}
    if code := subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        sys.exit(code)
    show(pd.read_csv(FOLDER / "quality.csv"))


def show(planted):
    """Print the ten best and worst images and how well the labels follow the planted quality."""
    labels = ds.dataset(FOLDER / "labels" / "labels", format="parquet").to_table(columns=["path", "label"]).to_pandas()
    table = labels.dropna().merge(planted, on="path").sort_values("label", ascending=False, ignore_index=True)
    for title, rows in (("ten best", table.head(10)), ("ten worst", table.tail(10))):
        print(f"\n{title:<24} {'label':>7}  planted quality")
        for row in rows.itertuples():
            print(f"  {row.path:<22} {row.label:7.2f}  {row.quality:.3f}")
    spearman = table["label"].rank().corr(table["quality"].rank())
    print(f"\nSpearman of labels and planted quality over {len(table)} images: {spearman:.4f}")


if __name__ == "__main__":
    main()
