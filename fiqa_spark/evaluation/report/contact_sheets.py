"""The pictures of the images that an evaluation shows: in contact sheets, and of pairs that are errors."""

from collections.abc import Iterator, Mapping

from fiqa_spark.evaluation.findings import Findings, JudgeFindings, Mistakes, Sheet
from fiqa_spark.evaluation.report.pictures import pictures
from fiqa_spark.evaluation.report.thumbnails import thumbnail
from fiqa_spark.runtime.storage import Storage

# Of a pair's pictures, of which a page has hundreds.
_SIZE_IN_PAIRS = 80


def with_pictures(findings: Findings, storage: Storage, image_root: str) -> Findings:
    """Findings whose contact sheets, and pairs that are errors, hold the pictures of their images.

    Parameters
    ----------
    findings : Findings
        Whose contact sheets and pairs say which images they show.
    storage : Storage
        Where the image files lie, each of which is read once.
    image_root : str
        Folder that the image files lie in; none are read without it, and none outside.

    Returns
    -------
    Findings
        A label set of which no image file can be read has no sheets, and its pairs no pictures.
    """
    read = pictures(storage, image_root, _paths(findings)) if image_root else {}
    profiles = (profile._replace(sheets=_pictured(profile.sheets, read)) for profile in findings.profiles)
    judges = _judges(findings, read)
    return findings._replace(profiles=tuple(profiles), judges=judges)


def _paths(findings: Findings) -> Iterator[str]:
    """Paths of all images that the page shows."""
    for profile in findings.profiles:
        yield from (tile.path for sheet in profile.sheets for tile in sheet.thumbnails)
    for judge in findings.judges:
        for mistakes in judge.mistakes:
            yield from (path for pair in mistakes.pairs for path in (pair.path_a, pair.path_b))


def _pictured(sheets: tuple[Sheet, ...], read: Mapping[str, bytes]) -> tuple[Sheet, ...]:
    """The sheets with their pictures, none if no image file can be read."""
    pictured = []
    for sheet in sheets:
        tiles = (tile._replace(jpeg=read.get(tile.path)) for tile in sheet.thumbnails)
        pictured.append(sheet._replace(thumbnails=tuple(tiles)))
    is_any_readable = any(tile.jpeg for sheet in pictured for tile in sheet.thumbnails)
    return tuple(pictured) if is_any_readable else ()


def _judges(findings: Findings, read: Mapping[str, bytes]) -> tuple[JudgeFindings, ...]:
    """The judges, whose pairs that are errors have their pictures."""
    small: dict[str, bytes | None] = {}

    def of(path: str) -> bytes | None:
        if path in read and path not in small:
            small[path] = thumbnail(read[path], _SIZE_IN_PAIRS)
        return small.get(path)

    def pictured(mistakes: Mistakes) -> Mistakes:
        both = tuple((of(pair.path_a), of(pair.path_b)) for pair in mistakes.pairs)
        return mistakes._replace(pictures=both if any(map(any, both)) else None)

    return tuple(
        judge._replace(mistakes=tuple(pictured(mistakes) for mistakes in judge.mistakes)) for judge in findings.judges
    )
