"""Contact sheets: small pictures of images, read from their files below the image root."""

from py4j.protocol import Py4JJavaError

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.report.thumbnails import thumbnail

# A face is far smaller; what is larger is no image of one.
_FILE_BYTES_AT_MOST = 32 << 20


def with_pictures(findings, storage, image_root):
    """Findings whose contact sheets hold the pictures of their images.

    Parameters
    ----------
    findings : Findings
    storage : Storage
    image_root : str
        Folder that the image files lie in; none are read without it, and none outside.

    Returns
    -------
    Findings
        A label set of which no image file can be read has no sheets.
    """
    profiles = [profile._replace(sheets=_read(profile.sheets, storage, image_root)) for profile in findings.profiles]
    return findings._replace(profiles=tuple(profiles))


def _read(sheets, storage, image_root):
    """The sheets with their pictures, none if no image file can be read."""
    if not image_root:
        return ()
    read = tuple(
        sheet._replace(
            thumbnails=tuple(tile._replace(jpeg=_picture(storage, image_root, tile.path)) for tile in sheet.thumbnails)
        )
        for sheet in sheets
    )
    return read if any(tile.jpeg for sheet in read for tile in sheet.thumbnails) else ()


def _picture(storage, image_root, path):
    """JPEG of an image file, or None if it cannot be read."""
    place = _below(storage, image_root, path)
    try:
        if place is None or not storage.exists(place) or storage.is_folder(place):
            return None
        content = storage.head(place, _FILE_BYTES_AT_MOST)
    except (InputError, Py4JJavaError):
        # A pipe, a file that may not be read, a name that the file system does not take.
        return None
    return thumbnail(content)


def _below(storage, image_root, path):
    """Place of an image file, or None where it would be outside of the image root."""
    root = storage.qualified(image_root).rstrip("/")
    if ".." in path.split("/"):
        return None
    if not path.startswith("/") and ":/" not in path:
        return f"{root}/{path}"
    place = storage.qualified(path)
    return place if place.startswith(f"{root}/") else None
