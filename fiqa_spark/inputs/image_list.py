"""Image list to DataFrame: one row for every distinct path, with its identity and key."""

import logging
from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, Observation, SparkSession, Window
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.list_forms import ListForm, recognised
from fiqa_spark.inputs.parquet_columns import read_list_columns
from fiqa_spark.inputs.repeated_keys import check_keys_differ, facts_of_paths
from fiqa_spark.inputs.settings import ImageSettings, PathSettings
from fiqa_spark.inputs.text_files import first_lines, mean_line_bytes
from fiqa_spark.inputs.text_lines import is_unusable, is_utf8, lines_of, listed_paths, unusable
from fiqa_spark.runtime.storage import Storage

_log = logging.getLogger("fiqa_spark")
_PATHS_FOR_ADVICE = 1000
_FIRST_IDENTITY, _LAST_IDENTITY = "first_identity", "last_identity"
LIST_ROWS, IDENTIFIED, IN_KEYS = "list_rows", "identified", "identities_in_keys"
"""Facts of a list: its rows, whether any image has an identity, and whether all identity keys are of identities."""
LIST_TEXT, LIST_PARQUET = "list.txt", "list.parquet"
"""The list in the folder that a selection writes: one of the two."""
_BESIDE_SELECTED = ("dropped", "summary.json")
IN_ORDER = (schemas.IMAGE_HASH, schemas.KEY, schemas.PATH)
"""Columns of the order in which images are drawn: path and key settle ties."""
# What is known of the first images of a list.
_OF_FIRST = (*IN_ORDER, schemas.KEY_HASH, schemas.IDENTITY, schemas.IDENTITY_HASH)


class CheckedList(NamedTuple):
    """What a checked image list holds."""

    list_rows: int
    """Rows of the list, those whose path occurred before included."""
    identities_in_keys: bool
    """Whether each image's identity key is that of its identity."""
    first: pd.DataFrame
    """The images of the smallest hashes, in their order, each path once."""


def read_paths(spark: SparkSession, storage: Storage, path: str) -> DataFrame:
    """Paths of an image list, in order, repeats and all.

    Parameters
    ----------
    path : str
        UTF-8 text, one image a line, in one of the forms of `list_forms`; Parquet with `path` and perhaps `identity`;
        or the folder that a selection wrote.

    Returns
    -------
    DataFrame
        `path`, without blanks around it and with '/' between its parts, and `identity` if the list has that column;
        blank lines are left out, and a row of Parquet without a path ends the job, see `keys.required_path`. What
        `check_listed` or `check_images` refuses is among them.

    Raises
    ------
    InputError
        If there is no such list, a Parquet list has no column `path`, or a text holds no paths or has no one meaning.
    """
    if not storage.exists(path):
        raise InputError("no such file", path=path, remedy="give the list of images, one path a line")
    storage.check_no_pipe(path)
    path = place_of_list(storage, path)
    table = read_list_columns(spark, storage, path)
    if table is not None:
        tidy = table.withColumn(schemas.PATH, keys.as_listed(F.col(schemas.PATH)))
        return tidy.withColumn(schemas.PATH, keys.required_path(F.col(schemas.PATH)))
    example = _example(storage, path)
    form = recognised(first_lines(storage, example), path) if example else ListForm()
    if form.told:
        _log.info("list read as %s (%s)", form.told, path)
    return listed_paths(lines_of(spark, storage, path), form)


def place_of_list(storage: Storage, path: str) -> str:
    """Where the list lies: of a folder that a selection wrote, what was selected, and not what was dropped beside it.

    Raises
    ------
    InputError
        If the folder holds two such lists.
    """
    if not storage.is_folder(path):
        return path
    inner = [f"{path.rstrip('/')}/{name}" for name in (LIST_TEXT, LIST_PARQUET, *_BESIDE_SELECTED)]
    lists = [place for place in inner[:2] if storage.exists(place)]
    if not lists or not any(map(storage.exists, inner[2:])):
        return path
    if len(lists) > 1:
        raise InputError(
            f"holds {LIST_TEXT} and {LIST_PARQUET}", path=path, remedy="name the one that lists the images"
        )
    return lists[0]


def _example(storage: Storage, path: str) -> str | None:
    """A file of a list; of several, each is of the same form."""
    return storage.first_file(path, ("",)) if storage.is_folder(path) else path


def rows_about(spark: SparkSession, storage: Storage, path: str) -> int | None:
    """Number of rows that a list which `read_paths` reads seems to have.

    Returns
    -------
    int or None
        Of Parquet the rows; of text as many as if all lines were as long as the first ones, by the bytes of its files;
        None where these are compressed or empty.
    """
    path = place_of_list(storage, path)
    table = read_list_columns(spark, storage, path)
    if table is not None:
        return table.count()
    example = _example(storage, path)
    length = mean_line_bytes(storage, example) if example else None
    return int(storage.size(path) / length) if length else None


def identified_images(paths: DataFrame, settings: ImageSettings, identity_index: int) -> DataFrame:
    """Images with identity, key and the hashes that all draws come from: `with_hashes` of `with_identities`."""
    return with_hashes(with_identities(paths, settings), settings, identity_index)


def with_identities(paths: DataFrame, settings: ImageSettings) -> DataFrame:
    """Images with their identity.

    Parameters
    ----------
    paths : DataFrame
        `path`, and perhaps `identity`, which then wins over `id_key_index`; of several for one path the smallest
        counts.

    Returns
    -------
    DataFrame
        `path`, `list_rows` (how many rows of the list stand in this one), `identity` (null if there is none). A path
        may come in several rows, each with the same identity.
    """
    path = F.col(schemas.PATH)
    if schemas.IDENTITY in paths.columns:
        smallest = F.nullif(F.min(F.col(schemas.IDENTITY).cast("string")), F.lit(""))
        images = paths.groupBy(path).agg(F.count("*").alias(schemas.LIST_ROWS), smallest.alias(schemas.IDENTITY))
        # An identity that is not UTF-8 is told in place of its path, which then is not either.
        return images.withColumn(
            schemas.PATH, F.when(~is_utf8(schemas.IDENTITY), F.col(schemas.IDENTITY)).otherwise(path)
        )
    identity = keys.identity(path, settings.id_key_index)
    return paths.select(path, F.lit(1).cast("long").alias(schemas.LIST_ROWS), identity.alias(schemas.IDENTITY))


def with_hashes(images: DataFrame, settings: ImageSettings, identity_index: int) -> DataFrame:
    """Images with their key and hashes.

    Parameters
    ----------
    images : DataFrame
        From `with_identities`.
    identity_index : int
        Part of the key by which images and features are brought together, see `keys.identity_key`.

    Returns
    -------
    DataFrame
        With `key`, `identity_key`, `key_hash`, `image_hash`, `identity_hash`.
    """
    key = F.col(schemas.KEY)
    return keys.with_key(images, settings.image_root).withColumns(
        {
            schemas.IDENTITY_KEY: keys.identity_key(key, identity_index),
            schemas.KEY_HASH: F.xxhash64(key),
            schemas.IMAGE_HASH: keys.seeded_hash(settings.seed, schemas.KEY),
            schemas.IDENTITY_HASH: keys.seeded_hash(settings.seed, schemas.IDENTITY),
        }
    )


def index_in_key(paths: DataFrame, settings: PathSettings) -> int:
    """The index of the identity among the parts of a key, where `id_key_index` counts those of a path."""
    index = settings.id_key_index
    known = paths.select(schemas.PATH).where(F.col(schemas.PATH).isNotNull())
    first = keys.with_key(known, settings.image_root).head(1) if index >= 0 else ()
    return index - (first[0][0].count("/") - first[0][1].count("/")) if first else index


def check_images(
    images: DataFrame, settings: ImageSettings, count: int, *, several_identities: bool = True
) -> CheckedList:
    """Read the list once: count its rows, find its first images, and refuse a list that cannot be used.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    count : int
        Rows to take the first images from, those that have an identity and the smallest hashes; at least 1.
    several_identities : bool
        Whether a list of one identity is refused.

    Raises
    ------
    InputError
        As of `checked_list`.
    """
    # Facts are gathered while the first images are looked for, so that the list is read once for both.
    observed, observation = observed_images(images, several_identities=several_identities)
    first = first_images(observed.where(F.col(schemas.IDENTITY).isNotNull()), count)
    return checked_list(images, observation.get, first, settings)


def observed_images(images: DataFrame, *, several_identities: bool = True) -> tuple[DataFrame, Observation]:
    """The same images, and the facts that `checked_list` needs, which are there once all rows have been computed.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    several_identities : bool
        Whether a list of one identity shall be refused.
    """
    identity = F.col(schemas.IDENTITY)
    facts = [*_facts_of_lines(), F.min(_is_identity_in_key()).alias(IN_KEYS)]
    if several_identities:
        # By their hashes, as keeping the first and last of texts takes longer.
        known = F.when(identity.isNotNull(), F.col(schemas.IDENTITY_HASH))
        facts += [F.min(known).alias(_FIRST_IDENTITY), F.max(known).alias(_LAST_IDENTITY)]
    observation = Observation()
    return images.observe(observation, *facts), observation


def _facts_of_lines() -> list[Column]:
    path = F.col(schemas.PATH)
    return [
        F.sum(schemas.LIST_ROWS).alias(LIST_ROWS),
        F.sum(F.when(path.isNull(), F.col(schemas.LIST_ROWS))).alias("without_path"),
        F.max(F.col(schemas.IDENTITY).isNotNull()).alias(IDENTIFIED),
        F.min(F.when(is_unusable(schemas.PATH), path)).alias("unusable"),
        F.min(F.when(keys.may_be_odd(path) & keys.climbs(path), path)).alias("climbing"),
        *facts_of_paths(),
    ]


def _is_identity_in_key() -> Column:
    return F.xxhash64(F.coalesce(schemas.IDENTITY, schemas.KEY)) == F.col(schemas.IDENTITY_KEY)


def facts_of_images(images: DataFrame) -> dict[str, Any]:
    """The facts of images that `check_lines` needs, and whether identity keys are those of identities."""
    [facts] = images.agg(*_facts_of_lines(), F.min(_is_identity_in_key()).alias(IN_KEYS)).collect()
    return facts.asDict()


def checked_list(images: DataFrame, facts: dict[str, Any], first: pd.DataFrame, settings: ImageSettings) -> CheckedList:
    """What a list holds; refuse one that cannot be used.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    facts : dict
        Of these images, from `observed_images`.
    first : DataFrame of pandas
        From `first_images`.

    Raises
    ------
    InputError
        As of `check_lines`, or if all paths have the same identity where there must be several.
    """
    list_rows = check_lines(images, facts, settings)
    if _FIRST_IDENTITY in facts and facts[_FIRST_IDENTITY] == facts[_LAST_IDENTITY]:
        [[only]] = images.select(F.min(schemas.IDENTITY)).collect()
        paths = [row.path for row in images.select(schemas.PATH).limit(_PATHS_FOR_ADVICE).collect()]
        raise _one_identity(only, paths, settings.id_key_index)
    return CheckedList(list_rows, facts[IN_KEYS], first)


def check_lines(images: DataFrame, facts: dict[str, Any], settings: ImageSettings) -> int:
    """Refuse a list with lines that cannot be used, and tell how many there are.

    Parameters
    ----------
    images : DataFrame
        From `identified_images`.
    facts : dict
        Of these images, from `facts_of_images` or `observed_images`.

    Raises
    ------
    InputError
        If the list is empty, it is not UTF-8, a line is of another form than the first, a path climbs out of its root,
        no path has an identity, or several paths have one key.
    """
    _check(facts, images, settings)
    check_keys_differ(images, facts)
    return facts[LIST_ROWS]


def first_images(images: DataFrame, count: int, per_identity: int | None = None) -> pd.DataFrame:
    """The images in the first so many rows by their hash, each path once, as a pandas frame in that order.

    With `per_identity`, rows that are not of the first so many images of their identity do not count.
    """
    rows = images.select(*_OF_FIRST)
    if per_identity:
        in_identity = Window.partitionBy(schemas.IDENTITY_HASH, schemas.IDENTITY).orderBy(*IN_ORDER)
        # Rows of one path have one rank.
        ranked = rows.withColumn("rank", F.dense_rank().over(in_identity))
        rows = ranked.where(F.col("rank") <= per_identity).select(*_OF_FIRST)
    first = rows.orderBy(*IN_ORDER).limit(count).collect()
    return pd.DataFrame(first, columns=_OF_FIRST, dtype=object).drop_duplicates(schemas.PATH, ignore_index=True)


def few_of_each(first: pd.DataFrame, per_identity: int | None) -> pd.DataFrame:
    """Those of the images from `first_images` that are of the first so many of their identity; all for None."""
    if not per_identity:
        return first
    return first[first.groupby(schemas.IDENTITY).cumcount() < per_identity].reset_index(drop=True)


def _check(facts: dict[str, Any], images: DataFrame, settings: ImageSettings) -> None:
    """Raise InputError for what a list holds."""
    if not facts[LIST_ROWS]:
        raise InputError("no image in the list", setting="image_list_file", remedy="it must hold one path a line")
    if facts["without_path"]:
        raise InputError(
            f"{facts['without_path']} of {facts[LIST_ROWS]} rows have no path",
            setting="image_list_file",
            remedy="leave them out, as in images.where(\"trim(path) <> ''\")",
        )
    if facts["unusable"] is not None:
        raise unusable(facts["unusable"], setting="image_list_file")
    if facts["climbing"] is not None:
        raise InputError(
            f"path {facts['climbing']!r} climbs out of its root",
            setting="image_list_file",
            remedy="remove its '..' parts",
        )
    if not facts[IDENTIFIED]:
        raise _index_out_of_range(images.select(F.min(schemas.PATH)).collect()[0][0], settings.id_key_index)


def _index_out_of_range(path: str, index: int) -> InputError:
    parts = path.count("/") + 1
    text = f"path {path!r} has {f'{parts} parts' if parts > 1 else 'no folder'}"
    remedy = "use -2 for the parent folder" if parts > 1 else "list paths as identity/name"
    return InputError(text, setting="id_key_index", value=index, remedy=remedy)


def _one_identity(only: str, paths: list[str], index: int) -> InputError:
    """The error of a list of one identity, with an index that tells the paths into several groups if there is one."""
    text = f"every image has the identity {only!r}, as in {min(paths)!r}; labels need at least two"
    remedy = "list the images of others too"
    shortest = min(path.count("/") + 1 for path in paths)
    for other in range(-2, -shortest - 1, -1):
        identities = {path.split("/")[other] for path in paths}
        if 1 < len(identities) < max(len(paths), 3):
            remedy = f"use {other}, which gives {sorted(identities)[0]!r} and others"
            break
    return InputError(text, setting="id_key_index", value=index, remedy=remedy)
