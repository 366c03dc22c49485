"""The small second pass: distances of the rounds to labels from 0 to 100."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.kernels.label_scale import NO_SPREAD, scaled_labels
from fiqa_spark.matching.packs import PackedRows
from fiqa_spark.methods.sdd_fiqa.ranges import DistanceRanges, KnownRanges

_SCHEMA = schemas.beside_identity_key(schemas.LABELS)


def scale_labels(
    packs: DataFrame, ranges: DistanceRanges | KnownRanges, normalize: str, *, cut: bool = False
) -> PackedRows:
    """Labels out of distances.

    Parameters
    ----------
    packs : DataFrame
        From `round_distances`.
    ranges : DistanceRanges or KnownRanges
        Of these distances, or others.
    normalize : {'per-round', 'final'}
        Scale every round to 0..100 and average, or average the distances and scale once.
    cut : bool
        Whether distances may lie beyond the ranges, at which they are cut then.

    Returns
    -------
    PackedRows
        The columns of `schemas.LABELS`, and `identity_key`. `label` and the values of `round_labels` are in [0, 100],
        higher is better (arXiv 2103.05977, eq. 7 and 8).

    Raises
    ------
    InputError
        If the distances are averaged first and their means are all equal.
    """
    if normalize == "final" and ranges.mean_max - ranges.mean_min <= NO_SPREAD:
        raise InputError(f"all mean distances are {ranges.mean_min:.6g}", setting="normalize", remedy="use per-round")
    of_rounds = np.array(ranges.round_min), np.array(ranges.round_max)
    of_mean, per_round = (ranges.mean_min, ranges.mean_max), normalize == "per-round"

    def of_pack(rows: pa.RecordBatch) -> Iterator[pa.Array]:
        distances = rows.column(schemas.DISTANCES).flatten().to_numpy().reshape(rows.num_rows, -1)
        means = rows.column(schemas.DISTANCE).to_numpy()
        labels, round_labels = scaled_labels(distances, means, of_rounds, of_mean, per_round=per_round, cut=cut)
        computed = {schemas.LABEL: labels, schemas.DISTANCE: means}
        computed[schemas.DISTANCE_STD] = rows.column(schemas.DISTANCE_STD).to_numpy()
        for name in _SCHEMA.names:
            if name == schemas.ROUND_LABELS:
                yield _lists(round_labels, ~np.isnan(labels))
            else:
                yield pa.array(computed[name], from_pandas=True) if name in computed else rows.column(name)

    return PackedRows(packs, _SCHEMA, of_pack)


def _lists(values: np.ndarray, given: np.ndarray) -> pa.Array:
    """A list of each row of values where it is given, and null elsewhere."""
    offsets = np.append(0, np.cumsum(given, dtype=np.int32) * values.shape[1]).astype(np.int32)
    # A list without a beginning is null.
    places = pa.array(offsets, mask=np.append(~given, False))
    kind = to_arrow_schema(schemas.LABELS).field(schemas.ROUND_LABELS).type
    return pa.ListArray.from_arrays(places, pa.array(values[given].ravel())).cast(kind)


def was_beyond(known: KnownRanges) -> Column:
    """Of labels by these ranges: whether a distance lay beyond the range of its round.

    Its label is 0 or 100 then, and the mean of the distances is another than the one that the labels tell.
    """
    of_round, rounds = F.col(schemas.ROUND_LABELS), len(known.round_min)
    told = [
        F.lit(low) + of_round[number].cast("double") * F.lit((high - low) / 100)
        for number, (low, high) in enumerate(zip(known.round_min, known.round_max, strict=True))
    ]
    differs = F.abs(_sum(told) - F.col(schemas.DISTANCE) * rounds) > NO_SPREAD
    at_an_end = (F.array_min(of_round) <= 0) | (F.array_max(of_round) >= 100)
    return F.coalesce(at_an_end & differs, F.lit(False))


def _sum(columns: list[Column]) -> Column:
    """Sum of columns, in pairs, so that a thousand of them do not make a tree a thousand deep."""
    while len(columns) > 1:
        pairs = [left + right for left, right in zip(columns[::2], columns[1::2], strict=False)]
        columns = pairs + columns[len(pairs) * 2 :]
    return columns[0]
