"""One pass over the features: the margin label of every image, identity by identity."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame

from fiqa_spark import schemas
from fiqa_spark.kernels.margin import margin_labels, standard_deviations
from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity
from fiqa_spark.matching.identity_images import IdentityImages, SpilledImages, identity_images, numbers_of_images
from fiqa_spark.matching.identity_pass import first_of_each_identity, pass_over_images
from fiqa_spark.matching.join import Joined
from fiqa_spark.matching.packs import image_columns, packed, packs_schema
from fiqa_spark.matching.status_counts import counted, names_of_counts
from fiqa_spark.methods import image_examples
from fiqa_spark.methods.margin.judging import Judged, large_groups, of_large_groups, of_whole_groups
from fiqa_spark.methods.margin.labels import ABOVE, BELOW, COLUMNS
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
        Packs, see `packed`, with a row for every distinct path of `joined`: the columns of `schemas.MARGIN_LABELS`, and
        `identity_key`. Their sums are those of `counted`, of `intra_truncated` (images that have more mates than
        count), and of `BELOW` and `ABOVE`.
    """
    shared = broadcast(joined.table.sparkSession.sparkContext, learned)
    group = group_column(settings)
    sums = (*names_of_counts(schemas.MARGIN_STATUSES), schemas.INTRA_TRUNCATED, BELOW, ABOVE)

    def of_identities(parts: list[Rows]) -> Iterator[pd.DataFrame]:
        # Those of one size are computed together, where they stand if they are neighbours.
        batch = identity_images(parts, group=group, leading=numbers_of_images)
        yield from _packs_of(batch, of_whole_groups(batch, shared.value, settings), set(), shared.value, settings)

    def of_spilled(identity: SpilledIdentity) -> Iterator[pd.DataFrame]:
        batches = SpilledImages(identity, group=group)
        large = large_groups(batches, shared.value, settings)
        earlier: set[int] = set()
        for batch in batches:
            yield from _packs_of(
                batch, of_large_groups(batch, large, shared.value, settings), earlier, shared.value, settings
            )

    return pass_over_images(
        joined,
        len(learned.strangers.pool_sum),
        of_identities=of_identities,
        of_spilled=of_spilled,
        schema=packs_schema(sums, examples=image_examples.NAMES),
        bytes_at_once=_BYTES_AT_ONCE,
    )


def _packs_of(
    batch: IdentityImages, judged: Judged, earlier: set[int], learned: Learned, settings: MarginSettings
) -> Iterator[pd.DataFrame]:
    """Labels of a batch, as `labelled_images` tells of them.

    Parameters
    ----------
    earlier : set of int
        Hashes of the identities of earlier batches; those of this one are added.
    """
    rows, chosen = batch.rows, judged.chosen
    counts = np.zeros((rows.count, 2), np.int32)
    counts[chosen, 0], counts[chosen, 1] = judged.mates, judged.truncated
    statuses = np.where(rows.usable, schemas.PREDICTED, schemas.INVALID_FEATURE).astype(object)
    statuses[~rows.column(schemas.MATCHED).astype(bool)] = schemas.MISSING_FEATURE
    statuses[counts[:, 0] > 0] = schemas.OK
    of_judged = _numbers(judged, learned, settings)
    numbers = {name: _spread(values, chosen, rows.count) for name, values in of_judged.items()}
    columns = {
        **image_columns(rows, statuses),
        schemas.MATES: pa.array(counts[:, 0]),
        **{name: pa.array(values, from_pandas=True) for name, values in numbers.items()},
    }
    margins, scale = numbers[schemas.MARGIN], learned.reference
    firsts = first_of_each_identity(rows, earlier)
    sums = {
        **counted(statuses, schemas.MARGIN_STATUSES, batch.list_rows, firsts),
        schemas.INTRA_TRUNCATED: counts[:, 1],
        BELOW: margins < scale.lo,
        ABOVE: margins > scale.hi,
    }
    examples = image_examples.examples_of(rows, statuses, firsts)
    return packed({name: columns[name] for name in COLUMNS.names}, sums, examples=examples)


def _numbers(judged: Judged, learned: Learned, settings: MarginSettings) -> dict[str, np.ndarray]:
    """Columns of numbers, of the images that were judged."""
    reference = learned.reference
    deviation = {"sigma": reference.sigma, "tau": reference.prior.tau, "kappa": settings.prior_weight}
    return {
        schemas.LABEL: margin_labels(judged.margins, lo=reference.lo, hi=reference.hi),
        schemas.MARGIN: judged.margins,
        schemas.MARGIN_STD: standard_deviations(judged.weights, **deviation),
        schemas.PRIOR: judged.priors,
        schemas.STRANGER_SIMILARITY: judged.strangers,
    }


def _spread(values: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """Values where they belong, and NaN elsewhere, which becomes null."""
    spread = np.full(count, np.nan)
    spread[chosen] = values
    return spread
