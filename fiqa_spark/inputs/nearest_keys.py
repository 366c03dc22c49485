"""Keys that nearly meet: the one of the features that a key of the list is most like, and what differs."""

import difflib
import re
import unicodedata
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.runtime.frames_by_arrow import distributed

_DRAWN = "drawn"
_CANDIDATES = 1000
_ROOTS = "set `image_root` and `feature_root` so that the keys below them agree"
_RENAME = "rename those of one side"


class Difference(NamedTuple):
    """What keeps two keys apart."""

    text: str
    """A clause such as ``they differ by case``; empty if there is no plain word for it."""
    remedy: str


def difference(listed: str, feature: str) -> Difference:
    """What differs between a key of the list and one of the features, if that has a name."""
    forms = [_unicode_form(key) for key in (listed, feature)]
    for text, alike in (
        (f"they differ by Unicode form, {forms[0]} and {forms[1]}", lambda key: unicodedata.normalize("NFC", key)),
        ("they differ by case", lambda key: unicodedata.normalize("NFC", key).casefold()),
        ("they differ by blanks", lambda key: "".join(key.split())),
        ("they differ by '\\' for '/'", lambda key: key.replace("\\", "/")),
    ):
        if alike(listed) == alike(feature):
            return Difference(text, _RENAME)
    longer, shorter = sorted((listed, feature), key=len, reverse=True)
    of_longer = "list" if longer == listed else "features"
    if longer.startswith(f"{shorter}."):
        return Difference(f"that of the {of_longer} has the ending {longer[len(shorter) :]!r}", _RENAME)
    if longer.endswith(f"/{shorter}"):
        text = f"that of the {of_longer} begins with {longer[: -len(shorter)]!r}"
        return Difference(text, "set `image_root` or `feature_root` to the folder that ends there")
    if longer == listed and re.search(rf"[^\w./-]{re.escape(shorter)}\Z", longer):
        text = f"that of the list begins with {longer[: -len(shorter)]!r}"
        return Difference(text, "keep the path alone in its line")
    return Difference("", _ROOTS)


def no_match(listed: str, feature: str) -> InputError:
    """The error of a list and features that have no key in common, by one key of each."""
    found = difference(listed, feature)
    text = f"no feature matched an image; list key {listed!r}, feature key {feature!r}"
    return InputError("; ".join(filter(None, (text, found.text))), setting="feature_root", remedy=found.remedy)


def nearest_key(features: DataFrame, listed: str) -> str | None:
    """The key that is most like one of the list; None if there are no features.

    Parameters
    ----------
    features : DataFrame
        Column `key`; read once, or twice where nothing is much like it.
    """
    features = _computed_keys(features)
    skeleton, wanted = _skeleton(F.col(schemas.KEY)), features.select(_skeleton(F.lit(listed))).head(1)
    if not wanted:
        return None
    [[like]] = wanted
    below = F.endswith(skeleton, F.lit(f"/{like}")) | F.endswith(F.lit(like), F.concat(F.lit("/"), skeleton))
    found = features.where((skeleton == like) | below | F.startswith(skeleton, F.lit(f"{like}.")))
    keys = [row[0] for row in found.select(schemas.KEY).limit(_CANDIDATES).collect()]
    if not keys:
        return features.agg(F.min(schemas.KEY)).collect()[0][0]
    # Ties go to the smaller one, so that a message does not depend on the order of rows.
    return max(sorted(keys), key=lambda key: difflib.SequenceMatcher(None, listed, key, autojunk=False).ratio())


def pair_alike(features: DataFrame, paths: list[str], image_root: str) -> tuple[str, str] | None:
    """A key of the list and one of the features that differ by what a person hardly sees, if there are such.

    Parameters
    ----------
    features : DataFrame
        Column `key`; read once.
    paths : list of str
        Of images of the list whose keys no feature has.
    image_root : str
        Folder that paths may begin with; may be empty.
    """
    if not paths:
        return None
    spark, key, skeleton = features.sparkSession, F.col(schemas.KEY), _skeleton(F.col(schemas.KEY))
    # Both as a part of planning, without a task.
    listed = _rows(spark, schemas.PATH, sorted(paths))
    given = [row[0] for row in keys.with_key(listed, image_root).select(key).collect()]
    # An ending that no image has, or what stands behind one, may be too much.
    shorter = _skeleton(F.regexp_extract(key, r"^(.*[^/])\.[^./]*$", 1))
    rows = _rows(spark, schemas.KEY, given).select(key, skeleton, shorter).collect()
    wanted = {row[2]: row[0] for row in rows if row[2]} | {row[1]: row[0] for row in rows}
    some = _computed_keys(features).where(skeleton.isin(*wanted)).select(schemas.KEY, skeleton).limit(_CANDIDATES)
    pairs = sorted((wanted[row[1]], row[0]) for row in some.collect())
    return next((pair for pair in pairs if difference(*pair).text), None)


def _rows(spark: SparkSession, column: str, texts: list[str]) -> DataFrame:
    return distributed(spark, pd.DataFrame({column: texts}, dtype=object), f"{column} string")


def _computed_keys(features: DataFrame) -> DataFrame:
    """The keys, as a step that Spark does not merge with what is asked of them.

    Spark 3.5 would put all that makes a key into every place that uses it, and plan for minutes. No step is merged with
    one that draws random numbers.
    """
    drawn = features.select(schemas.KEY, F.rand(0).alias(_DRAWN))
    return drawn.where(F.col(_DRAWN) < 2).select(schemas.KEY)


def _skeleton(key: Column) -> Column:
    """A key without case, blanks and all letters that have accents: equal for keys that look alike."""
    is_ascii = F.octet_length(key) == F.char_length(key)
    plain = F.when(is_ascii, key).otherwise(F.regexp_replace(key, r"[A-Za-z]\p{M}+|[^\x00-\x7F]", ""))
    return F.lower(F.translate(F.translate(plain, "\\", "/"), " ", ""))


def _unicode_form(key: str) -> str:
    """Name of the form that a text is in."""
    forms = [form for form in ("NFC", "NFD") if unicodedata.is_normalized(form, key)]
    return forms[0] if forms else "neither NFC nor NFD"
