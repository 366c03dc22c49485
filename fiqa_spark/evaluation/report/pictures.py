"""Small pictures of images, read from their files below the image root."""

from collections.abc import Iterable

from py4j.protocol import Py4JJavaError

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.report.thumbnails import thumbnail
from fiqa_spark.runtime.storage import Storage

# A face is far smaller; what is larger is no image of one.
_FILE_BYTES_AT_MOST = 32 << 20


def pictures(storage: Storage, image_root: str, paths: Iterable[str]) -> dict[str, bytes]:
    """JPEG of every image whose file can be read, by its path, each of which is read once.

    Parameters
    ----------
    storage, image_root
        As for `picture`.
    paths : iterable of str
        Paths of images, as the list has them, some of them several times.
    """
    read = ((path, picture(storage, image_root, path)) for path in dict.fromkeys(paths))
    return {path: jpeg for path, jpeg in read if jpeg}


def picture(storage: Storage, image_root: str, path: str) -> bytes | None:
    """JPEG of an image file, or None if it cannot be read.

    Parameters
    ----------
    storage : Storage
        Where the image file lies.
    image_root : str
        Folder that the image files lie in; none are read without it, and none outside.
    path : str
        Path of the image, as the list has it.
    """
    if not image_root:
        return None
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
