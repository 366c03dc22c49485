"""What a file is that should be text."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import numpy as np
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.text_files import LOOKED_AT_BYTES, lines_in

pytestmark = pytest.mark.lowest_versions

TEXT = b"anna/0.jpg\nben/1.jpg\n"


def test_first_lines_come_without_blanks_of_any_kind_around_them():
    text = "\ufeff anna/0.jpg\u00a0\t\r\n\n \u3000\n\x0cben/1 2.jpg\u2003\u200b\n\ufeff\u202ac/2.jpg\x7f\u00ad"
    assert lines_in(text.encode(), "list.txt") == ("anna/0.jpg", "ben/1 2.jpg", "c/2.jpg")
    assert lines_in(b"", "list.txt") == ()


def test_a_line_that_the_look_cuts_does_not_count_unless_there_is_no_other():
    long = ("é" * LOOKED_AT_BYTES).encode()
    (only,) = lines_in(long[:LOOKED_AT_BYTES], "list.txt")
    assert only.startswith("éé")
    assert lines_in((TEXT + long)[:LOOKED_AT_BYTES], "list.txt") == ("anna/0.jpg", "ben/1.jpg")


def test_gzip_is_looked_into_where_its_name_tells_spark_to_unpack_it():
    assert lines_in(gzip.compress(TEXT), "list.txt.gz") == ("anna/0.jpg", "ben/1.jpg")
    many = gzip.compress(b"".join(b"anna/%d.jpg\n" % number for number in range(100_000)))
    assert lines_in(many[:LOOKED_AT_BYTES], "list.txt.gz")[:2] == ("anna/0.jpg", "anna/1.jpg")


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("list.txt", TEXT)
    return file.getvalue()


def tarred(mode):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        member = tarfile.TarInfo("list.txt")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT))
    return file.getvalue()


def saved():
    file = io.BytesIO()
    np.save(file, np.zeros((3, 4), np.float32))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (zipped(), "list.xlsx", "is a zip archive, as .zip, .xlsx"),
        (tarred("w"), "list.tar", "is a tar archive"),
        (tarred("w:gz"), "list.tar.gz", "is a tar archive"),
        (gzip.compress(TEXT), "list.txt", "is compressed by gzip, and no text; unpack it, or end its name in .gz"),
        (bz2.compress(TEXT), "list.txt", "is compressed by bzip2"),
        (lzma.compress(TEXT), "list.txt.xz", "is compressed by xz"),
        (TEXT, "list.gz", "its name ends in .gz, by which Spark would unpack it"),
        (bz2.compress(TEXT), "list.bz2", "its name ends in .bz2, by which Spark would unpack it; unpack it"),
        (saved(), "list.npy", "is a NumPy array (.npy), and no text"),
        (b"\x0a\x23\xd7\xce\x20\0\0\0", "train.rec", "is MXNet's RecordIO (.rec), and no text; give the .lst"),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0]", "list.pkl", "is a Python pickle"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "0.jpg", "is an image (JPEG)"),
        (b"\x01\0\x02\x03\x04\x05\x06\x07\x08", "list", "not UTF-8 but binary"),
        (
            json.dumps([{"path": "a/0.jpg"}], indent=1).encode(),
            "list.json",
            "is JSON; write CSV with a header, or text",
        ),
        (json.dumps({"images": ["a/0.jpg"]}).encode(), "list.json", "is JSON"),
        (json.dumps(["a/0.jpg", "b/1.jpg"]).encode(), "list.json", "is JSON"),
        (b'{"path": "a/0.jpg"}\n{"path": "b/1.jpg"}\n', "list.jsonl", "is JSON"),
        (b"anna/0.jpg\rben/1.jpg\r", "list.txt", "its lines end in a carriage return alone"),
        *((TEXT.decode().encode(name), "list.txt", f"not UTF-8 but {name}") for name in ("UTF-16", "UTF-32")),
        (TEXT.decode().encode("utf-16-le"), "list.txt", "not UTF-8 but UTF-16; convert it, with iconv -f UTF-16"),
        (TEXT.decode().encode("utf-16-be"), "list.txt", "not UTF-8 but UTF-16"),
    ],
    # What compressed bytes are depends on the time.
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_what_is_no_text_is_named(content, name, said):
    with pytest.raises(InputError) as refused:
        lines_in(content[:LOOKED_AT_BYTES], f"/data/{name}")
    assert str(refused.value).startswith(f"/data/{name}: {said}")
