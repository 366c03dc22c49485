"""From images and features to memberships, to centres, and to what is found among these: an audit, step by step."""

from collections.abc import Callable
from typing import NamedTuple, cast

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.image_list import CheckedList, check_images, identified_images
from fiqa_spark.kernels.membership_fit import MembershipModel
from fiqa_spark.matching.identity_sample import Drawn, FirstIdentities, check_with_identities
from fiqa_spark.matching.join import Matching, some_missing
from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.methods.identities.learning import Chances, learn_audit
from fiqa_spark.methods.identities.memberships import members
from fiqa_spark.methods.identities.references import AuditReference
from fiqa_spark.methods.identities.settings import AuditSettings, margin_settings
from fiqa_spark.methods.identities.tables import Searched, Thresholds, centres_of_members, member_counts, searched
from fiqa_spark.methods.margin.folds import with_folds
from fiqa_spark.methods.margin.learning import draw, learned_in, reference_of, wanted_sample
from fiqa_spark.methods.references import Reference, check_model
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.sql_conf import planned_for_packs, planned_for_rows


class Given(NamedTuple):
    """What an audit starts from beside images and features."""

    margins: Reference | None = None
    """By which margins are measured; None if that is learned from these images."""
    audit: AuditReference | None = None
    """By which memberships and identities are measured, and the centres of an earlier audit; None if learned."""
    centres: DataFrame | None = None
    """These centres, with the schema `references.CENTRES`."""
    about_rows: Callable[[], int | None] = lambda: None
    """Rows that the list seems to have; None if nobody knows."""


class Auditing(NamedTuple):
    """What an audit found, and what it learned on the way."""

    found: Searched
    members: DataFrame
    """With the schema `schemas.MEMBERS`, kept."""
    counts: ImageCounts
    margins: Reference
    memberships: MembershipModel
    chances: Chances
    thresholds: Thresholds
    centres: DataFrame
    """`identity_hash`, `identity`, `evidence`, `centre` of all identities that were searched."""
    partitions: int
    """Number of partitions by identity that the images lie in."""


def audited(paths: DataFrame, features: Features, settings: AuditSettings, steps: Steps, given: Given) -> Auditing:
    """Audit the images of a list, inside of `planned_by_identity`.

    Parameters
    ----------
    paths : DataFrame
        Column `path`, and perhaps `identity`, as from `read_paths`.

    Raises
    ------
    InputError
        If the list or the features cannot be audited.
    """
    learns = given.audit is None
    with steps("reading the list"):
        images = with_folds(identified_images(paths, settings, features.id_key_index))
        listed, identities = _checked(images, settings, given)
    index, load = settings.id_key_index, settings.load_feature
    matching = Matching(images, features, listed, index, more=(schemas.FOLD,), load=load)
    matching.put_together(steps)
    with steps("learning from a sample" if learns else "comparing with the reference"), matching.under_way():
        if given.margins:
            check_model(matching.features, given.margins)
        drawn = draw(images, matching.features, listed, margin_settings(settings), identities) if learns else None
        margins, model, chances = _learned(drawn, settings, given)
    dimension = margins.pool.dimension
    partitions = matching.partitions(dimension)
    with steps("computing memberships"), matching.under_way():
        joined = matching.joined(dimension)
        found = members(joined, learned_in(margins), model, settings).persist(StorageLevel.MEMORY_AND_DISK)
        counts = member_counts(found)
        missing = counts.listed.statuses[schemas.MISSING_FEATURE]
        matching.tell_missing(some_missing(found) if missing else [], missing, settings)
    matching.check_list_rows(counts.listed.list_rows)
    matching.release()
    others = _earlier_centres(given, found, settings)
    spark = found.sparkSession
    with planned_for_rows(spark, counts.listed.images), planned_for_packs(spark):
        with steps("comparing identities"):
            thresholds, tables = searched(found, counts, others, chances, dimension, partitions, settings)
        with steps("looking for images of others"):
            tables.suggested.count()
    own = centres_of_members(found)
    centres = own.unionByName(others) if others is not None else own
    return Auditing(tables, found, counts.listed, margins, model, chances, thresholds, centres, partitions)


def _checked(images: DataFrame, settings: AuditSettings, given: Given) -> tuple[CheckedList, FirstIdentities | None]:
    """What the list holds, and the images that may make the sample, where one is needed."""
    if given.audit:
        # Nothing is drawn, and the others of whom identities are told apart need not be listed.
        return check_images(images, settings, 1, several_identities=False), None
    wanted = wanted_sample(margin_settings(settings))
    return check_with_identities(images, settings, settings.pool_size, wanted, given.about_rows())


def _learned(drawn: Drawn | None, settings: AuditSettings, given: Given) -> tuple[Reference, MembershipModel, Chances]:
    """What margins and memberships are measured by, and what chance gives: as given, or learned from what was drawn."""
    if given.audit:
        return given.audit.margins, given.audit.memberships, given.audit.chances
    sample = cast(Drawn, drawn)
    margins = given.margins or reference_of(sample, margin_settings(settings))
    return margins, *learn_audit(sample.sample, learned_in(margins), settings)


def _earlier_centres(given: Given, found: DataFrame, settings: AuditSettings) -> DataFrame | None:
    """The centres of an earlier audit, of identities that the list does not have."""
    if given.centres is None:
        return None
    listed = found.where(F.col(schemas.FIRST_OF_IDENTITY) == 1).select(schemas.IDENTITY_HASH)
    hashed = given.centres.withColumn(schemas.IDENTITY_HASH, keys.seeded_hash(settings.seed, schemas.IDENTITY))
    enough = hashed.where(F.col(schemas.EVIDENCE) >= settings.least_evidence)
    columns = (schemas.IDENTITY_HASH, schemas.IDENTITY, schemas.EVIDENCE, schemas.CENTRE)
    return enough.join(listed, schemas.IDENTITY_HASH, "anti").select(*columns).persist(StorageLevel.MEMORY_AND_DISK)
