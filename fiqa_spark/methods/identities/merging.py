"""The names of one person: pairs of identities to groups, each with the name that it should have."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.kernels.groups_of_pairs import connected
from fiqa_spark.runtime.frames_by_arrow import collected, distributed

MERGED_HASH = "merged_hash"
_A, _B, _EVIDENCE_A, _EVIDENCE_B = schemas.IDENTITY_HASH, schemas.OTHER_HASH, schemas.EVIDENCE_A, schemas.EVIDENCE_B


class Merged(NamedTuple):
    """Groups of identities that are one person each."""

    table: DataFrame
    """`identity_hash`, and `merged_hash`, that of the identity of the most evidence in its group."""
    pairs: int
    """Number of pairs that they come from."""
    groups: int
    identities: int
    """Number of identities in all groups."""


def merged(pairs: DataFrame) -> Merged:
    """The identity that each identity of a pair is to be merged with.

    Parameters
    ----------
    pairs : DataFrame
        `identity_hash`, `other_hash`, `evidence_a`, `evidence_b`: two identities that seem to be one person. The
        driver holds these numbers of all pairs.
    """
    found = collected(pairs.select(_A, _B, _EVIDENCE_A, _EVIDENCE_B))
    hashes, numbers = np.unique(found[[_A, _B]].to_numpy(np.int64).T.ravel(), return_inverse=True)
    evidence = np.zeros(len(hashes))
    evidence[numbers] = found[[_EVIDENCE_A, _EVIDENCE_B]].to_numpy(np.float64).T.ravel()
    a, b = np.split(numbers, 2)
    groups = connected(a, b, len(hashes))
    # In each group the one of the most evidence comes first, of like ones that of the lowest hash.
    order = np.lexsort((hashes, -evidence, groups))
    _, firsts, members = np.unique(groups[order], return_index=True, return_inverse=True)
    frame = pd.DataFrame({schemas.IDENTITY_HASH: hashes[order], MERGED_HASH: hashes[order[firsts]][members]})
    table = distributed(pairs.sparkSession, frame, f"{schemas.IDENTITY_HASH} long, {MERGED_HASH} long")
    return Merged(table, len(found), len(firsts), len(hashes))
