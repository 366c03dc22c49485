"""The three tables of an audit, as they lie on disk and in a notebook."""

import os
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from fiqa_spark import schemas
from fiqa_spark.inputs.notebook_arguments import given_folder, given_session
from fiqa_spark.methods.results import AUDITED_IMAGES, Kind, read_result
from fiqa_spark.runtime.spark_failures import told_to_users

_JOB = AUDITED_IMAGES.job
# None is a result of its own, a row an image: what stands for a quality is the number that one would look at first.
IDENTITIES = Kind("identities", schemas.AUDITED_IDENTITIES, _JOB, schemas.EVIDENCE, "evidence", 1)
PAIRS = Kind("identity_pairs", schemas.IDENTITY_PAIRS, _JOB, schemas.SIMILARITY, "similarity", 100)


class Audit(NamedTuple):
    """What an audit of identities found."""

    images: DataFrame
    """A row an image, with the schema `schemas.AUDITED_IMAGES`."""
    identities: DataFrame
    """A row an identity, with the schema `schemas.AUDITED_IDENTITIES`."""
    identity_pairs: DataFrame
    """A row for two identities that seem to be one person, with the schema `schemas.IDENTITY_PAIRS`."""


def read_audit_tables(spark: SparkSession, folder: str) -> Audit:
    """The tables that `audit_identities` wrote to its destination.

    Raises
    ------
    InputError
        If one is not there, or what is there is something else.
    """
    kinds = (AUDITED_IMAGES, IDENTITIES, PAIRS)
    return Audit(*(read_result(spark, folder, kind)[0] for kind in kinds))


def read_audit(spark: SparkSession, folder: str | os.PathLike[str]) -> Audit:
    """What `audit_identities` wrote.

    Parameters
    ----------
    folder : str or path-like
        The destination of the job.

    Returns
    -------
    Audit
        Its three tables; identities are the strings that they were.

    Raises
    ------
    InputError
        If there is no audit.
    """
    spark, path = given_session(spark), given_folder(folder)
    with told_to_users():
        return read_audit_tables(spark, path)
