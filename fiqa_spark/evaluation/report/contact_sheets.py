"""Contact sheets: small pictures of images, read from their files below the image root."""

from py4j.protocol import Py4JJavaError

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.findings import Findings, Sheet
from fiqa_spark.evaluation.report.thumbnails import thumbnail
from fiqa_spark.runtime.storage import Storage

# A face is far smaller; what is larger is no image of one.
_FILE_BYTES_AT_MOST = 32 << 20


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
        tiles = (tile._replace(jpeg=_picture(storage, image_root, tile.path)) for tile in sheet.thumbnails)
        with_pictures.append(sheet._replace(thumbnails=tuple(tiles)))
    is_any_readable = any(tile.jpeg for sheet in with_pictures for tile in sheet.thumbnails)
    return tuple(with_pictures) if is_any_readable else ()


def _picture(storage: Storage, image_root: str, path: str) -> bytes | None:
    """JPEG of an image file, or None if it cannot be read."""
    try:
        file = _below(storage, image_root, path)
        if file is None or not storage.exists(file) or storage.is_folder(file):
            return None
        content = storage.head(file, _FILE_BYTES_AT_MOST)
    except (InputError, Py4JJavaError):
        # A pipe, a file that may not be read, a name that the file system does not take.
        return None
    return thumbnail(content)


def _below(storage: Storage, image_root: str, path: str) -> str | None:
    """Qualified path of an image file, or None where it would be outside of the image root."""
    root = storage.qualified(image_root).rstrip("/")
    if ".." in path.split("/"):
        return None
    if not path.startswith("/") and ":/" not in path:
        return f"{root}/{path}"
    file = storage.qualified(path)
    return file if file.startswith(f"{root}/") else None
