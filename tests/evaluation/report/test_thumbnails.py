"""Thumbnails of image files, whole, odd and broken."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from fiqa_spark.evaluation.report.thumbnails import SIZE, thumbnail

pytestmark = pytest.mark.filterwarnings("error")


def picture(size=(160, 120), mode="RGB", colour=None):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    made = Image.new("RGB", size, colour) if colour else Image.fromarray(pixels)
    return made.convert("L").convert("I;16") if mode == "I;16" else made.convert(mode)


def encoded(image, kind="JPEG", **options):
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "I;16"),
        ("BMP", "RGB"),
        ("WEBP", "RGB"),
        ("GIF", "P"),
        ("TIFF", "RGB"),
        ("TIFF", "I;16"),
        ("PPM", "RGB"),
        ("PNG", "LA"),
    ],
)
def test_thumbnail_is_a_small_jpeg(kind, mode):
    grey = picture((300, 200), mode, colour=(120, 120, 120))
    with Image.open(io.BytesIO(thumbnail(encoded(grey, kind)))) as small:
        assert (small.format, small.mode, small.size) == ("JPEG", "RGB", (SIZE, 75))
        if mode != "I;16" and mode != "1":
            assert np.abs(np.asarray(small).astype(int) - 120).max() <= 3


def test_grey_of_16_bits_keeps_its_shades():
    shades = np.linspace(0, 65535, 100 * 100).reshape(100, 100).astype(np.uint16)
    with Image.open(io.BytesIO(thumbnail(encoded(Image.fromarray(shades), "PNG")))) as small:
        rows = np.asarray(small)[:, :, 0].mean(axis=1)
    assert rows == pytest.approx(np.linspace(1, 254, 100), abs=3)


def test_thumbnail_is_upright_and_keeps_no_metadata():
    halves = Image.new("RGB", (300, 200), "red")
    halves.paste("blue", (150, 0, 300, 200))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret"
    colours = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = encoded(halves, exif=exif, comment=b"a secret", icc_profile=colours)
    assert content.count(b"a secret") == 2
    written = thumbnail(content)
    with Image.open(io.BytesIO(written)) as small:
        assert small.size == (75, SIZE)
        assert set(small.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        (top, bottom) = (small.getpixel((37, y)) for y in (10, 100))
    assert top[0] > 200 > 60 > top[2]
    assert bottom[2] > 200 > 60 > bottom[0]
    assert b"a secret" not in written


def test_what_is_transparent_is_white_and_small_images_stay_small():
    with Image.open(io.BytesIO(thumbnail(encoded(Image.new("RGBA", (20, 10), (0, 0, 0, 0)), "PNG")))) as small:
        assert small.size == (20, 10)
        assert np.asarray(small).min() >= 253


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM"])
def test_broken_files_give_nothing_and_no_word(kind, capfd):
    whole = encoded(picture(), kind)
    assert thumbnail(whole) is not None
    # A TIFF has its directory at its end or before its pixels.
    assert [thumbnail(whole[:end]) for end in (0, 1, 10, 100, len(whole) // 2)] == [None] * 5
    random = np.random.default_rng(0)
    for _ in range(150):
        spoiled = bytearray(whole)
        for place in random.integers(0, min(len(whole), random.choice((60, 600, 60_000))), 4):
            spoiled[place] = random.integers(256)
        assert (thumbnail(bytes(spoiled)) or b"\xff\xd8").startswith(b"\xff\xd8")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "content", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg xmlns='x'/>", b"\x00" * 5000]
)
def test_what_is_no_image_gives_nothing(content):
    assert thumbnail(content) is None


@pytest.mark.parametrize(
    ("side", "refusal"), [(10_000, Image.DecompressionBombWarning), (50_000, Image.DecompressionBombError)]
)
def test_bombs_are_not_unpacked(side, refusal):
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\r" + header + struct.pack(">I", zlib.crc32(header)) + b"\x00\x00\x00\x00IDAT"
    )
    with pytest.raises(refusal):
        Image.open(io.BytesIO(content))
    assert thumbnail(content) is None
