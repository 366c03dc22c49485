"""Column expressions for the key on which images and features meet, and for the identity in a path."""

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlparse

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError

_EXTENSIONS = (
    *("jpg", "jpeg", "png", "bmp", "webp", "gif", "tif", "tiff"),
    *("pbm", "pgm", "pnm", "ppm", "jp2", "heic", "avif", "npy"),
)
_EXTENSION = "extension of the key"


def with_key(table: DataFrame, *roots: str) -> DataFrame:
    """Rows with the key of their path: relative to the first root that it begins with, without image extension.

    Parameters
    ----------
    table : DataFrame
        Column `path`, with '/' between the parts.
    *roots : str
        Folders that paths may begin with; empty ones are ignored.

    Returns
    -------
    DataFrame
        With `key`: no leading slash, no empty and no '.' parts, no ``.npy``; null for null.
    """
    path, key, extension = F.col(schemas.PATH), F.col(schemas.KEY), F.col(_EXTENSION)
    relative = path
    for prefix in _prefixes(roots):
        relative = F.when(F.startswith(path, F.lit(prefix)), F.substring(path, len(prefix) + 1, 2**31 - 1)).otherwise(
            relative
        )
    # Most paths are clean, and looking for a string costs a fraction of a regular expression.
    begins_oddly = F.startswith(key, F.lit("/")) | F.startswith(key, F.lit("./"))
    odd = begins_oddly | F.contains(key, F.lit("//")) | F.contains(key, F.lit("/./"))
    clean = F.regexp_replace(F.regexp_replace(key, r"/(\.?/)+", "/"), r"^(\.?/)+", "")
    # By bytes, as the cut is at a dot; by characters, every one of them would have to be looked at.
    stem_length = F.octet_length(key) - F.octet_length(extension) - 1
    stem = key.cast("binary").substr(F.lit(1), stem_length).cast("string")
    named = F.lower(extension).isin(*_EXTENSIONS) & (stem_length > 0)
    # Step by step, so that Spark computes once what is used often.
    return (
        table.withColumn(schemas.KEY, relative)
        .withColumn(schemas.KEY, F.when(odd, clean).otherwise(key))
        .withColumn(_EXTENSION, F.substring_index(key, ".", -1))
        .withColumn(schemas.KEY, F.when(named & ~F.endswith(stem, F.lit("/")), stem).otherwise(key))
        .drop(_EXTENSION)
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
    if abs(count) > 1:
        fewer = F.substring_index(path, "/", count - 1 if count > 0 else count + 1)
        part = F.when(F.octet_length(fewer) < F.octet_length(kept), part)
    return F.nullif(part, F.lit(""))


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


def seeded_hash(seed: int, *columns: str | Column) -> Column:
    """64-bit hash of the seed and the columns: the source of every random choice."""
    return F.xxhash64(F.lit(seed).cast("long"), *columns)


def _prefixes(roots: Iterable[str]) -> list[str]:
    """Ways in which a path may begin with one of the roots, each with its final slash; the shortest first."""
    prefixes: set[str] = set()
    for root in filter(None, roots):
        plain = unquote(urlparse(root).path) if re.match(r"[a-z][a-z0-9+.-]*:/", root) else root
        forms = {root, plain} if plain != root else {root, os.path.abspath(root), "file://" + os.path.abspath(root)}
        prefixes |= {form.rstrip("/") + "/" for form in forms}
    return sorted(prefixes, key=len)


def no_match(list_key: str, feature_key: str) -> InputError:
    """The error of a list and features that have no key in common."""
    return InputError(
        f"no feature matched an image; list key {list_key!r}, feature key {feature_key!r}",
        setting="feature_root",
        remedy="set `image_root` and `feature_root` so that the keys below them agree",
    )
