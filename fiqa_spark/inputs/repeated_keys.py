"""Images that share a key: of which of them a feature is, nobody can tell."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys


def facts_of_paths() -> list[Column]:
    """Aggregates over `path` and `key`, by which `check_keys_differ` knows most lists to be sound."""
    path = F.col(schemas.PATH)
    extension = F.substring_index(path, ".", -1)
    cut = F.octet_length(path) - F.octet_length(schemas.KEY)
    # In one number, as keeping the first and last of texts takes longer.
    form = F.xxhash64(extension, cut)
    is_odd = keys.may_be_odd(path) & (
        F.startswith(path, F.lit("./")) | F.contains(path, F.lit("//")) | F.contains(path, F.lit("/./"))
    )
    return [F.min(form).alias("first_form"), F.max(form).alias("last_form"), F.max(is_odd).alias("has_odd_path")]


def check_keys_differ(images: DataFrame, facts: Mapping[str, Any]) -> None:
    """Refuse a list in which several paths have one key.

    Where all paths end in the same extension and lose as many bytes on the way to their keys, keys differ as paths do.
    Only lists of other paths are looked at once more.

    Parameters
    ----------
    images : DataFrame
        `path`, `key` and `key_hash`.
    facts : mapping
        Values of `facts_of_paths`.

    Raises
    ------
    InputError
        With the number of such keys and two paths of one of them.
    """
    if facts["first_form"] == facts["last_form"] and not facts["has_odd_path"]:
        return
    path = F.xxhash64(schemas.PATH)
    of_key = images.groupBy(schemas.KEY_HASH).agg(F.min(path).alias("least"), F.max(path).alias("most"))
    shared = of_key.where("least <> most").agg(F.count("*").alias("keys"), F.min(schemas.KEY_HASH).alias("first"))
    [found] = shared.collect()
    if not found["keys"]:
        return
    of_first = images.where(F.col(schemas.KEY_HASH) == found["first"])
    paths = [row[0] for row in of_first.select(schemas.PATH).distinct().orderBy(schemas.PATH).limit(2).collect()]
    raise InputError(
        f"{found['keys']} {'keys have' if found['keys'] > 1 else 'key has'} several images, such as {paths[0]!r} and "
        f"{paths[1]!r}, and of which one a feature is cannot be told",
        setting="image_list_file",
        remedy="keep one image a key, which is the path without extension",
    )
