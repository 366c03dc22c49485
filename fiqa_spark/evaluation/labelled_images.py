"""The images of several label sets, put together by their keys."""

from typing import Any, NamedTuple

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.image_groups import ImageGroups, check_groups, with_groups
from fiqa_spark.evaluation.label_sets import IS_OF_SET, LabelSet, has_every_label, quality_columns, with_identity
from fiqa_spark.evaluation.settings import PRODUCT, EvaluationSettings
from fiqa_spark.inputs import keys

_SET_NUMBER, _RANKED_IDENTITY = "set_number", "ranked_identity"


class LabelledImages(NamedTuple):
    """Images with their quality in every label set."""

    table: DataFrame
    """`key`, `path`, `identity` (null if none), `identity_hash`, `image_hash`, and a column `quality_<i>` a set, null
    where the set has none; `group_number` (int, null for none) where groups are given. Kept."""
    counts: dict[str, int]
    """``images``, of all sets together; ``labelled``, those that have a label in every set."""


def labelled_images(
    sets: list[LabelSet], settings: EvaluationSettings, groups: ImageGroups | None = None
) -> LabelledImages:
    """Put label sets together: a row for every key that occurs in any.

    Parameters
    ----------
    sets : list of LabelSet
        Whose keys agree below `image_root`.
    settings : EvaluationSettings
        `image_root`, `id_key_index` for sets that do not tell identities, `seed`, `pair_quality`.
    groups : ImageGroups, optional
        Groups that the images are to have.

    Raises
    ------
    InputError
        If a set has two labels for one key, has none at all, the same for all images, one below 0 where labels are
        multiplied, or no image has a label in every set; if an image has two groups, or none has any.
    """
    names = quality_columns(len(sets))
    rows = [_rows_of(labels, number, settings) for number, labels in enumerate(sets)]
    union = rows[0]
    for more in rows[1:]:
        union = union.unionByName(more)
    aggregates = [F.min(column).alias(column) for column in (schemas.PATH, _RANKED_IDENTITY)]
    for number, name in enumerate(names):
        of_set = F.when(F.col(_SET_NUMBER) == number, F.col(schemas.QUALITY))
        aggregates += [F.max(of_set).alias(name), F.min(of_set).alias(_lowest(name))]
    identity = F.col(_RANKED_IDENTITY)[schemas.IDENTITY]
    # Shuffled first: a set has one row a key, so that sorting and putting together before would make nothing less.
    images = union.repartition(schemas.KEY).groupBy(schemas.KEY).agg(*aggregates).withColumn(schemas.IDENTITY, identity)
    hashes = {
        # An image without identity is one of its own.
        schemas.IDENTITY_HASH: keys.seeded_hash(settings.seed, F.coalesce(schemas.IDENTITY, schemas.KEY)),
        schemas.IMAGE_HASH: keys.seeded_hash(settings.seed, schemas.KEY),
    }
    table = images.drop(_RANKED_IDENTITY).withColumns(hashes)
    if groups:
        table = with_groups(table, groups)
    table = table.persist(StorageLevel.MEMORY_AND_DISK)
    counts = _checked(table, sets, names, settings)
    if groups:
        table = check_groups(table, groups)
    return LabelledImages(table.drop(*map(_lowest, names)), counts)


def _lowest(name: str) -> str:
    """Column beside a quality column, which holds the highest, that differs where a set has two labels for a key."""
    return f"lowest_{name}"


def _rows_of(labels: LabelSet, number: int, settings: EvaluationSettings) -> DataFrame:
    """Rows of a set with their key, the set's number, and the identity after the rank of its source."""
    identity = F.col(schemas.IDENTITY)
    # What a set says of the identity counts before what the path says, and an earlier set before a later one.
    rank = F.when(F.col(IS_OF_SET), number).otherwise(number + (1 << 16))
    ranked = F.when(identity.isNotNull(), F.struct(rank.alias("rank"), identity.alias(schemas.IDENTITY)))
    keyed = keys.with_key(with_identity(labels, settings.id_key_index), settings.image_root)
    return keyed.select(
        schemas.KEY,
        schemas.PATH,
        ranked.alias(_RANKED_IDENTITY),
        F.lit(number).alias(_SET_NUMBER),
        schemas.QUALITY,
    )


def _checked(table: DataFrame, sets: list[LabelSet], names: list[str], settings: EvaluationSettings) -> dict[str, int]:
    """Counts of images, once it is sure that the sets can be compared."""
    everywhere = has_every_label(names)
    counts = [F.count("*").alias("images"), F.count_if(everywhere).alias("labelled")]
    [row] = table.agg(*counts, *(_facts_of(name, everywhere) for name in names)).collect()
    named = [(labels, row[name]) for labels, name in zip(sets, names, strict=True)]
    for labels, facts in named:
        if facts["twice"] is not None:
            raise InputError(
                f"two different labels for the key {facts['twice']!r}, and which one is meant cannot be told",
                path=labels.path,
                remedy="keep one",
            )
        if not facts["labelled"]:
            raise InputError("no image has a label there", path=labels.path, remedy="give a set in which some have one")
    if not row["labelled"]:
        raise _no_image_in_every_set(named)
    for labels, facts in named:
        if facts["low"] == facts["high"]:
            raise InputError(
                f"all {row['labelled']} labels are {facts['low']:g}, by which nothing can be discarded",
                path=labels.path,
                remedy="give labels that differ",
            )
        if settings.pair_quality == PRODUCT and facts["low"] < 0:
            raise InputError(
                f"the product of two labels has no order where labels are below 0, and the lowest is {facts['low']:g}",
                setting="pair_quality",
                path=labels.path,
                remedy="use min",
            )
    return {"images": row["images"], "labelled": row["labelled"]}


def _facts_of(name: str, everywhere: Column) -> Column:
    """Aggregate of what has to be checked of a set, by the name of its quality column."""
    quality, key = F.col(name), F.col(schemas.KEY)
    of_compared = F.when(everywhere, quality)
    facts = {
        "labelled": F.count(quality),
        "key": F.min(F.when(quality.isNotNull(), key)),
        "twice": F.min(F.when(quality != F.col(_lowest(name)), key)),
        "low": F.min(of_compared),
        "high": F.max(of_compared),
    }
    return F.struct(*[column.alias(fact) for fact, column in facts.items()]).alias(name)


def _no_image_in_every_set(named: list[tuple[LabelSet, Any]]) -> InputError:
    """The error of sets that have no labelled image in common, each with what is known of it."""
    keys_shown = ", ".join(f"{facts['key']!r} in {labels.name}" for labels, facts in named)
    return InputError(
        f"no image has a label in every set, keys are such as {keys_shown}",
        setting="labels",
        remedy="compare sets of the same images, and set `image_root` so that the keys below it agree",
    )
