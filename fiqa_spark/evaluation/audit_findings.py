"""What an audit of identities found, as a person wants to see it: counts, densities, and the most certain of each kind.

The driver holds a few hundred rows of it, however many images there are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.methods.identities.auditing import Auditing
from fiqa_spark.methods.identities.settings import AuditSettings
from fiqa_spark.methods.identities.tables import Searched, Thresholds
from fiqa_spark.runtime.frames_by_arrow import collected, distributed

MOST_CERTAIN = 50
"""Images or pairs shown of each kind at most."""
_PERSONS, _NAMES_OF_PERSON = 15, 12
_BEST_IMAGES = 3
_NAMES, _PLACE, _TRUSTED = "names", "place", "trusted"


class Suspect(NamedTuple):
    """An image that does not seem to show the person of its identity."""

    path: str
    identity: str
    membership: float
    suggested: str | None
    """Identity of the person that it seems to show; None if it is like nobody."""
    similarity: float | None
    """With the centre of that identity."""


class AlikePair(NamedTuple):
    """Two identities that seem to be one person."""

    a: str
    b: str
    similarity: float
    evidence_a: float
    evidence_b: float
    merged: str
    """The name that both are to have."""


class Person(NamedTuple):
    """Somebody under more than two names."""

    merged: str
    """The name that all are to have."""
    names: int
    """How many there are."""
    some: tuple[str, ...]
    """Some of them, or all; that of `merged` first."""


class KnownIdentity(NamedTuple):
    """An identity of the list."""

    images: int
    trusted: int
    """Number of images that are taken for its person's."""
    evidence: float
    best: tuple[str, ...]
    """Paths of those that count most in its centre, the best first."""


class AuditFindings(NamedTuple):
    """All that the page of an audit shows."""

    statuses: dict[str, int]
    """Status to number of images."""
    verdicts: dict[str, int]
    """Verdict to number of images, of those with status ``ok``."""
    identities: int
    pairs: int
    """Number of pairs of identities."""
    persons: int
    """Number of persons that these pairs make."""
    names: int
    """Number of identities in them."""
    thresholds: Thresholds
    densities: dict[str, np.ndarray]
    """Histograms over [-1, 1], as in `learning.Chances`."""
    others: tuple[Suspect, ...]
    """Images of somebody else, those most like the suggested identity first."""
    unlike: tuple[Suspect, ...]
    """Images of nobody known, those of the lowest membership first."""
    alike: tuple[AlikePair, ...]
    """Pairs of identities, the most similar first."""
    several_names: tuple[Person, ...]
    """Persons of more than two names, the most names first."""
    known: dict[str, KnownIdentity]
    """Name to what is known of an identity above; those of an earlier audit alone are not there."""
    pictures: dict[str, bytes]
    """Path to a small JPEG, of images whose files can be read; see `audit_pictures.with_pictures`."""


def audit_findings(auditing: Auditing, verdicts: dict[str, int], settings: AuditSettings) -> AuditFindings:
    """What an audit found, without pictures; to be called where Spark plans as it does when the tables are written.

    Parameters
    ----------
    verdicts : dict of str to int
        Number of images of each verdict.
    """
    found = auditing.found
    others, unlike = _suspects(found, verdicts, settings)
    alike, several_names = _alike(found), _several_names(found)
    names = {name for suspect in (*others, *unlike) for name in (suspect.identity, suspect.suggested) if name}
    names |= {name for pair in alike for name in (pair.a, pair.b)} | {n for one in several_names for n in one.some}
    return AuditFindings(
        statuses=auditing.counts.statuses,
        verdicts=verdicts,
        identities=auditing.counts.identities,
        pairs=found.merged.pairs,
        persons=found.merged.groups,
        names=found.merged.identities,
        thresholds=auditing.thresholds,
        densities={name: np.array(counts) for name, counts in auditing.chances.densities.items()},
        others=others,
        unlike=unlike,
        alike=alike,
        several_names=several_names,
        known=_known(auditing.members, sorted(names), settings),
        pictures={},
    )


def _suspects(
    found: Searched, verdicts: dict[str, int], settings: AuditSettings
) -> tuple[tuple[Suspect, ...], tuple[Suspect, ...]]:
    """The most certain images of somebody else, and those of nobody known; where that is the same, by path."""
    if not verdicts[schemas.OTHER] and not verdicts[schemas.UNLIKE]:
        return (), ()
    # Spark looks for these among the members, before it shuffles any.
    suspects = found.audit.images.where(F.col(schemas.MEMBERSHIP) < settings.suspect_below)
    columns = (schemas.PATH, schemas.IDENTITY, schemas.MEMBERSHIP, schemas.SUGGESTED_IDENTITY)
    suspects = suspects.select(*columns, schemas.SUGGESTED_SIMILARITY, schemas.VERDICT)
    suspects = suspects.persist(StorageLevel.MEMORY_AND_DISK)
    most = F.desc(schemas.SUGGESTED_SIMILARITY), F.asc(schemas.MEMBERSHIP)
    both = tuple(
        _first(suspects.where(F.col(schemas.VERDICT) == verdict).drop(schemas.VERDICT).orderBy(order, schemas.PATH))
        for verdict, order in zip((schemas.OTHER, schemas.UNLIKE), most, strict=True)
    )
    suspects.unpersist()
    return both[0], both[1]


def _first(suspects: DataFrame) -> tuple[Suspect, ...]:
    return tuple(Suspect(*row) for row in suspects.head(MOST_CERTAIN))


def _alike(found: Searched) -> tuple[AlikePair, ...]:
    """The most similar pairs of identities; where that is the same, by name."""
    if not found.merged.pairs:
        return ()
    columns = schemas.IDENTITY_A, schemas.IDENTITY_B
    in_order = found.audit.identity_pairs.orderBy(F.desc(schemas.SIMILARITY), *columns)
    return tuple(AlikePair(*row) for row in in_order.select(*schemas.IDENTITY_PAIRS.names).head(MOST_CERTAIN))


def _several_names(found: Searched) -> tuple[Person, ...]:
    """The persons of the most names, if any has more than two; where that is the same, by name."""
    if found.merged.identities <= 2 * found.merged.groups:
        return ()
    both = F.explode(F.array(schemas.IDENTITY_A, schemas.IDENTITY_B)).alias(schemas.IDENTITY)
    names = found.audit.identity_pairs.select(schemas.MERGED_IDENTITY, both).distinct()
    of_person = Window.partitionBy(schemas.MERGED_IDENTITY)
    is_other = F.col(schemas.IDENTITY) != F.col(schemas.MERGED_IDENTITY)
    counted = names.select(
        "*",
        F.count("*").over(of_person).alias(_NAMES),
        F.row_number().over(of_person.orderBy(is_other, schemas.IDENTITY)).alias(_PLACE),
    )
    some = F.sort_array(F.collect_list(F.struct(_PLACE, schemas.IDENTITY)))
    shown = counted.where((F.col(_NAMES) > 2) & (F.col(_PLACE) <= _NAMES_OF_PERSON))
    persons = shown.groupBy(schemas.MERGED_IDENTITY, _NAMES).agg(some[schemas.IDENTITY])
    in_order = persons.orderBy(F.desc(_NAMES), schemas.MERGED_IDENTITY).head(_PERSONS)
    return tuple(Person(merged, count, tuple(names)) for merged, count, names in in_order)


def _known(members: DataFrame, names: list[str], settings: AuditSettings) -> dict[str, KnownIdentity]:
    """Name to identity, of those that the list has."""
    if not names:
        return {}
    few = distributed(members.sparkSession, pd.DataFrame({schemas.IDENTITY: names}), f"{schemas.IDENTITY} string")
    membership = F.col(schemas.MEMBERSHIP)
    is_trusted = membership.isNull() | (membership >= settings.suspect_below)
    is_first = F.col(schemas.FIRST_OF_IDENTITY) == 1
    images = members.join(F.broadcast(few), schemas.IDENTITY).select(
        *(schemas.IDENTITY, schemas.PATH, schemas.WEIGHT, schemas.IMAGES, schemas.TRUSTED_IMAGES, schemas.EVIDENCE),
        is_first.alias(schemas.FIRST_OF_IDENTITY),
        ((F.col(schemas.STATUS) == schemas.OK) & is_trusted).alias(_TRUSTED),
    )
    best_first = F.desc(_TRUSTED), F.desc(schemas.WEIGHT), F.asc(schemas.PATH)
    place = F.row_number().over(Window.partitionBy(schemas.IDENTITY).orderBy(*best_first))
    is_best = F.col(_TRUSTED) & (F.col(_PLACE) <= _BEST_IMAGES)
    shown = collected(images.withColumn(_PLACE, place).where(is_best | F.col(schemas.FIRST_OF_IDENTITY)))
    return dict(_identities(shown))


def _identities(shown: pd.DataFrame) -> Iterator[tuple[str, KnownIdentity]]:
    """Identities of a frame of their best images and of the one that tells of them all."""
    for name, images in shown.sort_values(_PLACE).groupby(schemas.IDENTITY):
        [told] = images[images[schemas.FIRST_OF_IDENTITY]].itertuples()
        best = images[images[_TRUSTED] & (images[_PLACE] <= _BEST_IMAGES)]
        yield (
            str(name),
            KnownIdentity(
                int(getattr(told, schemas.IMAGES)),
                int(getattr(told, schemas.TRUSTED_IMAGES)),
                float(getattr(told, schemas.EVIDENCE)),
                tuple(best[schemas.PATH]),
            ),
        )
