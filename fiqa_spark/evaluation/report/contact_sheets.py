"""Contact sheets: the pictures of the images that an evaluation shows."""

from fiqa_spark.evaluation.findings import Findings, Sheet
from fiqa_spark.evaluation.report.pictures import picture
from fiqa_spark.runtime.storage import Storage


def with_pictures(findings: Findings, storage: Storage, image_root: str) -> Findings:
    """Findings whose contact sheets hold the pictures of their images.

    Parameters
    ----------
    findings : Findings
        Whose contact sheets say which images they show.
    storage : Storage
        Where the image files lie.
    image_root : str
        Folder that the image files lie in; none are read without it, and none outside.

    Returns
    -------
    Findings
        A label set of which no image file can be read has no sheets.
    """
    profiles = [profile._replace(sheets=_read(profile.sheets, storage, image_root)) for profile in findings.profiles]
    return findings._replace(profiles=tuple(profiles))


def _read(sheets: tuple[Sheet, ...], storage: Storage, image_root: str) -> tuple[Sheet, ...]:
    """The sheets with their pictures, none if no image file can be read."""
    if not image_root:
        return ()
    with_pictures = []
    for sheet in sheets:
        tiles = (tile._replace(jpeg=picture(storage, image_root, tile.path)) for tile in sheet.thumbnails)
        with_pictures.append(sheet._replace(thumbnails=tuple(tiles)))
    is_any_readable = any(tile.jpeg for sheet in with_pictures for tile in sheet.thumbnails)
    return tuple(with_pictures) if is_any_readable else ()
