"""Label sets side by side: from labels and features to curves, areas and a page to look at."""

from fiqa_spark.curve_files import areas_for_a_person, as_csv, as_parquet, curves_summary, curves_table
from fiqa_spark.destination import Destination
from fiqa_spark.evaluation import evaluate
from fiqa_spark.feature_source import open_features
from fiqa_spark.label_sets import read_label_sets
from fiqa_spark.progress import Steps
from fiqa_spark.report import check_installed, page
from fiqa_spark.result_store import PAGE_FILE, SUMMARY_FILE
from fiqa_spark.storage import Storage
from fiqa_spark.summary import as_json, how_it_ran, run_facts, run_lines

_PARQUET, _CSV = "edc.parquet", "edc.csv"


def run(spark, settings):
    """The job: read, compare, write.

    Parameters
    ----------
    spark : SparkSession
    settings : EvaluateLabelsSettings

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
    storage, steps = Storage(spark), Steps(spark)
    sets = read_label_sets(spark, storage, settings.labels)
    own, application = (SUMMARY_FILE, PAGE_FILE, _PARQUET, _CSV), spark.sparkContext.applicationId
    with Destination(
        storage, settings.dst, overwrite=settings.overwrite, own_entries=own, application=application
    ) as dst:

        def features_of(images):
            return open_features(spark, storage, images, settings, dst.staging, steps, are_rows=False)

        findings = evaluate(spark, storage, sets, settings, steps, features_of)
        result = f"{dst.staging}/result"
        with steps("writing curves and page"):
            storage.make_folder(result)
            table = curves_table(findings.comparisons)
            storage.write_bytes(f"{result}/{_PARQUET}", as_parquet(table))
            storage.write_bytes(f"{result}/{_CSV}", as_csv(table))
            facts = run_facts(spark, settings)
            storage.write_text(f"{result}/{PAGE_FILE}", page(findings, title="Quality labels compared", facts=facts))
        summary = {
            "destination": storage.qualified(settings.dst),
            **curves_summary(findings),
            **how_it_ran(spark, settings, steps),
        }
        storage.write_text(f"{result}/{SUMMARY_FILE}", as_json(summary))
        dst.publish("result")
    return "\n".join(_told(summary, findings))


def _told(summary, findings):
    pairs = findings.pairs
    yield f"{pairs['mated']} mated and {pairs['non_mated']} non-mated pairs, {_source(pairs)}"
    yield from (f"  left out: {count} {reason}" for reason, count in pairs["left_out"].items())
    yield ""
    yield from areas_for_a_person(findings)
    yield ""
    yield f"written to {summary['destination']}; open {PAGE_FILE} there"
    yield from run_lines(summary)


def _source(pairs):
    return "drawn" if pairs["source"] == "drawn" else f"from {pairs['source']}"
