"""The pictures of the images that the page of an audit shows."""

from collections.abc import Iterator

from fiqa_spark.evaluation.audit_findings import AuditFindings
from fiqa_spark.evaluation.report.pictures import pictures
from fiqa_spark.runtime.storage import Storage


def with_pictures(findings: AuditFindings, storage: Storage, image_root: str) -> AuditFindings:
    """Findings with the pictures of their images, as far as the files below the image root can be read.

    Parameters
    ----------
    storage : Storage
        Where the image files lie.
    image_root : str
        Folder that the image files lie in; none are read without it, and none outside.
    """
    return findings._replace(pictures=pictures(storage, image_root, _paths(findings)))


def _paths(findings: AuditFindings) -> Iterator[str]:
    """Paths of all images that the page shows."""
    for suspect in (*findings.others, *findings.unlike):
        yield suspect.path
        yield from _best(suspect.identity, findings)
        yield from _best(suspect.suggested, findings)
    for pair in findings.alike:
        yield from (*_best(pair.a, findings), *_best(pair.b, findings))
    for person in findings.several_names:
        yield from (path for name in person.some for path in _best(name, findings)[:1])


def _best(name: str | None, findings: AuditFindings) -> tuple[str, ...]:
    known = findings.known.get(name) if name is not None else None
    return known.best if known else ()
