"""Vectors of numbered pairs meet in workers: each is moved about once, however many pairs it is in, or not at all."""

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.evaluation.numbered_pairs import Numbers
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.features import Features, StoredFeatures, vector_length
from fiqa_spark.inputs.vectors import partitions_for, stack_vectors, vector_lengths
from fiqa_spark.kernels.edc import pair_similarities
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.matching.join import meet_identities
from fiqa_spark.matching.joined_rows import numbered_embeddings
from fiqa_spark.runtime.frames_by_arrow import collected, distributed
from fiqa_spark.runtime.partition_places import places
from fiqa_spark.runtime.sql_conf import planned_by_identity, planned_for_identity_rows
from fiqa_spark.runtime.workers import as_bytes, broadcast, from_bytes, in_worker

_PLACE, _PAIR, _WANTED_HASH = "place", "pair", "wanted_hash"
_OF_VECTOR = (schemas.NUMBER, schemas.FEATURE)
_MET = f"{_PAIR} int, {schemas.SIMILARITY} double"
# Instead of the number of a pair: an image has several features.
_REPEATED = -1
# Vectors of one side of the pairs that are compared at once: they stay in the processor's cache.
_BYTES_AT_ONCE = 1 << 20


def met_similarities(
    features: Features, images: pd.DataFrame, numbers: Numbers, seed: int
) -> tuple[np.ndarray | None, np.ndarray]:
    """Similarity of the features of pairs.

    Parameters
    ----------
    images : DataFrame of pandas
        `key_hash` and `image_hash` of each image, in the order of the latter, each all different; `identity_key` where
        features lie in buckets.
    numbers : Numbers
        Of the images of each pair.
    seed : int
        That image hashes are made with.

    Returns
    -------
    similarities : ndarray of float64, shape (pairs,), or None
        NaN where a feature is missing or cannot be used; None where an image has several features.
    matched : ndarray of bool, shape (pairs,)
        Whether both images have a feature, be it useless.
    """
    spark, row_bytes = features.table.sparkSession, features.stored.layout.row_bytes if features.stored else None
    with planned_by_identity(spark), planned_for_identity_rows(spark, row_bytes):
        found = collected(_met(features, images, numbers, seed))
    pairs = found[_PAIR].to_numpy()
    similarities, matched = np.full(len(numbers[0]), np.nan), np.zeros(len(numbers[0]), bool)
    if (pairs == _REPEATED).any():
        return None, matched
    similarities[pairs], matched[pairs] = found[schemas.SIMILARITY].to_numpy(), True
    return similarities, matched


def _met(features: Features, images: pd.DataFrame, numbers: Numbers, seed: int) -> DataFrame:
    """Numbers of pairs and their similarity, those of one bucket compared where their vectors lie."""
    a, b = numbers
    in_bucket = np.zeros(len(a), bool)
    if features.stored:
        identity_keys = images[schemas.IDENTITY_KEY].to_numpy()
        in_bucket = identity_keys[a] == identity_keys[b]
    found = [
        _compared(*meet(features, images, (a[chosen], b[chosen]), seed), chosen, numbers, len(images))
        for chosen, meet in ((in_bucket, _in_buckets), (~in_bucket, _at_places))
        if chosen.any()
    ]
    return found[0] if len(found) == 1 else found[0].unionByName(found[1])


def _in_buckets(features: Features, images: pd.DataFrame, numbers: Numbers, seed: int) -> tuple[DataFrame, "_Gather"]:
    """The vectors of the images of pairs, where they lie in buckets."""
    used, stored = _used(numbers, len(images)), cast(StoredFeatures, features.stored)
    wanted = _wanted(features.table, images, used, schemas.IDENTITY_KEY, images[schemas.IDENTITY_KEY].to_numpy()[used])
    rows = meet_identities(wanted, stored, (schemas.IDENTITY_KEY,), (schemas.KEY_HASH, schemas.NUMBER))
    dimension, precision = vector_length(features), stored.layout.precision

    def gathered(frames: Iterator[pd.DataFrame], count: int) -> tuple[np.ndarray, _ByLength]:
        found = [numbered_embeddings(frame, dimension, precision) for frame in frames if len(frame)]
        present = np.concatenate([np.empty(0, np.int64), *(one[0] for one in found)])
        return present, {dimension: [one[1:] for one in found]} if found else {}

    return rows, gathered


def _at_places(features: Features, images: pd.DataFrame, numbers: Numbers, seed: int) -> tuple[DataFrame, "_Gather"]:
    """The vectors of the images of pairs, moved to where both of a pair meet."""
    a, b = numbers
    partitions = partitions_for(len(_used(numbers, len(images))), vector_length(features))
    # In a round of a tournament those meet whose numbers are equally far from a middle, which moves by one a round, so
    # that most images are wanted at one place.
    last = int(max(a.max(), b.max()))
    place = np.minimum(a, last - a).astype(np.int64) * partitions // (last // 2 + 1)
    used, at = _meetings(numbers, place, len(images))
    wanted = _wanted(features.table, images, used, _PLACE, places(partitions)[at])
    vectors = _own(F.broadcast(wanted).join(features.table, schemas.KEY_HASH), seed)
    return vectors.select(*_OF_VECTOR, _PLACE).repartition(partitions, _PLACE).drop(_PLACE), _gathered


def _used(numbers: Numbers, count: int) -> np.ndarray:
    """Numbers of the images that are in pairs, of so many."""
    used = np.zeros(count, bool)
    for side in numbers:
        used[side] = True
    return np.flatnonzero(used)


def _meetings(numbers: Numbers, place: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Every image of pairs with each place of its pairs, once: the images' numbers, and the places."""
    one = np.full(count, -1)
    for side in numbers:
        one[side] = place
    used = np.flatnonzero(one >= 0)
    elsewhere = [(place != one[side]) for side in numbers]
    more = [place[other] * count + side[other] for side, other in zip(numbers, elsewhere, strict=True)]
    other_places, again = np.divmod(np.unique(np.concatenate(more)), count)
    return np.append(used, again), np.append(one[used], other_places)


def _wanted(vectors: DataFrame, images: pd.DataFrame, used: np.ndarray, name: str, values: np.ndarray) -> DataFrame:
    """Numbers of images with the hashes of their keys, and a column of one more number."""
    hashes = {
        new: images[old].to_numpy()[used]
        for new, old in ((schemas.KEY_HASH, schemas.KEY_HASH), (_WANTED_HASH, schemas.IMAGE_HASH))
    }
    frame = pd.DataFrame({**hashes, schemas.NUMBER: used.astype(np.int32), name: values})
    kinds = f"{schemas.KEY_HASH} bigint, {_WANTED_HASH} bigint, {schemas.NUMBER} int, {name} bigint"
    return distributed(vectors.sparkSession, frame, kinds)


def _own(joined: DataFrame, seed: int) -> DataFrame:
    """Features whose key has not only the one hash of an image that is wanted, but the other one too."""
    # Not as an equality, by which Spark would join, and sort all vectors anew.
    differs = keys.seeded_hash(seed, schemas.KEY).bitwiseXOR(F.col(_WANTED_HASH))
    return joined.where(differs == 0)


def _compared(vectors: DataFrame, gather: "_Gather", chosen: np.ndarray, numbers: Numbers, count: int) -> DataFrame:
    """The chosen pairs whose images are in one partition, with their similarity, NaN where a feature is of no use."""
    of_chosen = np.flatnonzero(chosen), *(side[chosen] for side in numbers)
    content = [as_bytes(each.astype(np.int32)) for each in of_chosen]
    shared = broadcast(vectors.sparkSession.sparkContext, content)

    @in_worker
    def compare(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        present, by_length = gather(frames, count)
        if len(present) > len(np.unique(present)):
            yield pd.DataFrame({_PAIR: [_REPEATED], schemas.SIMILARITY: [np.nan]})
        elif len(present):
            pairs, a, b = map(from_bytes, shared.value)
            yield _similar(present, by_length, pairs, (a, b), count)

    return vectors.mapInPandas(compare, _MET)


_ByLength = dict[int, list[tuple[np.ndarray, np.ndarray]]]
_Gather = Callable[[Iterator[pd.DataFrame], int], tuple[np.ndarray, _ByLength]]


def _gathered(frames: Iterator[pd.DataFrame], count: int) -> tuple[np.ndarray, _ByLength]:
    """Numbers of the images that have a feature; by the length of vectors, numbers and embeddings that can be used."""
    present, by_length = [np.empty(0, np.int64)], _ByLength()
    for frame in frames:
        numbers, lengths = frame[schemas.NUMBER].to_numpy(), vector_lengths(frame[schemas.FEATURE])
        present.append(numbers)
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            embeddings, sound = unit_embeddings(stack_vectors(frame[schemas.FEATURE].iloc[rows], length))
            by_length.setdefault(length, []).append((numbers[rows[sound]], embeddings[sound]))
    return np.concatenate(present), by_length


def _similar(present: np.ndarray, by_length: _ByLength, pairs: np.ndarray, images: Numbers, count: int) -> pd.DataFrame:
    """The pairs both images of which are present, and their similarity; images have numbers below `count`."""
    are_here = np.zeros(count, bool)
    are_here[present] = True
    here = np.flatnonzero(are_here[images[0]] & are_here[images[1]])
    a, b = (side[here] for side in images)
    similarities = np.full(len(here), np.nan)
    for length, parts in by_length.items():
        numbers, embeddings = (np.concatenate(each) for each in zip(*parts, strict=True))
        rows = np.full(count, -1, np.int32)
        rows[numbers] = np.arange(len(numbers))
        rows_a, rows_b = rows[a], rows[b]
        usable = np.flatnonzero((rows_a >= 0) & (rows_b >= 0))
        at_once = max(1, _BYTES_AT_ONCE // (4 * length))
        for begin in range(0, len(usable), at_once):
            some = usable[begin : begin + at_once]
            similarities[some] = pair_similarities(embeddings[rows_a[some]], embeddings[rows_b[some]])
    return pd.DataFrame({_PAIR: pairs[here], schemas.SIMILARITY: similarities})
