"""The first reason that applies to an image by itself, in the order that the documents give."""

import pathlib
import re

from fiqa_spark import SelectionSettings, schemas
from fiqa_spark.methods.selection.reasons import first_reason

DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs" / "selection.md"
EVERYTHING = {"drop": ("own", "other", "unlike", "alone"), "least_label": 50.0, "least_ers": 0.5}
# Settings, place in the list, status, label, verdict, ERS, the reason.
CASES = [
    ({}, None, None, None, None, None, "not_in_list"),
    (EVERYTHING, None, "missing_feature", None, "other", 0.1, "not_in_list"),
    ({}, 1, None, None, None, None, "not_in_labels"),
    ({}, 1, "missing_feature", None, None, None, "missing_feature"),
    (EVERYTHING, 1, "invalid_feature", None, "other", 0.1, "invalid_feature"),
    (EVERYTHING, 1, "no_identity", None, None, None, "no_identity"),
    ({}, 1, "ok", 0.0, "other", 0.0, None),
    ({}, 1, "too_few_images", None, None, None, None),
    (EVERYTHING, 1, "ok", 10.0, "other", 0.1, "other"),
    ({"drop": ("unlike",)}, 1, "ok", 10.0, "other", 0.1, None),
    ({"drop": ("unlike", "own")}, 1, "ok", 10.0, "unlike", 0.1, "unlike"),
    ({"drop": ("own", "alone")}, 1, "ok", 10.0, "alone", 0.1, "alone"),
    ({"drop": ("own",)}, 1, "ok", 10.0, "own", 0.1, "own"),
    (EVERYTHING, 1, "too_few_images", None, None, None, "no_label"),
    ({"least_label": 0.0}, 1, "too_few_images", None, None, None, "no_label"),
    (EVERYTHING, 1, "predicted", 49.9, None, None, "least_label"),
    (EVERYTHING, 1, "predicted", 50.0, None, None, "no_ers"),
    (EVERYTHING, 1, "ok", 50.0, None, 0.4, "least_ers"),
    (EVERYTHING, 1, "ok", 50.0, None, 0.5, None),
]


def test_the_first_reason_that_applies_is_told(spark):
    rows = [(number, *case[1:6]) for number, case in enumerate(CASES)]
    table = spark.createDataFrame(rows, "number int, row int, status string, label double, verdict string, ers double")
    reasons = [
        first_reason(SelectionSettings(**case[0]), is_of_list=True).alias(f"r{n}") for n, case in enumerate(CASES)
    ]
    found = table.select("number", *reasons).collect()
    assert [row[f"r{row.number}"] for row in found] == [CASES[row.number][6] for row in found]


def test_without_a_list_no_image_can_miss_in_it(spark):
    table = spark.createDataFrame([("ok", 1.0), ("no_identity", None)], "status string, label double")
    columns = {"ers": "double", "verdict": "string"}
    table = table.selectExpr("*", *(f"cast(null as {kind}) {name}" for name, kind in columns.items()))
    reason = first_reason(SelectionSettings(least_label=1.0), is_of_list=False)
    assert [row[0] for row in table.select(reason).collect()] == [None, "no_identity"]


def test_the_document_gives_the_order():
    table = re.search(r"\| reason \|.*?\n\n", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    told = [name for row in table[0].strip().splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert tuple(told) == schemas.REASONS
