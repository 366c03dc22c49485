"""The page that shows what an evaluation found: its numbers as texts, its figures and pictures."""

from collections.abc import Iterator
from typing import Any

from fiqa_spark.evaluation.findings import Findings, Profile
from fiqa_spark.evaluation.report import figures
from fiqa_spark.evaluation.report.cuts_shown import labels_as_errors, unresolved, where_to_cut
from fiqa_spark.evaluation.report.groups_shown import groups_shown
from fiqa_spark.evaluation.report.judges_shown import judge_shown, sets_of_judges
from fiqa_spark.evaluation.report.mistakes_shown import SharedPictures, mistakes_shown
from fiqa_spark.evaluation.report.numbers_shown import label
from fiqa_spark.evaluation.report.rendering import image, rendered, share

_TEMPLATE = "report_template.html"
_PAIR_COUNTS = {"non_mated": "non-mated"}
_PAIR_QUALITIES = {
    "min": "the lower label of its two images",
    "mean": "the mean label of its two images",
    "product": "the product of the labels of its two images",
    "max": "the higher label of its two images",
}


def page(findings: Findings, *, title: str, facts: dict[str, str]) -> str:
    """The page as text.

    Parameters
    ----------
    findings : Findings
        With its pictures, see `contact_sheets.with_pictures`.
    title : str
        Its heading.
    facts : dict of str to str
        What else is worth knowing, such as settings and versions, in the order in which it is shown.

    Returns
    -------
    str
        HTML that needs no other file, no network and no script, to be written as UTF-8.
    """
    pictures = SharedPictures()
    mistakes = mistakes_shown(findings, pictures)
    return rendered(
        _TEMPLATE,
        title=title,
        facts=facts,
        convention=findings.convention,
        pair_quality=_PAIR_QUALITIES[findings.pair_quality],
        kinds={judge.pairs.get("kind") for judge in findings.judges},
        pairs=_pairs(findings),
        sets_by_judges=sets_of_judges(findings),
        judges=[judge_shown(judge, findings.convention) for judge in findings.judges],
        cuts=where_to_cut(findings),
        as_errors=labels_as_errors(findings),
        unresolved=unresolved(findings),
        groups=groups_shown(findings),
        mistakes=mistakes,
        pictures=pictures.addresses(),
        notes=findings.notes,
        profiles=[_profile(profile) for profile in findings.profiles],
    )


def _pairs(findings: Findings) -> list[tuple[int, str, list[str]]]:
    """Depth and name of each count of pairs, and its text for every judge."""
    by_judge = [dict(_counts(judge.pairs)) for judge in findings.judges]
    places = dict.fromkeys(place for counts in by_judge for place in counts)
    return [
        (
            len(place) - 1,
            _PAIR_COUNTS.get(place[-1], place[-1].replace("_", " ")),
            [each.get(place, "") for each in by_judge],
        )
        for place in _with_parents_first(list(places))
    ]


def _counts(counts: dict[str, Any], parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Names, from the outermost, and text of each entry of nested counts."""
    for name, value in counts.items():
        if isinstance(value, dict):
            yield from [((*parents, name), ""), *_counts(value, (*parents, name))] if value else ()
        elif value is not None:
            yield (*parents, name), f"{value:,}" if isinstance(value, int) else str(value)


def _with_parents_first(places: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The places in their order, but those of one parent together, also where only some judges have them."""
    order = {place: number for number, place in enumerate(places)}
    return sorted(places, key=lambda place: [order[place[: depth + 1]] for depth in range(len(place))])


def _profile(profile: Profile) -> dict[str, Any]:
    total = sum(profile.statuses.values())

    def shown(value: float) -> str:
        return label(value, profile.quantity)

    return {
        "name": profile.name,
        "path": profile.path,
        "quantity": profile.quantity,
        "statuses": [(status, f"{count:,}", share(count, total)) for status, count in profile.statuses.items()],
        "total": f"{total:,}",
        "histogram": image("svg+xml", figures.label_histogram(profile)),
        "by_size": image("svg+xml", figures.labels_by_size(profile)) if profile.sizes else None,
        "lowest": [
            (name, f"{images:,}", f"{labelled:,}", *map(shown, mean_and_range))
            for name, images, labelled, *mean_and_range in profile.lowest
        ],
        "sheets": [
            (
                sheet.title,
                [(path, shown(label), jpeg and image("jpeg", jpeg)) for path, label, jpeg in sheet.thumbnails],
            )
            for sheet in profile.sheets
        ],
    }
