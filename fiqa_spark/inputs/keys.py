"""Column expressions for the key on which images and features meet, and for the identity in a path."""

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlparse

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DecimalType, DoubleType, FloatType, MapType, StructType, UserDefinedType

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.runtime.spark_failures import WITHOUT_PATH, WITHOUT_PATH_IN_FILE

_EXTENSIONS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "apng", "bmp", "dib", "webp", "gif", "tif", "tiff", "tga"),
    *("pbm", "pgm", "pnm", "ppm", "jp2", "j2k", "jpx", "jxl", "heic", "heif", "hif", "avif"),
    *("mp4", "mov", "avi", "mkv", "webm", "npy"),
)
# Of a letter that is one byte in lower case.
_LETTER_BYTES = 3
_EXTENSION, _IS_TIDY = "extension of the key", "key has no odd part"
EXTENSION_PATTERN = rf"\.(?i:{'|'.join(_EXTENSIONS)})"
"""An extension that a key does without; a regular expression for Python and Java."""
# What is not seen at either end of a line: white space of any kind, control characters, soft hyphens, empty letters,
# marks of zero width and of the writing direction.
BLANK_PATTERN = (
    r"[\s\x01-\x1f\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff]"
)
"""A blank of any kind; a regular expression for Python and Java."""
_WITHOUT_BLANKS = rf"^{BLANK_PATTERN}*([\s\S]*[^{BLANK_PATTERN[1:]})"
# A drive, or the two backslashes before the name of a server.
ON_WINDOWS_PATTERN = r"^(?:[A-Za-z]:(?:[\\/]|$)|\\\\)"
_NO_IDENTITIES = (ArrayType, MapType, StructType, UserDefinedType)
# Up to here a double holds every whole number.
_WHOLE_AT_MOST = 2**53
_WITH_BACKSLASHES = r"^(?:[A-Za-z]:[\\/]|\\\\|[^/\\]*\\[^/]*$)"


def with_key(table: DataFrame, *roots: str) -> DataFrame:
    """Rows with the key of their path: relative to the first root that it begins with, without image extension.

    Parameters
    ----------
    table : DataFrame
        Column `path`, with '/' between the parts, or as Windows writes it.
    *roots : str
        Folders that paths may begin with; empty ones are ignored.

    Returns
    -------
    DataFrame
        With `key`: no leading slash, no empty and no '.' parts, no ``.npy``, no blanks around it; null for null.
    """
    path, key, extension, is_tidy = F.col(schemas.PATH), F.col(schemas.KEY), F.col(_EXTENSION), F.col(_IS_TIDY)
    relative = key
    for prefix in _prefixes(roots):
        relative = F.when(F.startswith(key, F.lit(prefix)), F.substring(key, len(prefix) + 1, 2**31 - 1)).otherwise(
            relative
        )
    # Most paths are tidy, and looking for a string costs a fraction of a regular expression.
    begins_oddly = F.startswith(key, F.lit("/")) | F.startswith(key, F.lit("./"))
    odd = begins_oddly | F.contains(key, F.lit("//")) | F.contains(key, F.lit("/./"))
    clean = F.regexp_replace(F.regexp_replace(key, r"/(\.?/)+", "/"), r"^(\.?/)+", "")
    of_tidy = F.when(F.startswith(key, F.lit("/")), F.substring(key, 2, 2**31 - 1)).otherwise(key)
    # By bytes, as the cut is at a dot; by characters, every one of them would have to be looked at.
    stem_length = F.octet_length(key) - F.octet_length(extension) - 1
    stem = key.cast("binary").substr(F.lit(1), stem_length).cast("string")
    has_stem = (stem_length > 0) & (is_tidy | ~F.endswith(stem, F.lit("/")))
    # Step by step, so that Spark computes once what is used often.
    return (
        table.withColumn(schemas.KEY, F.when(is_bare(path), path).otherwise(trimmed(path)))
        .withColumn(_IS_TIDY, ~(may_be_odd(key) | F.contains(key, F.lit("\\"))))
        .withColumn(schemas.KEY, F.when(is_tidy, key).otherwise(with_slashes(key)))
        .withColumn(schemas.KEY, relative)
        .withColumn(schemas.KEY, F.when(is_tidy, of_tidy).when(odd, clean).otherwise(key))
        .withColumn(_EXTENSION, F.substring_index(key, ".", -1))
        .withColumn(schemas.KEY, F.when(_has_extension() & has_stem, stem).otherwise(key))
        .drop(_EXTENSION, _IS_TIDY)
    )


def required_path(path: Column, *, file: Column | None = None) -> Column:
    """The same path; a row that has none ends the job with an InputError, as its image or feature would be lost.

    Parameters
    ----------
    path : Column of string
    file : Column of string, optional
        Address of the file that a row comes from, to be named.
    """
    text = F.lit(WITHOUT_PATH) if file is None else F.concat(F.lit(WITHOUT_PATH_IN_FILE), file, F.lit("\t"))
    return F.when(path != "", path).otherwise(F.raise_error(text).cast("string"))


def is_bare(text: Column) -> Column:
    """True for most texts without blanks around them: comparing bytes costs a fraction of a regular expression."""
    last = text.cast("binary").substr(-1, 1)
    return (text >= "!") & (text < "\x7f") & (last > F.lit(b" ")) & (last < F.lit(b"\x7f"))


# Both name the path few times: Spark puts expressions into one another, and their size is the product of these.
def trimmed(text: Column) -> Column:
    """Text without blanks of any kind around it; null for null."""
    return F.regexp_extract(text, _WITHOUT_BLANKS, 1)


def with_slashes(path: Column) -> Column:
    """Path with '/' between its parts where a drive, a server or the lack of any '/' says that it is Windows'."""
    are_of_windows = F.contains(path, F.lit("\\")) & path.rlike(_WITH_BACKSLASHES)
    return F.when(are_of_windows, F.translate(path, "\\", "/")).otherwise(path)


def as_listed(path: Column) -> Column:
    """Path as a list has it once it is read: without blanks around it, and with '/' between its parts."""
    return with_slashes(F.when(is_bare(path), path).otherwise(trimmed(path)))


def may_be_odd(path: Column) -> Column:
    """True for few paths, among them all that have empty parts, '.' or '..', but at the start an empty one."""
    return F.startswith(path, F.lit(".")) | F.contains(path, F.lit("/.")) | F.contains(path, F.lit("//"))


def _has_extension() -> Column:
    """True where the extension of a key is one that it does without, in upper or lower case."""
    of_images, most = ", ".join(map(repr, _EXTENSIONS)), _LETTER_BYTES * max(map(len, _EXTENSIONS))
    # `lower` reads the tables of all languages, for half a second: hardly any row needs it. In words, as PySpark asks
    # Java for each constant.
    return F.expr(
        f"`{_EXTENSION}` in ({of_images}, {of_images.upper()})"
        f" or octet_length(`{_EXTENSION}`) <= {most} and lower(`{_EXTENSION}`) in ({of_images})"
    )


def climbs(path: Column) -> Column:
    """True where a path has a part '..', with which it could leave its root."""
    return path.rlike(r"(^|/)\.\.(/|$)")


def identity(path: Column, index: int) -> Column:
    """Identity in a path, ``path.split("/")[index]`` as Python means it; null if there is none or it is empty."""
    # Cut off from either end, which costs less than splitting the path into all its parts.
    count = index if index < 0 else index + 1
    kept = F.substring_index(path, "/", count)
    part = F.substring_index(kept, "/", -1 if count > 0 else 1)
    if abs(count) == 2:
        part = F.when(F.octet_length(part) < F.octet_length(kept), part)
    elif abs(count) > 2:
        fewer = F.substring_index(path, "/", count - 1 if count > 0 else count + 1)
        part = F.when(F.octet_length(fewer) < F.octet_length(kept), part)
    return F.nullif(part, F.lit(""))


def identity_as_text(table: DataFrame, **blame: str) -> Column:
    """Identities in a column of their own as text, whatever its type.

    pandas makes 42.0 of 42 where another identity is missing: a whole number is written as such. NaN is no identity.

    Parameters
    ----------
    table : DataFrame
        Column `identity`.
    **blame
        Facts for an error: the `setting` or `path` that the table comes from.

    Raises
    ------
    InputError
        If the column holds lists or structs.
    """
    own, kind = F.col(schemas.IDENTITY), table.schema[schemas.IDENTITY].dataType
    text = own.cast("string")
    if isinstance(kind, _NO_IDENTITIES):
        raise InputError(f"'identity' is {kind.simpleString()}", remedy="give identities as text or numbers", **blame)
    if isinstance(kind, DecimalType):
        return F.when(F.floor(own) == own, F.floor(own).cast("string")).otherwise(text)
    if isinstance(kind, (FloatType, DoubleType)):
        is_whole = (F.rint(own) == own) & (F.abs(own) <= _WHOLE_AT_MOST)
        return F.when(~F.isnan(own), F.when(is_whole, own.cast("bigint").cast("string")).otherwise(text))
    return text


def identity_key(key: Column, index: int) -> Column:
    """Number that is the same for all keys of an identity, as far as keys tell it: images and features meet there.

    Parameters
    ----------
    key : Column of string
    index : int
        Part of the key that names the identity; a key without that part stands alone.

    Returns
    -------
    Column of bigint
    """
    return F.xxhash64(F.coalesce(identity(key, index), key))


def bucket(buckets: int) -> Column:
    """Number of the bucket of an `identity_key`, the one that Spark gives to its partition of so many."""
    return F.pmod(F.hash(schemas.IDENTITY_KEY), F.lit(buckets))


def seeded_hash(seed: int, *columns: str | Column) -> Column:
    """64-bit hash of the seed and the columns: the source of every random choice."""
    return F.xxhash64(F.lit(seed).cast("long"), *columns)


def _prefixes(roots: Iterable[str]) -> list[str]:
    """Ways in which a path may begin with one of the roots, each with its final slash; the shortest first."""
    prefixes = {form.rstrip("/") + "/" for root in filter(None, roots) for form in _forms(root)}
    return sorted(prefixes, key=len)


def _forms(root: str) -> set[str]:
    """Ways to write a root."""
    if re.match(ON_WINDOWS_PATTERN, root):
        slashed = root.replace("\\", "/")
        # Windows does not tell the two cases of a drive apart.
        return {slashed[:1].upper() + slashed[1:], slashed[:1].lower() + slashed[1:]}
    if re.match(r"[a-z][a-z0-9+.-]*:/", root):
        return {root, unquote(urlparse(root).path)}
    return {root, root.replace("\\", "/"), os.path.abspath(root), "file://" + os.path.abspath(root)}
