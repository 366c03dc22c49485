"""The page that shows what an audit of identities found: who stands under a wrong name, and who has two."""

from collections.abc import Iterator
from typing import Any

from fiqa_spark import schemas
from fiqa_spark.evaluation.audit_findings import AlikePair, AuditFindings, Person, Suspect
from fiqa_spark.evaluation.report import audit_figures
from fiqa_spark.evaluation.report.rendering import image, rendered, share

_TEMPLATE = "audit_template.html"
_MEANINGS = {
    schemas.OWN: "shows the person of its identity",
    schemas.OTHER: "shows somebody else, whose identity is suggested",
    schemas.UNLIKE: "shows nobody that is known, or too little of a face",
    schemas.ALONE: "is the one image of its identity",
}


def audit_page(findings: AuditFindings, *, title: str, facts: dict[str, str]) -> str:
    """The page as text.

    Parameters
    ----------
    findings : AuditFindings
        With its pictures, see `audit_pictures.with_pictures`; without any the page shows tables.
    title, facts
        As for `page.page`.

    Returns
    -------
    str
        HTML that needs no other file, no network and no script, to be written as UTF-8.
    """
    verdicts, thresholds = findings.verdicts, findings.thresholds
    return rendered(
        _TEMPLATE,
        title=title,
        facts=facts,
        verdicts=list(_verdicts(findings)),
        not_audited=[(name, f"{n:,}") for name, n in findings.statuses.items() if n and name != schemas.OK],
        images=f"{sum(findings.statuses.values()):,}",
        identities=list(_identities(findings)),
        images_and_centres=_svg(audit_figures.images_and_centres(findings.densities, thresholds.of_image)),
        two_centres=_svg(audit_figures.two_centres(findings.densities, thresholds.of_pair)),
        has_pictures=bool(findings.pictures),
        others=[_suspect(suspect, findings) for suspect in findings.others],
        all_others=f"{verdicts[schemas.OTHER]:,}",
        unlike=[_suspect(suspect, findings) for suspect in findings.unlike],
        all_unlike=f"{verdicts[schemas.UNLIKE]:,}",
        alike=[_pair(pair, findings) for pair in findings.alike],
        all_alike=f"{findings.pairs:,}",
        several_names=[_person(person, findings) for person in findings.several_names],
    )


def _svg(content: bytes) -> str:
    return image("svg+xml", content)


def _verdicts(findings: AuditFindings) -> Iterator[tuple[str, str, str, str]]:
    """Name, number, share of the images audited, and meaning of each verdict."""
    total = sum(findings.verdicts.values())
    for verdict in schemas.VERDICTS:
        count = findings.verdicts[verdict]
        yield verdict, f"{count:,}", share(count, total), _MEANINGS[verdict]


def _identities(findings: AuditFindings) -> Iterator[tuple[str, str]]:
    """What is counted of identities."""
    yield "of the list", f"{findings.identities:,}"
    yield "with enough evidence to be compared", f"{findings.thresholds.identities:,}"
    yield "pairs that seem to be one person each", f"{findings.pairs:,}"
    yield "names in these pairs", f"{findings.names:,}"
    yield "persons who have them", f"{findings.persons:,}"


def _suspect(suspect: Suspect, findings: AuditFindings) -> dict[str, Any]:
    return {
        **_tile(suspect.path, findings),
        "membership": _membership(suspect.membership),
        "own": _identity(suspect.identity, findings),
        "suggested": _identity(suspect.suggested, findings) if suspect.suggested is not None else None,
        "similarity": None if suspect.similarity is None else _shown(suspect.similarity),
    }


def _pair(pair: AlikePair, findings: AuditFindings) -> dict[str, Any]:
    return {
        "sides": [
            {**_identity(pair.a, findings), "evidence": f"{pair.evidence_a:.1f}"},
            {**_identity(pair.b, findings), "evidence": f"{pair.evidence_b:.1f}"},
        ],
        "similarity": _shown(pair.similarity),
        "merged": pair.merged,
    }


def _person(person: Person, findings: AuditFindings) -> dict[str, Any]:
    return {
        "merged": person.merged,
        "names": f"{person.names:,}",
        "some": [_identity(name, findings) for name in person.some],
        "more": f"{person.names - len(person.some):,}" if person.names > len(person.some) else "",
    }


def _identity(name: str, findings: AuditFindings) -> dict[str, Any]:
    """An identity and its best images; one that the list does not have has no numbers."""
    known = findings.known.get(name)
    return {
        "name": name,
        "images": f"{known.images:,} image{'s' * (known.images != 1)}" if known else "",
        "trusted": f"{known.trusted:,}" if known else "",
        "best": [_tile(path, findings) for path in known.best] if known else [],
    }


def _tile(path: str, findings: AuditFindings) -> dict[str, Any]:
    jpeg = findings.pictures.get(path)
    return {"path": path, "picture": image("jpeg", jpeg) if jpeg else None}


def _membership(value: float) -> str:
    return "< 0.001" if 0 <= value < 0.0005 else f"{value:.3f}"


def _shown(similarity: float) -> str:
    return f"{similarity:.3f}".replace("-", "\N{MINUS SIGN}")
