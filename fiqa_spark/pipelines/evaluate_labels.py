"""Label sets side by side: from labels and features to curves, areas and a page to look at."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from fiqa_spark.evaluation.curve_files import areas_for_a_person, as_csv, as_parquet, curves_summary, curves_table
from fiqa_spark.evaluation.cut_files import cuts_table, targets_for_a_person
from fiqa_spark.evaluation.evaluate import evaluate
from fiqa_spark.evaluation.findings import Findings
from fiqa_spark.evaluation.judges import Judge
from fiqa_spark.evaluation.label_sets import read_label_sets, without_predicted
from fiqa_spark.evaluation.report.contact_sheets import with_pictures
from fiqa_spark.evaluation.report.page import page
from fiqa_spark.evaluation.report.rendering import check_installed
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.open_features import open_features
from fiqa_spark.pipelines.job_run import PAGE_FILE, SUMMARY_FILE, JobRun
from fiqa_spark.pipelines.jobs import EvaluateLabelsSettings
from fiqa_spark.pipelines.summary import run_facts, run_lines

_CURVES, _CUTS = "edc", "cuts"
_FILES = tuple(f"{name}.{form}" for name in (_CURVES, _CUTS) for form in ("parquet", "csv"))


def run(spark: SparkSession, settings: EvaluateLabelsSettings) -> str:
    """The job: read, compare, write.

    Returns
    -------
    str
        Summary for a person.

    Raises
    ------
    FiqaError
        If the input or the destination cannot be used; nothing is written then.
    """
    check_installed()
    job = JobRun(spark, settings, own_entries=(SUMMARY_FILE, PAGE_FILE, *_FILES))
    storage = job.storage
    # Looked at many times: read and taken apart once, however many files they are.
    found = read_label_sets(spark, storage, settings.labels)
    if settings.predicted == "exclude":
        found = [without_predicted(labels) for labels in found]
    sets = [labels._replace(table=labels.table.persist(StorageLevel.MEMORY_AND_DISK)) for labels in found]
    opened: list[Judge] = []
    with job:

        def features_of(images: DataFrame, judge: Judge) -> Features:
            own, staging = replace(settings, feature_root=judge.path, judge=()), f"{job.staging}/{len(opened)}"
            opened.append(judge)
            return open_features(spark, storage, images, own, staging, job.steps, are_rows=False)

        findings = evaluate(spark, storage, sets, settings, job.steps, features_of)
        with job.steps("writing curves and page"):
            storage.make_folder(job.result)
            for name, table in ((_CURVES, curves_table(findings.judges)), (_CUTS, cuts_table(findings))):
                storage.write_bytes(f"{job.result}/{name}.parquet", as_parquet(table))
                storage.write_bytes(f"{job.result}/{name}.csv", as_csv(table))
            pictured = with_pictures(findings, storage, settings.image_root)
            shown = page(pictured, title="Quality labels compared", facts=run_facts(spark, settings))
            storage.write_text(f"{job.result}/{PAGE_FILE}", shown)
        summary = job.publish_with_summary(**curves_summary(findings))
    return "\n".join(_told(summary, findings))


def _told(summary: dict[str, Any], findings: Findings) -> Iterator[str]:
    pairs = findings.judges[0].pairs
    yield f"{pairs['mated']} mated and {pairs['non_mated']} non-mated pairs, {_source(pairs)}"
    yield from (f"  left out: {count} {reason}" for reason, count in pairs["left_out"].items())
    yield ""
    yield from areas_for_a_person(findings)
    yield ""
    yield from targets_for_a_person(findings)
    yield f"written to {summary['destination']}; open {PAGE_FILE} there"
    yield from run_lines(summary)


def _source(pairs: dict[str, Any]) -> str:
    return "drawn" if pairs["source"] == "drawn" else f"from {pairs['source']}"
