"""Curves as files, and the findings as entries of summary.json."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from fiqa_spark.evaluation.cut_files import ends, judges_summary
from fiqa_spark.evaluation.findings import Comparison, Curve, Findings, JudgeFindings, PartialAuc

# Points of a curve that are written; of a longer one, those at so many discards, evenly spaced.
POINTS_AT_MOST = 100_000


def curves_table(judges: tuple[JudgeFindings, ...]) -> pa.Table:
    """All points of all curves.

    Returns
    -------
    pyarrow.Table
        `label_set`, `judge`, `error` (fnmr or fmr), `start` (what fixes the point: error or fmr), `at` (its value),
        `discard` (fraction of the pairs that have gone), `error_value` (error among those left, until the next
        discard). Of a curve of more than 100,000 points those that hold at 100,000 evenly spaced discards.
    """
    parts = [
        _points(judge.name, comparison, curve)
        for judge in judges
        for comparison in judge.comparisons
        for curve in comparison.curves
    ]
    return pa.concat_tables(parts)


def _points(judge: str, comparison: Comparison, curve: Curve) -> pa.Table:
    point = comparison.operating_point
    discards, error_rates = curve.discards, curve.error_rates
    if len(discards) > POINTS_AT_MOST:
        kept = np.unique(np.searchsorted(discards, np.linspace(0, 1, POINTS_AT_MOST), side="right") - 1)
        discards, error_rates = discards[kept], error_rates[kept]
    count = len(discards)
    names = {"label_set": curve.label_set, "judge": judge, "error": point.error, "start": point.fixed_by}
    columns = {name: pa.repeat(pa.scalar(text), count).dictionary_encode() for name, text in names.items()}
    numbers = {"at": np.full(count, point.value), "discard": discards, "error_value": error_rates}
    return pa.table({**columns, **numbers}).unify_dictionaries()


def as_parquet(table: pa.Table) -> bytes:
    """Bytes of a Parquet file."""
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def as_csv(table: pa.Table) -> bytes:
    """Bytes of a CSV file with a header."""
    plain = pa.table({name: _plain(table[name]) for name in table.column_names})
    sink = io.BytesIO()
    pyarrow.csv.write_csv(plain, sink)
    return sink.getvalue()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def curves_summary(findings: Findings) -> dict[str, Any]:
    """Entries of summary.json that tell of pairs and curves."""
    return {
        "convention": findings.convention,
        "pairs": findings.judges[0].pairs,
        "notes": findings.notes,
        "label_sets": [
            {
                "name": profile.name,
                "place": profile.path,
                "quantity": profile.quantity,
                "statuses": profile.statuses,
            }
            for profile in findings.profiles
        ],
        "comparisons": [
            {"judge": judge.name, **_summary_of(comparison)}
            for judge in findings.judges
            for comparison in judge.comparisons
        ],
        **judges_summary(findings),
    }


def _summary_of(comparison: Comparison) -> dict[str, Any]:
    point = comparison.operating_point
    return {
        "error": point.error,
        "start": point.fixed_by,
        "at": point.value,
        "threshold": comparison.threshold,
        "starting_error": comparison.starting_error,
        "pairs": comparison.pairs,
        "label_sets": {
            curve.label_set: {
                "points": len(curve.discards),
                "areas": [_area(area) for area in curve.areas],
            }
            for curve in comparison.curves
        },
    }


def _area(area: PartialAuc) -> dict[str, Any]:
    return {
        "discard_limit": area.limit,
        "pauc": area.value,
        "interval": ends(area.interval),
        "pauc_minus_best": area.delta_to_best,
        "part_of_chance": area.of_chance,
        "interval_of_part": ends(area.of_chance_interval),
        "pauc_minus_first": area.delta_to_first,
        "interval_minus_first": ends(area.delta_to_first_interval),
    }


def areas_for_a_person(findings: Findings) -> Iterator[str]:
    """Lines with the area of every curve: a block for each comparison, a line for each label set."""
    for note in findings.notes:
        yield f"  {note}"
    for judge in findings.judges:
        if len(findings.judges) > 1:
            yield f"  by {judge.name}{', which made ' + ', '.join(judge.made) if judge.made else ''}"
        yield from _areas_by(judge)


def _areas_by(judge: JudgeFindings) -> Iterator[str]:
    for comparison in judge.comparisons:
        limits = "".join(f"{f'pAUC {area.limit:g}':>32}" for area in comparison.curves[0].areas)
        yield f"  {_operating_point_in_words(comparison):<40}{limits}"
        for curve in comparison.curves:
            yield f"    {curve.label_set[:36]:<38}{''.join(f'{_with_interval(area):>32}' for area in curve.areas)}"


def _with_interval(area: PartialAuc) -> str:
    if area.interval is None:
        return f"{area.value:.6f}"
    low, high = area.interval
    return f"{area.value:.6f} ({low:.6f} to {high:.6f})"


def _operating_point_in_words(comparison: Comparison) -> str:
    """Such as ``FNMR from 0.05`` and ``FNMR at FMR 0.001, from 0.0213``."""
    error, fixed_by, value = comparison.operating_point
    at_fmr = f" at FMR {value:g}," if fixed_by == "fmr" else ""
    return f"{error.upper()}{at_fmr} from {comparison.starting_error:.4g}"
