"""Small pictures of image files for contact sheets."""

import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIZE = 112
"""Pixels of the longer side of a thumbnail."""

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
_QUALITY = 80
# What Pillow's readers let through of a file that is broken, besides its own errors.
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)


def thumbnail(content: bytes, size: int = SIZE) -> bytes | None:
    """Small picture of an image file, turned the way it is to be seen, without any of the file's metadata.

    Parameters
    ----------
    content : bytes
        The file: JPEG, PNG, BMP, WebP, GIF (the first picture), TIFF or PPM.
    size : int
        Pixels of the longer side at most; smaller images keep their size.

    Returns
    -------
    bytes or None
        A JPEG in RGB; None if the file cannot be decoded to its end, or claims more pixels than Pillow deems safe.
    """
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow warns of oddities that do not keep it from reading; a bomb is refused at half of what raises an error.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                # A JPEG is decoded at a fraction of its size, which is several times faster.
                image.draft(None, (2 * size, 2 * size))
                small = _in_colour(image)
        except (*_BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning):
            return None
        small.thumbnail((size, size), reducing_gap=2.0)
        return _as_jpeg(_upright(small))


def _in_colour(image: "Picture") -> "Picture":
    """The image in RGB, over white where it is transparent."""
    from PIL import Image

    if image.mode.startswith("I"):
        # Of 16-bit greys Pillow would show all above 255 as white.
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    opaque = image.convert("RGBA")
    white = Image.new("RGBA", opaque.size, "white")
    white.info = opaque.info
    white.alpha_composite(opaque)
    return white.convert("RGB")


def _upright(image: "Picture") -> "Picture":
    """The image as its EXIF orientation wants it; as it is where the EXIF data are broken."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except _BROKEN:
        return image


def _as_jpeg(image: "Picture") -> bytes:
    # Pillow would hand on comment and colour profile.
    image.info.clear()
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
