"""Contact sheets: small pictures of images, read from their files below the image root."""

from py4j.protocol import Py4JJavaError

from fiqa_spark.errors import InputError
from fiqa_spark.findings import Sheet, Thumbnail
from fiqa_spark.thumbnails import thumbnail

# A face is far smaller; what is larger is no image of one.
_FILE_BYTES_AT_MOST = 32 << 20


def contact_sheets(storage, image_root, wanted):
    """Contact sheets of images, none if no image file can be read.

    Parameters
    ----------
    storage : Storage
    image_root : str
        Folder that the image files lie in; none are read without it, and none outside.
    wanted : iterable of (str, list of (str, float))
        Title, and paths with their labels.

    Returns
    -------
    tuple of Sheet
    """
    if not image_root:
        return ()
    sheets = tuple(
        Sheet(title, tuple(Thumbnail(path, label, _picture(storage, image_root, path)) for path, label in images))
        for title, images in wanted
    )
    return sheets if any(tile.jpeg for sheet in sheets for tile in sheet.thumbnails) else ()


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
