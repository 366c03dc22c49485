"""Column expressions for the key on which images and features meet, and for the identity in a path."""

import os
import re
from urllib.parse import unquote, urlparse

from pyspark.sql import functions as F

_EXTENSIONS = "jpe?g|png|bmp|webp|gif|tiff?|p[bgnp]m|jp2|heic|avif|npy"


def key(path, *roots):
    """Key of a path: relative to the first root that it begins with, without image or ``.npy`` extension.

    Parameters
    ----------
    path : Column of string
        Paths with '/' between their parts.
    *roots : str
        Folders that paths may begin with; empty ones are ignored.

    Returns
    -------
    Column of string
        No leading slash, no empty and no '.' parts.
    """
    relative = path
    for prefix in _prefixes(roots):
        relative = F.when(F.startswith(path, F.lit(prefix)), F.substring(path, len(prefix) + 1, 2**31 - 1)).otherwise(
            relative
        )
    relative = F.regexp_replace(relative, r"/(\.?/)+", "/")
    relative = F.regexp_replace(relative, r"^(\.?/)+", "")
    return F.regexp_replace(relative, rf"(?i)(?<=[^/])\.({_EXTENSIONS})$", "")


def climbs(path):
    """True where a path has a part '..', with which it could leave its root."""
    return path.rlike(r"(^|/)\.\.(/|$)")


def identity(path, index):
    """Identity in a path, ``path.split("/")[index]`` as Python means it; null if there is none or it is empty."""
    part = F.try_element_at(F.split(path, "/"), F.lit(index if index < 0 else index + 1))
    return F.nullif(part, F.lit(""))


def cluster(key, index):
    """Number that is the same for all keys of an identity, as far as keys tell it: images and features meet there.

    Parameters
    ----------
    key : Column of string
    index : int
        Part of the key that names the identity; a key without that part is a cluster of its own.

    Returns
    -------
    Column of bigint
    """
    return F.xxhash64(F.coalesce(identity(key, index), key))


def seeded_hash(seed, *columns):
    """64-bit hash of the seed and the columns: the source of every random choice."""
    return F.xxhash64(F.lit(seed).cast("long"), *columns)


def _prefixes(roots):
    """Ways in which a path may begin with one of the roots, each with its final slash; the shortest first."""
    prefixes = set()
    for root in filter(None, roots):
        plain = unquote(urlparse(root).path) if re.match(r"[a-z][a-z0-9+.-]*:/", root) else root
        forms = {root, plain} if plain != root else {root, os.path.abspath(root), "file://" + os.path.abspath(root)}
        prefixes |= {form.rstrip("/") + "/" for form in forms}
    return sorted(prefixes, key=len)
