"""What is found among centres and suspects, as the tables of an audit."""

from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import NothingUsableError
from fiqa_spark.matching.status_counts import ImageCounts, count_columns, counts_in, listed_statuses
from fiqa_spark.methods.identities.learning import Chances
from fiqa_spark.methods.identities.merging import MERGED_HASH, Merged, merged
from fiqa_spark.methods.identities.results import Audit
from fiqa_spark.methods.identities.search import RANK, Vectors, most_alike
from fiqa_spark.methods.identities.settings import AuditSettings

_NAME, _EVIDENCE = "name", "evidence_of_name"
_LOW, _HIGH = "low_hash", "high_hash"
_NO_PAIRS = (
    f"{schemas.IDENTITY_HASH} long, {schemas.IMAGE_HASH} long, {schemas.OTHER_HASH} long, {schemas.SIMILARITY} double, "
    f"{RANK} int"
)


class MemberCounts(NamedTuple):
    """Counts over members."""

    listed: ImageCounts
    centres: int
    """Number of identities that have enough evidence."""
    suspects: int
    """Number of images to be looked for among other identities."""


def member_counts(members: DataFrame) -> MemberCounts:
    """Counts over all images, with the schema `schemas.MEMBERS`.

    Raises
    ------
    NothingUsableError
        If none can be audited.
    """
    [totals] = members.agg(
        *count_columns(schemas.AUDITED_STATUSES),
        F.count(schemas.CENTRE).alias("centres"),
        F.count(schemas.EMBEDDING).alias("suspects"),
    ).collect()
    counts = counts_in(totals, schemas.AUDITED_STATUSES)
    if not counts.statuses[schemas.OK]:
        raise NothingUsableError(
            f"no image can be audited, of {listed_statuses(counts)}", remedy="check `id_key_index` and the features"
        )
    return MemberCounts(counts, totals["centres"], totals["suspects"])


class Thresholds(NamedTuple):
    """How alike what is compared must be."""

    identities: int
    """Number of identities of enough evidence, among which is searched."""
    of_image: float | None
    """Similarity of an image and another identity's centre from which it is suggested; None without identities."""
    of_pair: float | None
    """Similarity of two centres from which they are named; None with fewer than two identities."""


class Searched(NamedTuple):
    """What an audit found."""

    audit: Audit
    """Its tables; `images` lies in partitions by `identity_key`, and has that column too."""
    merged: Merged
    suggested: DataFrame
    """`identity_hash` and `image_hash` of an image, and `other_hash` of the identity that is suggested; kept."""


def searched(
    members: DataFrame,
    counts: MemberCounts,
    others: DataFrame | None,
    chances: Chances,
    dimension: int,
    partitions: int,
    settings: AuditSettings,
) -> tuple[Thresholds, Searched]:
    """Search among identities: every centre against all others, and every suspect against all centres.

    Parameters
    ----------
    members : DataFrame
        With the schema `schemas.MEMBERS`, kept.
    counts : MemberCounts
        Of these.
    others : DataFrame or None
        As from `centres_of_members`, of identities that the list does not have.
    dimension : int
        Length of a centre.
    partitions : int
        Number of partitions by identity for the images.
    """
    own = centres_of_members(members)
    everybody = own.unionByName(others) if others is not None else own
    names = _names(everybody)
    known = names.count()
    thresholds = _thresholds(known, chances, settings)
    centres = Vectors(_as_vectors(everybody), known)
    rows, columns = (centres, None) if others is None else (Vectors(_as_vectors(own), counts.centres), centres)
    alike = _kept(members, rows, columns, dimension, thresholds.of_pair, settings.candidates)
    suspects = members.where(F.col(schemas.EMBEDDING).isNotNull())
    vectors = suspects.select(schemas.IDENTITY_HASH, schemas.IMAGE_HASH, schemas.EMBEDDING)
    suggested = _kept(members, Vectors(vectors, counts.suspects), centres, dimension, thresholds.of_image, 1)
    pairs = _pairs(alike, names).persist(StorageLevel.MEMORY_AND_DISK)
    merging = merged(pairs)
    named = names.select(F.col(schemas.OTHER_HASH).alias(MERGED_HASH), _NAME)
    renamed = merging.table.join(named, MERGED_HASH).select(
        schemas.IDENTITY_HASH, F.col(_NAME).alias(schemas.MERGED_IDENTITY)
    )
    images = _images(members, suggested, names, partitions, settings)
    audit = Audit(images, _identities(members, alike, names, renamed), _named_pairs(pairs, renamed))
    return thresholds, Searched(audit, merging, suggested)


def centres_of_members(members: DataFrame) -> DataFrame:
    """`identity_hash`, `identity`, `evidence`, `centre` of the identities of the list that have enough evidence."""
    has_centre = members.where(F.col(schemas.CENTRE).isNotNull())
    return has_centre.select(schemas.IDENTITY_HASH, schemas.IDENTITY, schemas.EVIDENCE, schemas.CENTRE)


def _names(centres: DataFrame) -> DataFrame:
    """Name and evidence of every identity by its hash, kept: without vectors they are small, as Spark sees then."""
    return centres.select(
        F.col(schemas.IDENTITY_HASH).alias(schemas.OTHER_HASH),
        F.col(schemas.IDENTITY).alias(_NAME),
        F.col(schemas.EVIDENCE).alias(_EVIDENCE),
    ).persist(StorageLevel.MEMORY_AND_DISK)


def _thresholds(identities: int, chances: Chances, settings: AuditSettings) -> Thresholds:
    of_image = chances.of_image.threshold(settings.chance_image / identities) if identities else None
    of_pair = chances.of_pair.threshold(settings.chance_pair / (identities**2 / 2)) if identities > 1 else None
    return Thresholds(identities, of_image, of_pair)


def _as_vectors(centres: DataFrame) -> DataFrame:
    return centres.select(
        schemas.IDENTITY_HASH,
        F.lit(0).cast("long").alias(schemas.IMAGE_HASH),
        F.col(schemas.CENTRE).alias(schemas.EMBEDDING),
    )


def _kept(
    members: DataFrame, rows: Vectors, columns: Vectors | None, dimension: int, threshold: float | None, most: int
) -> DataFrame:
    """What is alike, kept, as several tables are made of it; nothing where there is nothing to compare."""
    if threshold is None or not rows.size:
        return members.sparkSession.createDataFrame([], _NO_PAIRS)
    return most_alike(rows, columns, dimension, threshold, most).persist(StorageLevel.MEMORY_AND_DISK)


def _pairs(alike: DataFrame, names: DataFrame) -> DataFrame:
    """Pairs of identities, each once: the hashes in the order of the names, with names and evidence."""
    hashes = F.col(schemas.IDENTITY_HASH), F.col(schemas.OTHER_HASH)
    once = alike.select(F.least(*hashes).alias(_LOW), F.greatest(*hashes).alias(_HIGH), schemas.SIMILARITY)
    once = once.groupBy(_LOW, _HIGH).agg(F.max(schemas.SIMILARITY).alias(schemas.SIMILARITY))
    for side in (_LOW, _HIGH):
        one = names.select(
            F.col(schemas.OTHER_HASH).alias(side), F.struct(_NAME, _EVIDENCE, schemas.OTHER_HASH).alias(f"{side}_named")
        )
        once = once.join(one, side)
    low, high = F.col(f"{_LOW}_named"), F.col(f"{_HIGH}_named")
    # By name first, as a struct is compared field by field.
    a, b = F.least(low, high), F.greatest(low, high)
    return once.select(
        a[schemas.OTHER_HASH].alias(schemas.IDENTITY_HASH),
        b[schemas.OTHER_HASH].alias(schemas.OTHER_HASH),
        a[_NAME].alias(schemas.IDENTITY_A),
        b[_NAME].alias(schemas.IDENTITY_B),
        schemas.SIMILARITY,
        a[_EVIDENCE].alias(schemas.EVIDENCE_A),
        b[_EVIDENCE].alias(schemas.EVIDENCE_B),
    )


def _named_pairs(pairs: DataFrame, renamed: DataFrame) -> DataFrame:
    """The pairs with the name that both are to have."""
    return pairs.join(renamed, schemas.IDENTITY_HASH).select(*schemas.IDENTITY_PAIRS.names)


def _identities(members: DataFrame, alike: DataFrame, names: DataFrame, renamed: DataFrame) -> DataFrame:
    """Every identity of the list, with the one that is most like it, if any is alike."""
    nearest = alike.where(F.col(RANK) == 1).join(names, schemas.OTHER_HASH)
    nearest = nearest.select(
        schemas.IDENTITY_HASH,
        F.col(_NAME).alias(schemas.NEAREST_IDENTITY),
        F.col(schemas.SIMILARITY).alias(schemas.NEAREST_SIMILARITY),
    )
    listed = members.where(F.col(schemas.FIRST_OF_IDENTITY) == 1)
    found = listed.join(nearest, schemas.IDENTITY_HASH, "left").join(renamed, schemas.IDENTITY_HASH, "left")
    return found.select(*schemas.AUDITED_IDENTITIES.names)


def _images(
    members: DataFrame, suggested: DataFrame, names: DataFrame, partitions: int, settings: AuditSettings
) -> DataFrame:
    """Every image with its verdict; the images of an identity in one partition, by `identity_key`."""
    named = suggested.join(names, schemas.OTHER_HASH).select(
        # Suspects have an identity.
        F.col(schemas.IDENTITY_HASH).alias(schemas.IDENTITY_KEY),
        schemas.IMAGE_HASH,
        F.col(_NAME).alias(schemas.SUGGESTED_IDENTITY),
        F.col(schemas.SIMILARITY).alias(schemas.SUGGESTED_SIMILARITY),
    )
    has_identity = F.col(schemas.IDENTITY).isNotNull()
    # Images without one have one hash of their identity.
    placed = F.when(has_identity, F.col(schemas.IDENTITY_HASH)).otherwise(F.col(schemas.IMAGE_HASH))
    slim = members.select(
        *(schemas.PATH, schemas.IDENTITY, schemas.STATUS, schemas.MEMBERSHIP, schemas.IMAGE_HASH),
        placed.alias(schemas.IDENTITY_KEY),
    )
    slim, named = (table.repartition(partitions, schemas.IDENTITY_KEY) for table in (slim, named))
    joined = slim.join(named.hint("merge"), [schemas.IDENTITY_KEY, schemas.IMAGE_HASH], "left")
    return joined.withColumn(schemas.VERDICT, _verdict(settings)).select(
        *schemas.AUDITED_IMAGES.names, schemas.IDENTITY_KEY
    )


def _verdict(settings: AuditSettings) -> Column:
    """What is to be thought of an image; null where nothing can be told."""
    membership = F.col(schemas.MEMBERSHIP)
    of_suspect = F.when(F.col(schemas.SUGGESTED_IDENTITY).isNotNull(), schemas.OTHER).otherwise(schemas.UNLIKE)
    of_audited = F.when(membership.isNull(), schemas.ALONE).when(membership >= settings.suspect_below, schemas.OWN)
    return F.when(F.col(schemas.STATUS) == schemas.OK, of_audited.otherwise(of_suspect))
