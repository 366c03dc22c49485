"""What a file that should be text really is, told from its first bytes."""

import json
import re
import zlib

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.keys import BLANK_PATTERN
from fiqa_spark.runtime.storage import Storage

LOOKED_AT_BYTES = 1 << 16
"""Bytes at the beginning of a file that tell its form."""
_UNPACK, _TEXT, _LIST = "unpack it", "write text", "list the images in a text, one path a line"
# Spark unpacks a file by its extension.
_PACKED, _OTHER_PACKED = ".gz", (".bz2", ".zst", ".lz4", ".snappy", ".deflate")
_GZIP = b"\x1f\x8b"
# Where it stands, the bytes, what they tell, the way out. Long enough that no path begins so.
_SIGNATURES = (
    (0, b"PK\x03\x04", "a zip archive, as .zip, .xlsx, .npz and .pt files are", "unpack it, or save it as CSV"),
    (0, _GZIP, "compressed by gzip", "unpack it, or end its name in .gz"),
    (4, b"1AY&SY", "compressed by bzip2", _UNPACK),
    (0, b"\xfd7zXZ", "compressed by xz", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x0a\x23\xd7\xce", "MXNet's RecordIO (.rec)", "give the .lst that it was made from, or unpack its images"),
    (0, b"PAR1\x15", "Parquet", "write CSV with a header"),
    (0, b"\x93NUMPY", "a NumPy array (.npy)", "write the paths as text; features are given by `feature_root`"),
    (0, b"\x89HDF", "HDF5", _TEXT),
    (0, b"SQLite format 3", "an SQLite database", _TEXT),
    (0, b"\xff\xd8\xff", "an image (JPEG)", _LIST),
    (0, b"\x89PNG", "an image (PNG)", _LIST),
    *(
        (0, bytes((0x80, protocol)), "a Python pickle", "write text, as a pickle is never read")
        for protocol in range(2, 6)
    ),
    (0, b"<?xml", "XML", _TEXT),
    (0, b"<!DOCTYPE", "HTML", "download the file itself"),
    (0, b"version https://git-lfs", "a pointer of Git LFS", "fetch the file itself with git lfs pull"),
)
_WIDE_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
# What no path begins with: brackets, and then the quotation mark of a string in them.
_JSON = re.compile(r'\s*[\[{][\[{\s]*"')


def first_lines(storage: Storage, path: str) -> tuple[str, ...]:
    """The first lines of a text file, without blanks around them and without those that are blank.

    Raises
    ------
    InputError
        If it is no text: the error names what it is, and the way out.
    """
    return lines_in(storage.head(path, LOOKED_AT_BYTES), path)


def lines_in(head: bytes, path: str) -> tuple[str, ...]:
    """As `first_lines`, for the first `LOOKED_AT_BYTES` bytes of a file, all bytes if there are fewer."""
    is_whole = len(head) < LOOKED_AT_BYTES
    _check_name(head, path)
    if path.endswith(_PACKED):
        head, is_whole = _unpacked(head), False
    _check_text(head, path)
    lines = head.decode("utf-8", "replace").split("\n")
    # The last line may go on; one that is longer than the look still tells how it begins.
    seen = lines if is_whole or len(lines) == 1 else lines[:-1]
    without_blanks = tuple(filter(None, map(trimmed_text, seen)))
    if len(lines) == 1 and any("\r" in line for line in without_blanks):
        raise InputError("its lines end in a carriage return alone", path=path, remedy="convert it, with mac2unix")
    _check_not_json(without_blanks, path)
    return without_blanks


def mean_line_bytes(storage: Storage, path: str) -> float | None:
    """Mean length of the first lines of a text file, in bytes as they are stored; None if it is compressed or empty."""
    head = storage.head(path, LOOKED_AT_BYTES)
    if path.endswith((_PACKED, *_OTHER_PACKED)) or not head:
        return None
    return len(head) / max(head.count(b"\n"), 1)


def trimmed_text(text: str) -> str:
    """Text without blanks of any kind around it, as `keys.trimmed` has it."""
    return re.sub(rf"\A{BLANK_PATTERN}+|{BLANK_PATTERN}+\Z", "", text)


def _check_name(head: bytes, path: str) -> None:
    """Raise InputError for a name by which Spark would unpack the file, unless it is packed by gzip."""
    packed = next((extension for extension in (_PACKED, *_OTHER_PACKED) if path.endswith(extension)), None)
    if packed and not (packed == _PACKED and head.startswith(_GZIP)):
        text = f"its name ends in {packed}, by which Spark would unpack it"
        raise InputError(text, path=path, remedy="unpack it if it is packed, and name it .txt")


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, LOOKED_AT_BYTES)
    except zlib.error:
        return head


def _check_text(head: bytes, path: str) -> None:
    """Raise InputError for bytes that are no UTF-8 text and that tell what they are."""
    for offset, signature, name, remedy in _SIGNATURES:
        if head.startswith(signature, offset):
            raise InputError(f"is {name}, and no text", path=path, remedy=remedy)
    wide = next((name for mark, name in _WIDE_MARKS if head.startswith(mark)), None)
    if wide is None and b"\0" in head:
        # Of ASCII in UTF-16, which need not begin with a mark, every second byte is zero.
        wide = "UTF-16" if max(head[::2].count(0), head[1::2].count(0)) > len(head) // 4 else "binary"
    if wide:
        remedy = _TEXT if wide == "binary" else f"convert it, with iconv -f {wide} -t UTF-8"
        raise InputError(f"not UTF-8 but {wide}", path=path, remedy=remedy)


def _check_not_json(lines: tuple[str, ...], path: str) -> None:
    """Raise InputError if lines begin a JSON document or are JSON objects."""
    if lines and (_JSON.match("\n".join(lines[:9])) or all(map(_is_json, lines))):
        raise InputError("is JSON", path=path, remedy="write CSV with a header, or text")


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
