"""What an audit learned, on disk beside what margins learned: identities can be measured by it and compared later."""

import json
from typing import Any, NamedTuple

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import BinaryType, DoubleType, StringType, StructField, StructType

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.kernels.centres import Chance
from fiqa_spark.kernels.membership import PairModel
from fiqa_spark.kernels.membership_fit import MembershipModel
from fiqa_spark.methods.identities.learning import Chances
from fiqa_spark.methods.references import FOLDER, Reference, read_reference, write_reference
from fiqa_spark.runtime.storage import Storage, literal

_VERSION = 1
_FACTS, _CENTRES = "audit.json", "centres"
_REMEDY = "give the folder that audit_identities wrote, or learn anew: leave it out"
CENTRES = StructType(
    [
        StructField(schemas.IDENTITY, StringType(), nullable=False),
        StructField(schemas.EVIDENCE, DoubleType(), nullable=False),
        StructField(schemas.CENTRE, BinaryType(), nullable=False),
    ]
)
"""Centres of identities on disk: unit vectors of little-endian float32."""


class AuditReference(NamedTuple):
    """All that identities are measured by."""

    margins: Reference
    """By which margins are measured."""
    memberships: MembershipModel
    chances: Chances
    centres: str
    """Folder with the centres of the audit that learned it."""


def write_audit_reference(
    storage: Storage, folder: str, margins: Reference, memberships: MembershipModel, chances: Chances
) -> str:
    """Write all but the centres to a folder, which is made; returns the folder for the centres."""
    write_reference(storage, folder, margins)
    pairs, (of_image, of_pair, densities) = memberships.pairs, chances
    facts = {
        "version": _VERSION,
        "margins": margins.fingerprint,
        "coefficients": pairs.coefficients.tolist(),
        "priors": list(pairs.priors),
        "mated_std": pairs.mated_std,
        "non_mated": {"mean": pairs.non_mated_mean, "std": pairs.non_mated_std},
        "expected_membership": memberships.expected,
        "image_and_other_centre": of_image._asdict(),
        "two_centres": of_pair._asdict(),
        "densities": densities,
    }
    storage.write_text(f"{folder}/{_FACTS}", json.dumps(facts, indent=2) + "\n")
    return f"{folder}/{_CENTRES}"


def read_audit_reference(storage: Storage, folder: str) -> tuple[Reference, AuditReference | None]:
    """What margins are measured by, and all that an audit learned, where the reference is that of an audit.

    Raises
    ------
    InputError
        If there is no reference, or it is damaged.
    """
    margins = read_reference(storage, folder)
    places = (f"{folder.rstrip('/')}/{FOLDER}", folder.rstrip("/"))
    place = next((each for each in places if storage.exists(f"{each}/{_FACTS}")), None)
    if place is None:
        return margins, None
    path = f"{place}/{_FACTS}"
    try:
        facts = json.loads(storage.read_text(path))
        if facts["version"] != _VERSION or facts["margins"] != margins.fingerprint:
            raise ValueError("it is of another version, or of another reference than the files beside it")
        memberships, chances = _parsed(facts)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"damaged: {reason}", setting="reference", path=path, remedy=_REMEDY) from None
    centres = f"{place}/{_CENTRES}"
    if not storage.is_folder(centres):
        raise InputError("no centres of identities there", setting="reference", path=centres, remedy=_REMEDY)
    return margins, AuditReference(margins, memberships, chances, centres)


def _parsed(facts: dict[str, Any]) -> tuple[MembershipModel, Chances]:
    coefficients = np.array(facts["coefficients"], np.float64)
    if coefficients.shape != (6,):
        raise ValueError(f"{coefficients.size} coefficients, where 6 are needed")
    mated_std, non_mated, (low, high) = facts["mated_std"], facts["non_mated"], facts["priors"]
    strangers = float(non_mated["mean"]), float(non_mated["std"])
    pairs = PairModel(coefficients, float(mated_std), *strangers, (float(low), float(high)))
    of_image, of_pair = Chance(**facts["image_and_other_centre"]), Chance(**facts["two_centres"])
    model = MembershipModel(pairs, float(facts["expected_membership"]))
    return model, Chances(of_image, of_pair, facts["densities"])


def read_centres(spark: SparkSession, storage: Storage, reference: AuditReference) -> DataFrame:
    """The centres of a reference, with the schema `CENTRES`."""
    return spark.read.schema(CENTRES).parquet(literal(storage.qualified(reference.centres)))
