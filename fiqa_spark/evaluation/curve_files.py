"""Curves as files, and the findings as entries of summary.json."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

# Points of a curve that are written; of a longer one, those at so many discards, evenly spaced.
POINTS_AT_MOST = 100_000


def curves_table(comparisons):
    """All points of all curves.

    Parameters
    ----------
    comparisons : tuple of Comparison

    Returns
    -------
    pyarrow.Table
        `label_set`, `error` (fnmr or fmr), `start` (error or fmr), `at`, `discard` (fraction of the pairs that have
        gone), `error_value` (error among those left, until the next discard). Of a curve of more than 100,000 points
        those that hold at 100,000 evenly spaced discards.
    """
    parts = [_points(comparison, curve) for comparison in comparisons for curve in comparison.curves]
    return pa.concat_tables(parts)


def _points(comparison, curve):
    discards, error_rates = curve.discards, curve.error_rates
    if len(discards) > POINTS_AT_MOST:
        places = np.searchsorted(discards, np.linspace(0, 1, POINTS_AT_MOST), side="right") - 1
        kept = np.unique(places)
        discards, error_rates = discards[kept], error_rates[kept]
    count = len(discards)
    names = {"label_set": curve.label_set, "error": comparison.error, "start": comparison.start}
    columns = {name: pa.repeat(pa.scalar(text), count).dictionary_encode() for name, text in names.items()}
    numbers = {"at": np.full(count, comparison.at), "discard": discards, "error_value": error_rates}
    return pa.table({**columns, **numbers}).unify_dictionaries()


def as_parquet(table):
    """Bytes of a Parquet file."""
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def as_csv(table):
    """Bytes of a CSV file with a header."""
    plain = pa.table({name: _plain(table[name]) for name in table.column_names})
    sink = io.BytesIO()
    pyarrow.csv.write_csv(plain, sink)
    return sink.getvalue()


def _plain(column):
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def curves_summary(findings):
    """Entries of summary.json that tell of pairs and curves.

    Parameters
    ----------
    findings : Findings

    Returns
    -------
    dict
    """
    return {
        "convention": findings.convention,
        "pairs": findings.pairs,
        "notes": findings.notes,
        "label_sets": [
            {"name": each.name, "place": each.place, "quantity": each.quantity, "statuses": each.statuses}
            for each in findings.profiles
        ],
        "comparisons": [_summary_of(comparison) for comparison in findings.comparisons],
    }


def _summary_of(comparison):
    return {
        "error": comparison.error,
        "start": comparison.start,
        "at": comparison.at,
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


def _area(area):
    return {
        "discard_limit": area.limit,
        "pauc": area.value,
        "interval": [area.low, area.high],
        "pauc_minus_best": area.minus_best,
        "pauc_minus_first": area.minus_first,
        "interval_minus_first": [area.minus_first_low, area.minus_first_high],
    }


def areas_for_a_person(findings):
    """Lines with the area of every curve: a block for each comparison, a line for each label set."""
    for note in findings.notes:
        yield f"  {note}"
    for comparison in findings.comparisons:
        limits = "".join(f"{f'pAUC {area.limit:g}':>32}" for area in comparison.curves[0].areas)
        yield f"  {start_in_words(comparison):<40}{limits}"
        for curve in comparison.curves:
            areas = "".join(f"{f'{area.value:.6f} ({area.low:.6f} to {area.high:.6f})':>32}" for area in curve.areas)
            yield f"    {curve.label_set[:36]:<38}{areas}"


def start_in_words(comparison):
    """Such as ``FNMR from 0.05`` and ``FNMR at FMR 0.001, from 0.0213``."""
    error = comparison.error.upper()
    if comparison.start == "error":
        return f"{error} from {comparison.starting_error:.4g}"
    return f"{error} at FMR {comparison.at:g}, from {comparison.starting_error:.4g}"
