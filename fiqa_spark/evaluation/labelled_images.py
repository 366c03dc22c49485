"""The images of several label sets, put together by their keys."""

from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.label_sets import has_every_label, quality_columns, with_identity
from fiqa_spark.inputs import keys


class LabelledImages(NamedTuple):
    """Images with their quality in every label set."""

    table: DataFrame
    """`key`, `path`, `identity` (null if none), `identity_hash`, `image_hash`, and a column `quality_<i>` a set, null
    where the set has none. Kept until it is unpersisted."""
    counts: dict
    """``images``, of all sets together; ``labelled``, those that have a label in every set."""


def labelled_images(sets, settings):
    """Put label sets together: a row for every key that occurs in any.

    Parameters
    ----------
    sets : list of LabelSet
    settings : EvaluationSettings
        `image_root`, `id_key_index` for sets that do not tell identities, `seed`.

    Returns
    -------
    LabelledImages

    Raises
    ------
    InputError
        If a set has two labels for one key, has none at all, the same for all images, or no image has a label in
        every set.
    """
    names = quality_columns(len(sets))
    rows = [_rows_of(labels, number, settings) for number, labels in enumerate(sets)]
    union = rows[0]
    for more in rows[1:]:
        union = union.unionByName(more)
    aggregates = [F.min(schemas.PATH).alias(schemas.PATH), F.min("ranked").alias("ranked")]
    for number, name in enumerate(names):
        of_set = F.when(F.col("number") == number, F.col(schemas.QUALITY))
        aggregates += [F.max(of_set).alias(name), F.min(of_set).alias(f"least_{name}")]
    images = union.groupBy(schemas.KEY).agg(*aggregates).withColumn(schemas.IDENTITY, F.col("ranked")[schemas.IDENTITY])
    hashes = {
        # An image without identity is one of its own.
        schemas.IDENTITY_HASH: keys.seeded_hash(settings.seed, F.coalesce(schemas.IDENTITY, schemas.KEY)),
        schemas.IMAGE_HASH: keys.seeded_hash(settings.seed, schemas.KEY),
    }
    table = images.drop("ranked").withColumns(hashes).persist(StorageLevel.MEMORY_AND_DISK)
    counts = _checked(table, sets, names)
    return LabelledImages(table.drop(*[f"least_{name}" for name in names]), counts)


def _rows_of(labels, number, settings):
    """Rows of a set with their key, the set's number, and the identity with the rank of who tells it."""
    identity = F.col(schemas.IDENTITY)
    # What a set says of the identity counts before what the path says, and an earlier set before a later one.
    rank = F.when(F.col("told"), number).otherwise(number + (1 << 16))
    ranked = F.when(identity.isNotNull(), F.struct(rank.alias("rank"), identity.alias(schemas.IDENTITY)))
    keyed = keys.with_key(with_identity(labels, settings.id_key_index), settings.image_root)
    return keyed.select(
        schemas.KEY, schemas.PATH, ranked.alias("ranked"), F.lit(number).alias("number"), schemas.QUALITY
    )


def _checked(table, sets, names):
    """Counts of images, once it is sure that the sets can be compared."""
    everywhere = has_every_label(names)
    aggregates = [F.count("*").alias("images"), F.count_if(everywhere).alias("labelled")]
    for name in names:
        quality, key = F.col(name), F.col(schemas.KEY)
        of_compared = F.when(everywhere, quality)
        of_set = {
            "count": F.count(quality),
            "key": F.min(F.when(quality.isNotNull(), key)),
            "twice": F.min(F.when(quality != F.col(f"least_{name}"), key)),
            "low": F.min(of_compared),
            "high": F.max(of_compared),
        }
        aggregates.append(F.struct(*[column.alias(what) for what, column in of_set.items()]).alias(name))
    seen = table.agg(*aggregates).first()
    for labels, name in zip(sets, names, strict=True):
        if seen[name].twice is not None:
            raise InputError(
                f"{labels.place}: two different labels for the key {seen[name].twice!r}, and which one is meant cannot "
                "be told; keep one"
            )
        if not seen[name]["count"]:
            raise InputError(f"{labels.place}: no image has a label there; give a set in which some have one")
    if not seen["labelled"]:
        shown = ", ".join(f"{seen[name].key!r} in {labels.name}" for labels, name in zip(sets, names, strict=True))
        raise InputError(
            f"--labels: no image has a label in every set, keys are such as {shown}; compare sets of the same images, "
            "and set --image-root so that the keys below it agree"
        )
    for labels, name in zip(sets, names, strict=True):
        if seen[name].low == seen[name].high:
            raise InputError(
                f"{labels.place}: all {seen['labelled']} labels are {seen[name].low:g}, by which nothing can be "
                "discarded; give labels that differ"
            )
    return {"images": seen["images"], "labelled": seen["labelled"]}
