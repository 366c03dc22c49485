"""One pass over the features: the margin label of every image, identity by identity."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.kernels.margin import margin_labels, standard_deviations
from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity
from fiqa_spark.matching.identity_images import IdentityImages, SpilledImages, identity_images
from fiqa_spark.matching.identity_pass import first_of_each_identity, pass_over_images
from fiqa_spark.matching.join import Joined
from fiqa_spark.methods.margin.judging import Judged, large_groups, of_large_groups, of_whole_groups
from fiqa_spark.methods.margin.learning import Learned
from fiqa_spark.methods.margin.settings import MarginSettings
from fiqa_spark.methods.mate_groups import group_column
from fiqa_spark.runtime.workers import broadcast

# Vectors that a worker computes with at once: many small identities make one product.
_BYTES_AT_ONCE = 16 << 20


def labelled_images(joined: Joined, learned: Learned, settings: MarginSettings) -> DataFrame:
    """Margin labels of every image.

    Parameters
    ----------
    joined : Joined
        Images beside their features, with `fold` and the columns of `columns_of_groups`.

    Returns
    -------
    DataFrame
        With the schema `schemas.MARGINS`, a row for every distinct path of `joined`.
    """
    shared = broadcast(joined.table.sparkSession.sparkContext, learned)
    group = group_column(settings)

    def of_identities(parts: list[Rows]) -> Iterator[pd.DataFrame]:
        batch = identity_images(parts, group=group)
        yield _frame(batch, of_whole_groups(batch, shared.value, settings), set(), shared.value, settings)

    def of_spilled(identity: SpilledIdentity) -> Iterator[pd.DataFrame]:
        batches = SpilledImages(identity, group=group)
        large = large_groups(batches, shared.value, settings)
        earlier: set[int] = set()
        for batch in batches:
            yield _frame(batch, of_large_groups(batch, large, shared.value, settings), earlier, shared.value, settings)

    return pass_over_images(
        joined,
        len(learned.strangers.pool_sum),
        of_identities=of_identities,
        of_spilled=of_spilled,
        schema=schemas.MARGINS,
        bytes_at_once=_BYTES_AT_ONCE,
    )


def _frame(
    batch: IdentityImages, judged: Judged, earlier: set[int], learned: Learned, settings: MarginSettings
) -> pd.DataFrame:
    """The frame that the pass yields; of identities in `earlier` batches, which grows, no image is the first."""
    rows, reference, chosen = batch.rows, learned.reference, judged.chosen
    counts = np.zeros((rows.count, 2), np.int32)
    counts[chosen, 0], counts[chosen, 1] = judged.mates, judged.truncated
    statuses = np.where(rows.usable, schemas.PREDICTED, schemas.INVALID_FEATURE).astype(object)
    statuses[~rows.column(schemas.MATCHED).astype(bool)] = schemas.MISSING_FEATURE
    statuses[counts[:, 0] > 0] = schemas.OK
    bounds = {"lo": reference.lo, "hi": reference.hi}
    deviation = {"sigma": reference.sigma, "tau": reference.prior.tau, "kappa": settings.prior_weight}
    numbers = {
        schemas.LABEL: margin_labels(judged.margins, **bounds),
        schemas.MARGIN: judged.margins,
        schemas.MARGIN_STD: standard_deviations(judged.weights, **deviation),
        schemas.PRIOR: judged.priors,
        schemas.STRANGER_SIMILARITY: judged.strangers,
    }
    is_first = np.zeros(rows.count, np.int32)
    is_first[first_of_each_identity(rows, earlier)] = 1
    return pd.DataFrame(
        {
            schemas.PATH: rows.column(schemas.PATH),
            schemas.IDENTITY: rows.column(schemas.IDENTITY),
            schemas.STATUS: statuses,
            schemas.MATES: counts[:, 0],
            schemas.IDENTITY_KEY: rows.column(schemas.IDENTITY_KEY),
            schemas.LIST_ROWS: batch.list_rows,
            schemas.FIRST_OF_IDENTITY: is_first,
            schemas.INTRA_TRUNCATED: counts[:, 1],
            **{name: _spread(values, chosen, rows.count) for name, values in numbers.items()},
        }
    )


def _spread(values: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """Values where they belong, and NaN elsewhere, which Spark reads as null."""
    spread = np.full(count, np.nan)
    spread[chosen] = values
    return spread
