"""Where to cut, as files and as entries of summary.json."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from fiqa_spark.evaluation.findings import ErrorRate, Findings, GroupLabels, Interval, JudgeFindings
from fiqa_spark.evaluation.judge_table import JudgedSet, sets_by_judges

_CUTS = pa.schema(
    [
        ("label_set", pa.string()),
        ("judge", pa.string()),
        ("discard", pa.float64()),
        ("label", pa.float64()),
        ("discarded", pa.float64()),
        ("images", pa.int64()),
        ("identities", pa.int64()),
        ("identities_with_mates", pa.int64()),
        ("fmr", pa.float64()),
        ("threshold", pa.float64()),
        ("mated_pairs", pa.int64()),
        ("errors", pa.int64()),
        ("fnmr", pa.float64()),
        ("fnmr_low", pa.float64()),
        ("fnmr_high", pa.float64()),
    ]
)


def cuts_table(findings: Findings) -> pa.Table:
    """A row a label set, judge, cut and FMR; without judge, FMR and what follows where no judge has mated pairs.

    Returns
    -------
    pyarrow.Table
        `discard`, the share of images that may go, `label`, from which images stay, `discarded`, the share that goes,
        what is left of images and identities, and FNMR among the mated pairs left with its 95 % interval.
    """
    return pa.Table.from_pylist([dict(zip(_CUTS.names, row, strict=True)) for row in _cut_rows(findings)], _CUTS)


def _cut_rows(findings: Findings) -> Iterator[tuple[Any, ...]]:
    judges = [judge for judge in findings.judges if judge.cuts]
    for number, of_set in enumerate(findings.cuts):
        for place, (discard, *left) in enumerate(of_set.cuts):
            for judge in judges:
                for rate in judge.cuts[number].rates[place]:
                    yield of_set.label_set, judge.name, discard, *left, *_rate(rate).values()
            if not judges:
                yield of_set.label_set, None, discard, *left, *[None] * 7


def _rate(rate: ErrorRate) -> dict[str, Any]:
    low, high = rate.interval or (None, None)
    return {
        "fmr": rate.fmr,
        "threshold": rate.threshold,
        "mated_pairs": rate.pairs,
        "errors": rate.errors,
        "fnmr": rate.rate,
        "fnmr_low": low,
        "fnmr_high": high,
    }


def judges_summary(findings: Findings) -> dict[str, Any]:
    """Entries of summary.json that tell of judges, of cuts, of labels as errors, and of groups."""
    entries: dict[str, Any] = {
        "pair_quality": findings.pair_quality,
        "judges": [_judge(judge) for judge in findings.judges],
        "cuts": {of_set.label_set: [cut._asdict() for cut in of_set.cuts] for of_set in findings.cuts},
    }
    if len(findings.judges) > 1:
        names = [judge.name for judge in findings.judges]
        entries["sets_by_judges"] = [
            {
                **table.operating_point._asdict(),
                "discard_limit": table.limit,
                "label_sets": {judged.label_set: _judged(judged, names) for judged in table.sets},
            }
            for table in sets_by_judges(findings)
        ]
    if findings.groups:
        entries["groups"] = {
            **findings.groups._asdict(),
            "labels": [_group(labels) for labels in findings.groups.labels],
        }
    return entries


def targets_for_a_person(findings: Findings) -> Iterator[str]:
    """A line a judge, label set and target, and an empty one behind them."""
    for judge in findings.judges:
        by_judge = f" by {judge.name}" if len(findings.judges) > 1 else ""
        for target in judge.targets:
            wanted = f"  {target.label_set}{by_judge}: FNMR {target.target:g} at FMR {target.fmr:g}"
            if target.label is None or target.discarded is None:
                yield f"{wanted} cannot be reached"
            else:
                yield f"{wanted} from label {target.label:.4g}, below which {target.discarded:.1%} of the images lie"
    if any(judge.targets for judge in findings.judges):
        yield ""


def _judged(judged: JudgedSet, names: list[str]) -> dict[str, Any]:
    parts = {name: area.of_chance for name, area in zip(names, judged.areas, strict=True)}
    return {
        "part_of_chance": parts,
        "rank": dict(zip(names, judged.ranks, strict=True)),
        "worst_part_of_chance": judged.worst,
    }


def _judge(judge: JudgeFindings) -> dict[str, Any]:
    return {
        "name": judge.name,
        "place": judge.path,
        "made": judge.made,
        "pairs": judge.pairs,
        "targets": [target._asdict() for target in judge.targets],
        "expected_errors": [
            {**each._asdict(), "ranges": [one._asdict() for one in each.ranges]} for each in judge.expected
        ],
        "errors_of_groups": [
            {"label_set": each.label_set, "group": each.group, "by_cut": [_rate(rate) for rate in each.rates]}
            for each in judge.groups
        ],
        "errors_of_high_labels": [
            {
                "label_set": each.label_set,
                "threshold": each.threshold,
                "told_by": each.told_by,
                "errors": each.errors,
                "pairs": [pair._asdict() for pair in each.pairs],
            }
            for each in judge.mistakes
        ],
    }


def _group(labels: GroupLabels) -> dict[str, Any]:
    return {**labels._asdict(), "interval": ends(labels.interval)}


def ends(interval: Interval | None) -> list[float] | None:
    """An interval as JSON has it."""
    return None if interval is None else list(interval)
